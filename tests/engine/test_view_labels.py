"""Labels of views: drawn once, stored small, replayed by the engine and from an artifact's files alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from core.artifacts import build, student
from core.artifacts.load import load
from core.engine import init, relabel
from core.engine.evaluate import Replays, on_synthetic, train
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.real import Real, prepare
from core.engine.teacher import Teacher
from core.engine.train import Protocol
from core.engine.view_labels import Replay, ViewLabels, lesson, packed, topmost, unpacked
from core.recipe import Augment, Evaluation, LabelledViews, MeanStd, Recipe
from core.recipe.share import equal
from core.weight import of_views
from tests.artifacts.results import digits, result
from tests.engine.conftest import small
from tests.engine.still import result as outcome
from tests.engine.still import taught


@pytest.mark.parametrize("bits", [4, 8, 16])
def test_logits_come_back_as_near_as_their_bits_allow(bits: int) -> None:
    logits = Key(0).normal(6, 5) * 9
    codes, span = packed(logits, bits)
    assert codes.nbytes == {4: 6 * 3, 8: 6 * 5, 16: 6 * 10}[bits]
    unit = (logits.amax(1) - logits.amin(1)) / (2**bits - 1) if bits < 16 else logits.abs().amax(1) * 2**-10
    error = (unpacked(codes, span, 5, bits) - logits).abs().amax(1)
    assert (error <= unit * 0.51 + 0.02).all()
    alike = torch.full((1, 5), 3.0)
    assert torch.equal(unpacked(*packed(alike, bits), 5, bits), alike)


def test_the_other_classes_are_together_as_likely_as_they_were() -> None:
    logits, temperature = Key(0).normal(4, 3, 9) * 9, 4.0
    values, places = topmost(logits, 2, temperature)
    exact, kept = (
        (logits / temperature).softmax(-1),
        values[..., -1:].expand_as(logits).scatter(2, places, values[..., :-1]),
    )
    found = (kept / temperature).softmax(-1)
    assert torch.allclose(found.gather(2, places), exact.topk(2).values)
    assert torch.allclose(found.sort(descending=True).values[..., 2:].std(-1), torch.zeros(4, 3), atol=1e-6)


def made(real: Real, known: Teacher, ipc: int, augment: Augment | None = None, **choice: Any) -> tuple[Any, ViewLabels]:
    images = real.train.take(init.chosen(real, equal(ipc, real.classes), Key(2)))
    evaluation = small("rded", evaluation__epochs=5, evaluation__batch_size=6).evaluation
    relabelled = LabelledViews(**choice)
    transforms = augment or Augment(transforms=("crop", "flip"))
    return images, outcome(relabel.views(relabelled, known, images, evaluation, transforms, Key(3)))


@pytest.fixture(scope="module")
def known(real: Real) -> Teacher:
    found = taught(small("rded"), real)
    assert found is not None
    return found


def test_what_is_stored_is_what_the_teacher_says(known: Teacher, real: Real) -> None:
    images, views = made(real, known, 5)
    assert len(views) == 5 * 10 // 6
    assert sorted(views.index[:5].flatten().tolist()[:10]) == list(range(10)), "the first epoch has each image once"
    for record in range(len(views)):
        asked = known.logits(views.view(record, images))
        assert (asked - unpacked(views.logits[record], None, 2, 16)).abs().max() < 2e-2
    assert views.mirror.any()
    assert views.shift.abs().max() == 1
    assert ((views.share > 0) & (views.share < 1)).any()


def test_pruned_labels_begin_like_all_of_them_and_are_drawn(known: Teacher, real: Real) -> None:
    images, whole = made(real, known, 5)
    _, pruned = made(real, known, 5, keep=0.4)
    assert (len(pruned), pruned.pool, whole.pool) == (3, True, False)
    assert torch.equal(pruned.logits, whole.logits[:3])
    protocol = Protocol(5, 6, 0.1, 0.9, 0.0, "cosine", Augment(transforms=()), temperature=20.0)
    keys = [Key(1), Key(2)]
    full, drawn = (lesson([Replay(images, v)], protocol, keys, [1] * 5) for v in (whole, pruned))
    assert all(torch.equal(*full(epoch, 0)[0]) for epoch in range(5)), "every network replays the same"
    assert not all(torch.equal(*drawn(epoch, 0)[0]) for epoch in range(5))


@pytest.mark.parametrize(("n", "size"), [(100, 64), (30, 20), (127, 64)])
def test_every_stored_batch_is_shown_once(
    n: int, size: int, real: Real, known: Teacher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the engine's students and to those of the downloaded files, at the rates of the epochs in which they begin."""
    evaluation = Evaluation(lr=0.1, epochs=7, batch_size=size, schedule="cosine")
    images = real.train.take(torch.arange(n))
    views = outcome(relabel.views(LabelledViews(), known, images, evaluation, Augment(), Key(3)))
    every = list(range(7 * n // size))
    assert len(views) == len(every)

    seen, view = list[int](), ViewLabels.view

    def counted(self: ViewLabels, record: int, every: torch.Tensor) -> torch.Tensor:
        seen.append(record)
        return view(self, record, every)

    monkeypatch.setattr(ViewLabels, "view", counted)
    protocol = replace(on_synthetic(evaluation, Augment(), 0.1), temperature=20.0)
    labels = F.one_hot(real.train.labels[:n], 2).float()
    outcome(train(Eager(known.network), Replays((Replay(images, views),)), labels, protocol, [Key(1)]))
    assert seen == every

    build(tmp_path / "made", result(method="rded", step_size=None))
    data = load(tmp_path / "made")
    data = replace(
        data,
        images=images.numpy(),
        labels=np.zeros(n, np.int64),
        stage=np.zeros(n, np.int64),
        class_names=("zero", "one"),
        views=views.stored(n),
        recipe=data.recipe | {"evaluation": evaluation.model_dump(mode="json")},
    )
    assert len(list(data.batches())) == len(every)
    (shown,) = student.stages(data)
    steps = [(x, rate) for x, _, rate in shown]
    assert [rate for _, rate in steps] == pytest.approx([protocol.rate(at * size // n) for at in every])
    for at, (x, _) in enumerate(steps):
        assert torch.allclose(x, view(views, at, images), atol=1e-6)


SCRIPT = """
import numpy as np, torch, torch.nn.functional as F
from load import load
data, test = load(), np.load("test.npz")
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
adam = torch.optim.Adam(net.parameters(), 0.01)
for x, targets in data.batches():
    adam.zero_grad()
    F.cross_entropy(net(torch.from_numpy(x)) / data.temperature, torch.from_numpy(targets)).backward()
    adam.step()
x = torch.from_numpy(data.transform(test["images"]))
print((net(x).argmax(1).numpy() == test["labels"]).mean())
"""


@pytest.fixture(scope="module")
def whole() -> Real:
    return prepare(digits(), MeanStd(), torch.device("cpu"))


def downloaded(
    real: Real, folder: Path, images: torch.Tensor | None = None, **choice: Any
) -> tuple[ViewLabels, torch.Tensor]:
    """Ten images of each class, digits by default, labelled view by view, as an artifact somewhere else."""
    recipe = Recipe.model_validate(result(10, method="rded").recipe)
    small = recipe.network.model_copy(update={"width": 12})
    assert recipe.teacher is not None
    recipe = recipe.model_copy(
        update={
            "teacher": recipe.teacher.model_copy(update={"epochs": 3, "network": small}),
            "relabel": LabelledViews(**choice),
            "evaluation": recipe.evaluation.model_copy(update={"epochs": 50, "batch_size": 32}),
        }
    )
    teacher, given = taught(recipe, real), result(10, method="rded", step_size=None)
    assert teacher is not None
    assert isinstance(recipe.relabel, LabelledViews)
    images = torch.from_numpy(given.images) if images is None else images
    views = outcome(relabel.views(recipe.relabel, teacher, images, recipe.evaluation, recipe.augment, Key(3)))
    made = folder.with_name("made")
    build(made, replace(given, images=images.numpy(), recipe=recipe.model_dump(mode="json"), views=views.stored(100)))
    shutil.move(made, folder)
    return views, images


@pytest.mark.parametrize(
    "choice", [{}, {"mix": "cutmix", "bits": 4, "keep": 0.5, "top_k": 4}, {"bits": 8, "top_k": 9}, {"top_k": 1}]
)
def test_the_files_replay_what_the_engine_saw(choice: dict[str, Any], whole: Real, tmp_path: Path) -> None:
    views, images = downloaded(whole, tmp_path / "downloaded", **choice)
    data, asked = load(tmp_path / "downloaded"), LabelledViews(**choice)
    file = tmp_path / "downloaded" / "dataset.views.safetensors"
    evaluation = Evaluation.model_validate(data.recipe["evaluation"])
    assert asked.size(100, evaluation.epochs, evaluation.batch_size, 10) == views.nbytes(100)
    assert of_views(asked, 100, evaluation, 10).size == file.stat().st_size
    assert (views.top is None) == (asked.own(10) is None)
    for record in range(0, len(views), 7):
        assert np.abs(data.view(record) - views.view(record, images).numpy()).max() < 1e-6
        targets = F.softmax(torch.from_numpy(data.logits(record)) / data.temperature, 1)
        assert torch.allclose(targets, views.targets(record), atol=1e-6)
    first, *_ = batches = list(data.batches(epochs=2))
    assert len(batches) == 2 * 3
    assert first[0].shape == (32, 1, 8, 8)
    assert np.allclose(first[1].sum(1), 1)


@pytest.mark.parametrize("mix", ["none", "cutmix"])
def test_digits_are_mirrored_neither_by_the_engine_nor_by_the_files(mix: str, whole: Real, tmp_path: Path) -> None:
    slopes = torch.linspace(-1.5, 1.5, 8).expand(100, 1, 8, 8).contiguous()
    views, images = downloaded(whole, tmp_path / "downloaded", slopes, mix=mix)
    data = load(tmp_path / "downloaded")
    assert not views.mirror.any()
    for record in range(len(views)):
        for seen in (views.view(record, images), torch.from_numpy(data.view(record))):
            assert (seen.diff(dim=-1).flatten(1).median(1).values > 0).all()


def test_a_model_trains_from_the_downloaded_files_alone(whole: Real, tmp_path: Path) -> None:
    """Where nothing of the project can be imported."""
    folder = tmp_path / "downloaded"
    downloaded(whole, folder)
    np.savez(folder / "test.npz", images=digits().test.images, labels=digits().test.labels)
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, '.')\n{SCRIPT}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 0.75


def test_images_without_labelled_views_say_what_to_train_on(tmp_path: Path) -> None:
    build(tmp_path, result())
    data = load(tmp_path)
    assert data.temperature == 1
    with pytest.raises(ValueError, match=r"data\.targets"):
        next(data.batches())
