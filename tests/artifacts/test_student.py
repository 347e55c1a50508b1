"""The student that comes with an artifact: what it computes is what the report's networks computed."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from core.artifacts import Distilled, build, student
from core.artifacts.load import load
from core.engine import evaluate
from core.engine.augment import dsa
from core.engine.evaluate import Images, Replays, Trained
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import CrossEntropy, SquaredError
from core.engine.networks import build as engines
from core.engine.preprocess import Transform
from core.engine.synthetic import SyntheticDataset
from core.engine.view_labels import Replay, ViewLabels
from core.recipe import AlexNet, Architecture, Augment, Evaluation, LeNet, Mlp, Network, Recipe, ResNet18, Vgg11
from tests.artifacts.results import result, soft_labels

KEY = Key(3)
QUICK = {"evaluation__epochs": 5, "evaluation__augment": False, "network__width": 4}


@pytest.mark.parametrize("name", student.TRANSFORMS)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (3, 9, 7)], ids=str)
def test_views_are_the_engines(name: str, shape: tuple[int, int, int]) -> None:
    x, u = KEY.normal(40, *shape), KEY.fold(name).uniform(4, 40)
    torch.testing.assert_close(student.TRANSFORMS[name](x, u), dsa(x, Augment(transforms=(name,)), KEY))


NETWORKS: list[tuple[Architecture, tuple[int, int, int]]] = [
    (Network(width=4), (1, 28, 28)),
    (Network(width=4, norm="none"), (3, 9, 13)),
    (Network(width=4, depth=2, norm="batch"), (1, 8, 8)),
    (Mlp(width=8), (1, 8, 8)),
    (LeNet(), (3, 32, 32)),
    (LeNet(), (1, 28, 28)),
    (AlexNet(width=4), (1, 28, 28)),
    (Vgg11(width=2), (3, 32, 32)),
    (ResNet18(width=2, norm="batch"), (3, 32, 32)),
]


def named(given: Distilled, folder: Path) -> Any:
    build(folder, given)
    return load(folder)


@pytest.mark.parametrize(("architecture", "shape"), NETWORKS, ids=lambda each: str(getattr(each, "kind", each)))
def test_networks_are_the_engines(tmp_path: Path, architecture: Architecture, shape: tuple[int, int, int]) -> None:
    data = named(result(), tmp_path)
    recipe = data.recipe | {"network": architecture.model_dump(mode="json")}
    data = replace(data, recipe=recipe, images=np.zeros((1, *shape), np.float32))
    ours, theirs = student.network(data), engines(architecture, shape, 10)
    theta, x = theirs.init(KEY), KEY.fold("x").normal(6, *shape)
    assert len(parameters_to_vector(ours.parameters())) == theirs.size
    vector_to_parameters(theta, ours.parameters())
    torch.testing.assert_close(ours(x), theirs.apply(theta, x), rtol=1e-4, atol=1e-5)


def test_fresh_networks_differ_by_their_seed_alone(tmp_path: Path) -> None:
    data = named(result(), tmp_path)
    before = torch.random.get_rng_state()
    one, same, other = (parameters_to_vector(student.network(data, seed).parameters()) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), before), "draws beside it stay the same"


@pytest.mark.parametrize("schedule", ["step", "cosine", "constant"])
@pytest.mark.parametrize("epochs", [4, 5])
def test_rates_are_the_engines(schedule: Any, epochs: int) -> None:
    protocol = Evaluation().model_copy(update={"schedule": schedule, "epochs": epochs})
    theirs = evaluate.on_synthetic(protocol, Augment(), 0.5)
    ours = [student.rate_in(protocol.model_dump(mode="json"), 0.5, epoch) for epoch in range(epochs)]
    assert ours == pytest.approx([theirs.rate(epoch) for epoch in range(epochs)])


def targets(labels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return (np.eye(10)[labels] - 0.1 + 0.05 * np.sin(np.arange(10))).astype(np.float32)


def viewed(n: int, records: int, size: int) -> dict[str, np.ndarray[Any, Any]]:
    """A teacher's labels of views of n images, in batches of `size`."""
    draw = np.random.default_rng(1)
    return {
        "index": np.stack([draw.permutation(n)[:size] for _ in range(records)]).astype(np.uint16),
        "shift": draw.integers(-1, 2, (records, size, 2)).astype(np.int8),
        "mirror": np.zeros((records, size), bool),
        "share": np.ones(records, np.float32),
        "box": np.tile(np.array([1, 5, 2, 6], np.int16), (records, 1)),
        "logits": draw.normal(0, 9, (records, size, 10)).astype(np.float16),
    }


