"""Vectors and series through the engine: the methods whose parts make sense there, and why the others do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from core import methods
from core.advice.study import measurable, study
from core.data import Catalogue, Dataset
from core.engine.columns import typical
from core.engine.networks import build
from core.engine.preprocess import fit
from core.engine.real import prepare
from core.engine.run import distil
from core.forecast import raced_job
from core.methods import Task
from core.overrides import override
from core.recipe import Columns, Exact, Linear, MeanStd, Mlp, RecipeError, SeriesConvNet, Unprocessed
from core.request import JobOrder, JobRequest, resolve, settle
from tests.data.bundles import place
from tests.data.tables import waves, wine
from tests.engine.conftest import smallest
from tests.forecast.machines import machine

OF_PICTURES = {"ccfs", "cda", "cim", "diffusion", "dwa", "fadrm", "lpld", "mgdd", "rded", "sre2l"}
QUICK: dict[str, Any] = {"network.width": 4, "evaluation.seeds": 1, "evaluation.epochs": 2, "evaluation.full": None}


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Dataset]:
    folder = tmp_path_factory.mktemp("numbers")
    for name, arrays in (("wine", wine()), ("waves", waves())):
        place(folder, name, arrays)
    return {name: Catalogue(folder).load(name) for name in ("wine", "waves")}


def _resolved(dataset: Dataset, method: str, **changes: Any) -> Any:
    overrides = {path.replace("__", "."): value for path, value in changes.items()}
    return resolve(JobRequest(dataset=dataset.facts.name, method=method, ipc=2, overrides=overrides), dataset.facts)


@pytest.mark.parametrize("name", ["wine", "waves"])
def test_every_method_resolves_or_is_refused_with_its_reason(name: str, numbers: dict[str, Dataset]) -> None:
    dataset = numbers[name]
    refused = dict[str, str]()
    for method in methods.names():
        try:
            recipe = _resolved(dataset, method)
        except RecipeError as error:
            refused[method] = str(error)
            continue
        assert recipe.augment.transforms == ()
        assert recipe.network.kind == ("mlp" if name == "wine" else "convnet-1d")
    assert all("Take method 'random'" in told for told in refused.values()), refused
    assert set(refused) >= OF_PICTURES
    assert not set(refused) & {"auto", "at-bptt", "bptt", "datm", "dc", "dm", "el2n", "forgetting", "frepo", "herding"}
    assert not set(refused) & {"k-center", "k-means", "linear-exact", "mtt", "random", "rat-bptt", "window"}


RUN = sorted({*methods.names()} - {"auto", "progressive-two-layer"} - OF_PICTURES)
"""The methods that no kind of data is refused for; `auto` is a search among them."""


def test_a_linear_network_distils_as_well(numbers: dict[str, Dataset]) -> None:
    recipe = _resolved(numbers["wine"], "mtt", network__kind="linear")
    changes = {path: value for path, value in smallest(recipe).items() if path != "network.width"}
    done = distil(override(recipe, changes), numbers["wine"], 2, 0)
    assert done.context.network.name == "linear"


@pytest.mark.parametrize("name", ["wine", "waves"])
@pytest.mark.parametrize("method", RUN)
def test_a_method_distils_numbers(method: str, name: str, numbers: dict[str, Dataset]) -> None:
    dataset = numbers[name]
    recipe = _resolved(dataset, method)
    done = distil(override(recipe, smallest(recipe) | {"evaluation.full": None}), dataset, 2, 0)
    assert done.result.images.shape == (2 * dataset.facts.classes, *dataset.facts.shape)
    lines = {line["name"]: line["accuracy_mean"] for line in done.rows}
    assert lines["distilled"] == lines["distilled_8bit"], "numbers are not rounded to 8 bits"
    shown = done.result.transform.inverse(done.result.images)
    assert shown.dtype == torch.float32
    again = done.result.transform.forward(shown)
    torch.testing.assert_close(again, done.result.images, rtol=1e-3, atol=1e-4)


REFUSED = {
    "augment__transforms": (["flip"], "Set augment.transforms to []."),
    "preprocess__kind": ("zca", "Set preprocess.kind to 'mean_std'."),
    "schedule__clamp": (True, "Set schedule.clamp to false."),
    "storage__kind": ("compact", "Set storage.kind to 'exact'"),
    "network__kind": ("convnet", "Set network.kind to 'mlp'."),
    "evaluation__across": ([{"kind": "resnet18"}], "Leave it out of evaluation.across"),
}


@pytest.mark.parametrize("path", REFUSED)
def test_what_is_for_pictures_is_refused_with_the_fix(path: str, numbers: dict[str, Dataset]) -> None:
    value, fix = REFUSED[path]
    with pytest.raises(RecipeError) as refused:
        _resolved(numbers["wine"], "random", **{path: value})
    assert fix in str(refused.value)


def test_a_network_for_series_does_not_read_pictures(tmp_path: Path) -> None:
    digits = Catalogue(tmp_path).facts("digits")
    with pytest.raises(RecipeError, match=r"Set network.kind to 'convnet'"):
        resolve(JobRequest(dataset="digits", ipc=1, method="random", overrides={"network.kind": "convnet-1d"}), digits)


def test_each_column_is_standardised_whatever_its_scale() -> None:
    values = torch.randn(50, 3, 1, 1) * torch.tensor([1e-6, 1.0, 1e6]).view(1, 3, 1, 1) + 5
    values[:, 0] = torch.arange(50).view(-1, 1, 1) * 1e-7
    transform = fit(MeanStd(), values)
    seen = transform.forward(values)
    torch.testing.assert_close(seen.std(0).flatten(), torch.ones(3), rtol=1e-3, atol=1e-3)
    assert transform.clipped(seen) == 0
    assert torch.equal(fit(Unprocessed(), values).inverse(values), values)


def test_distilled_rows_have_numbers_that_their_columns_have(numbers: dict[str, Dataset]) -> None:
    dataset = numbers["wine"]
    real = prepare(dataset, MeanStd(), torch.device("cpu"))
    training = real.train.take(torch.arange(len(real.train)))
    moved, own = training[:40] + 0.05, torch.arange(40) % 2 == 0
    stored = typical(moved, own, real, 21)
    assert torch.equal(stored[own], moved[own])
    for column in range(dataset.facts.shape[0]):
        of_it, wanted, found = (each[:, column].ravel() for each in (training, moved[~own], stored[~own]))
        known = of_it.sort().values[torch.linspace(0, len(of_it) - 1, 21).round().long()]
        assert set(found.tolist()) <= set(known.tolist())
        assert torch.allclose((found - wanted).abs(), (wanted[:, None] - known).abs().min(1).values)
    recipe = _resolved(dataset, "dm")
    assert recipe.storage == Columns()
    assert _resolved(numbers["waves"], "dm").storage == Exact()
    made = distil(override(recipe, {"schedule.steps": 2} | QUICK), dataset, 2, 0).result
    for column in range(dataset.facts.shape[0]):
        assert set(made.images[:, column].ravel().tolist()) <= set(training[:, column].ravel().tolist())
    with pytest.raises(RecipeError, match="Columns are those of a table"):
        _resolved(numbers["waves"], "dm", storage__kind="columns")


def test_the_networks_for_numbers() -> None:
    linear = build(Linear(), (13, 1, 1), 3)
    assert (linear.name, linear.size) == ("linear", 3 * 13 + 3)
    assert build(Mlp(width=8), (13, 1, 1), 3).size == 8 * 13 + 8 + 8 * 8 + 8 + 3 * 8 + 3
    along = build(SeriesConvNet(width=4), (2, 1, 24), 2)
    assert along.name == "convnet-1d-d2-w4-instance"
    assert dict(along.layout)["conv1.weight"] == (4, 4, 1, 3)
    assert dict(along.layout)["linear.weight"] == (2, 4 * 6)


@pytest.mark.parametrize("kind", ["mlp", "linear"])
@pytest.mark.parametrize("labels", ["hard", "soft"])
def test_a_search_on_a_table_leaves_out_what_is_for_pictures(
    kind: str, labels: str, numbers: dict[str, Dataset]
) -> None:
    facts = numbers["wine"].facts
    changes: dict[str, Any] = {"network.kind": kind}
    order = JobOrder(dataset="wine", ipc=2, within="60s", labels=labels, overrides=changes)  # type: ignore[arg-type]
    recipe = resolve(settle(order, facts), facts)
    shared, race = raced_job(recipe, facts, 2, machine(), (), 60, tuple(changes), soft=labels == "soft")
    names = [candidate.name for candidate in race.candidates]
    assert {"random", "k-means", "herding", "dm"} <= set(names)
    assert shared.network.kind == kind
    if labels == "soft":
        told = {each.name: each.reason for each in race.left_out}
        assert "makes pictures" in told["rded"]
        assert "frepo" in names


def test_the_step_size_that_trajectories_of_a_small_table_learn_does_not_vanish(numbers: dict[str, Dataset]) -> None:
    dataset = numbers["wine"]
    changes = {"experts.count": 2, "experts.epochs": 12, "objective.max_start_epoch": 2, "schedule.image_lr": 10.0}
    quick = QUICK | {"network.width": 16, "schedule.steps": 60}
    recipe = resolve(JobRequest(dataset="wine", method="mtt", ipc=1, overrides=changes | quick), dataset.facts)
    step_size = distil(recipe, dataset, 1, 0).result.step_size
    assert step_size is not None
    assert step_size > 1e-3


@pytest.mark.parametrize("name", ["wine", "waves"])
def test_advice_can_be_measured_and_priced(name: str, numbers: dict[str, Dataset]) -> None:
    facts = numbers[name].facts
    assert measurable(facts)
    asked = study(facts, "hard", 60.0)
    assert asked.recipe.network.kind == ("mlp" if name == "wine" else "convnet-1d")
    done = distil(override(asked.recipe, {"schedule.steps": 1} | QUICK), numbers[name], 1, 0)
    assert len(done.result.images) == facts.classes


def test_a_task_of_numbers_is_known_by_its_kind() -> None:
    task = Task("wine", 1, (13, 1, 1), 3, mirror=False, kind="vectors")
    with pytest.raises(RecipeError, match="'sre2l' makes pictures"):
        methods.method("sre2l").recipe(task)