def of_a_trajectory() -> Distilled:
    return result(ipc=2, **QUICK)


def of_a_trajectory_with_learned_labels() -> Distilled:
    return result(ipc=2, soft=True, kind="zca", method="datm", **QUICK, labels__kind="learnable")


def of_a_curriculum() -> Distilled:
    given = result(ipc=3, step_size=None, method="seqmatch", **QUICK)
    return replace(given, stage=np.tile(np.array([0, 0, 1]), 10), step_sizes=(0.01, 0.03))


def of_a_regression() -> Distilled:
    given = result(ipc=2, step_size=None, method="frepo", **QUICK)
    return replace(given, regression_targets=targets(given.labels))


def of_a_teacher() -> Distilled:
    given = result(ipc=2, step_size=None, method="sre2l", **QUICK, evaluation__policy="batch", relabel__mix="cutmix")
    return replace(given, views=viewed(20, 5, 20))


def of_a_teacher_whose_batches_reach_into_the_next_epoch() -> Distilled:
    quick = QUICK | {"evaluation__batch_size": 12}
    given = result(ipc=2, step_size=None, method="sre2l", **quick, evaluation__policy="batch", relabel__mix="cutmix")
    return replace(given, views=viewed(20, 5 * 20 // 12, 12))


def of_a_teacher_without_views() -> Distilled:
    return result(
        ipc=2, step_size=None, soft=True, method="rded", **QUICK, evaluation__policy="batch", relabel__kind="soft"
    )


def of_a_selection() -> Distilled:
    return result(ipc=2, step_size=None, method="herding", **QUICK)


def of_a_generator() -> Distilled:
    return result(ipc=2, step_size=None, method="diffusion", **QUICK)


FAMILIES = (
    of_a_trajectory,
    of_a_trajectory_with_learned_labels,
    of_a_curriculum,
    of_a_regression,
    of_a_teacher,
    of_a_teacher_whose_batches_reach_into_the_next_epoch,
    of_a_teacher_without_views,
    of_a_selection,
    of_a_generator,
)


def trained_by_the_engine(given: Distilled) -> Trained:
    """A network as the report's `distilled` line trains it."""
    recipe, n = Recipe.model_validate(given.recipe), len(given.labels)
    views, relabel = given.views, recipe.relabel
    labelled = views and ViewLabels(
        **{name: torch.from_numpy(array) for name, array in views.items() if name != "index"},
        index=torch.from_numpy(views["index"].astype(np.int64)),
        range=None,
        classes=10,
        top=None,
        temperature=relabel.temperature,
        mix="cutmix",
        bits=16,
        pool=False,
    )
    made = SyntheticDataset(
        images=torch.from_numpy(given.images),
        labels=torch.from_numpy(given.labels),
        soft_labels=None if given.soft_labels is None else torch.from_numpy(given.soft_labels),
        step_size=given.step_size,
        transform=Transform("none"),
        real=torch.from_numpy(given.real),
        stage=None if given.stage is None else torch.from_numpy(given.stage),
        step_sizes=given.step_sizes,
        views=labelled or None,
        temperature=relabel.temperature,
        targets=None if given.regression_targets is None else torch.from_numpy(given.regression_targets),
    )
    network = engines(recipe.network, given.facts.shape, 10)
    kernels = Eager(network, SquaredError if recipe.regresses else CrossEntropy)
    protocol = replace(evaluate.on_result(recipe, made), temperature=made.temperature)
    shown: Images = made.images if made.views is None else Replays((Replay(made.images, made.views),))
    assert n <= protocol.batch_size or made.views is not None, "one batch an epoch, whose order makes no difference"
    (trained,) = finished(evaluate.train(kernels, shown, made.supervision(10), protocol, [KEY]))
    return trained


def finished(work: Generator[float, None, list[Trained]]) -> list[Trained]:
    while True:
        try:
            next(work)
        except StopIteration as end:
            found: list[Trained] = end.value
            return found


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_a_network_ends_where_the_reports_do(tmp_path: Path, family: Any) -> None:
    """From the same start, without augmentation, whose draws are others: optimiser, rates, labels, loss and order."""
    given = family()
    data = named(given, tmp_path)
    ours, recipe = student.network(data), Recipe.model_validate(given.recipe)
    start = engines(recipe.network, given.facts.shape, 10).init(KEY.fold("init"))
    vector_to_parameters(start.clone(), ours.parameters())
    student.train(ours, data)
    assert not ours.training
    # By their answers: the bias of a convolution before a batch norm moves by what rounding leaves of its gradient.
    x, network = torch.from_numpy(given.images), engines(recipe.network, given.facts.shape, 10)
    began, ended = (network.apply(theta, x) for theta in (start, trained_by_the_engine(given).theta))
    assert (ours.train()(x) - ended).norm() < 5e-3 * (ended - began).norm()


@pytest.mark.parametrize("policy", ["batch", "sample", "simple", "combined"])
def test_views_are_drawn_by_the_policy(policy: str) -> None:
    """A view whose colours are unchanged equals its image or the mirror image of it."""
    recipe = {
        "augment": {"transforms": ["flip", "color"]},
        "evaluation": {"augment": True, "policy": policy},
    }
    x = torch.arange(64.0).view(1, 1, 8, 8).expand(60, 1, 8, 8) / 64
    real = torch.arange(60) < 20
    draws = torch.Generator().manual_seed(0)
    seen = [student.view(x, real, recipe, draws) for _ in range(20)]

    def only_flipped(views: torch.Tensor) -> list[bool]:
        return [bool(torch.equal(v, o) or torch.equal(v, o.flip(2))) for v, o in zip(views, x, strict=False)]

    each = [only_flipped(batch) for batch in seen]
    match policy:
        case "batch":
            assert {len(set(batch)) for batch in each} == {1}
            assert {batch[0] for batch in each} == {True, False}
        case "sample":
            assert all(len(set(batch[:20])) == 2 for batch in each)
        case "simple":
            assert all(all(batch) for batch in each)
        case "combined":
            assert all(all(batch[:20]) for batch in each)
            assert all(len(set(batch[20:])) == 2 for batch in each)


@pytest.mark.parametrize("cutmix", [None, {"probability": 0.5}])
def test_where_images_are_mixed_nothing_is_cut_out(cutmix: dict[str, float] | None) -> None:
    recipe = {
        "augment": {"transforms": ["cutout"]},
        "evaluation": {"augment": True, "policy": "batch", "cutmix": cutmix},
    }
    x = torch.ones(10, 1, 8, 8)
    seen = student.view(x, torch.zeros(10).bool(), recipe, torch.Generator().manual_seed(0))
    assert torch.equal(seen, x) == (cutmix is not None)


def test_what_is_not_to_be_augmented_is_not(tmp_path: Path) -> None:
    data = named(of_a_selection(), tmp_path)
    (steps,) = student.stages(data)
    for images, labels, rate in steps:
        for image, label in zip(images, labels, strict=True):
            (place,) = [n for n, one in enumerate(data.images) if np.array_equal(one, image.numpy())]
            assert label.argmax() == data.labels[place]
        assert rate in (data.recipe["evaluation"]["lr"], pytest.approx(data.recipe["evaluation"]["lr"] / 10))


def test_mixed_images_have_the_labels_of_their_parts() -> None:
    x = torch.arange(12.0)[:, None, None, None].expand(12, 1, 8, 8)
    y, draws = F.one_hot(torch.arange(12)).float(), torch.Generator().manual_seed(1)
    shares = set()
    for _ in range(20):
        mixed, labels = student.cutmix(x, y, 1.0, draws)
        held = F.one_hot(mixed[:, 0].long().flatten(1), 12).float().mean(1)
        torch.testing.assert_close(labels, held)
        shares.add(round(float(labels.max()), 3))
    assert len(shares) > 5
    assert student.cutmix(x, y, 1e-9, draws)[0] is x


def test_soft_labels_are_what_they_were(tmp_path: Path) -> None:
    given = of_a_trajectory_with_learned_labels()
    ((step, *_),) = [list(stage) for stage in student.stages(named(given, tmp_path))]
    assert torch.allclose(step[1].amax(1), torch.tensor(soft_labels(given.labels).max()))
