"""The catalogue of methods: how the families are listed, what their presets are, what the schema says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from core import methods
from core.data import Catalogue
from core.methods import Task
from core.methods.catalogue import FAMILIES, listed, method
from core.methods.task import Presets
from core.methods.trajectory import mtt
from core.recipe import CutMix, Recipe, Trajectory, Zca

_TASKS = ("digits", (1, 8, 8)), ("cifar10", (3, 32, 32))
PRESETS = {"two-words": {("digits", 1): {"schedule.steps": 3}}}


def two_words(task: Task) -> Recipe:
    return mtt(task)


def family(presets: Presets) -> ModuleType:
    module = ModuleType("a family")
    module.__dict__.update(__all__=["two_words"], two_words=two_words, PRESETS=presets)
    return module


def test_a_method_is_its_function_with_dashes_for_underscores() -> None:
    found = listed(family(PRESETS), *FAMILIES)
    assert list(found) == sorted([*methods.names(), "two-words"])
    assert (found["two-words"].recipe, found["two-words"].settings) == (two_words, PRESETS["two-words"])


def test_presets_may_be_left_out_but_not_misnamed() -> None:
    assert listed(family({}))["two-words"].settings == {}
    with pytest.raises(ValueError, match="two_words"):
        listed(family({"two_words": {}}))


def test_two_methods_never_share_a_name() -> None:
    with pytest.raises(ValueError, match="'two-words' already"):
        listed(family({}), family({}))


def test_presets_are_the_published_settings() -> None:
    ipc10 = mtt(Task("cifar10", 10, (3, 32, 32), 10, mirror=True))
    assert isinstance(ipc10.objective, Trajectory)
    assert ipc10.preprocess == Zca(eps=0.1)
    assert (ipc10.objective.syn_steps, ipc10.objective.max_start_epoch) == (30, 20)
    assert (ipc10.schedule.image_lr, ipc10.step_size.initial, ipc10.step_size.lr) == (100.0, 0.001, 1e-5)


@pytest.mark.parametrize(
    "name", ["cda", "cim", "diffusion", "dwa", "fadrm", "frepo", "linear-exact", "lpld", "mgdd", "rded", "sre2l"]
)
def test_what_the_service_brings_along_has_a_preset(name: str) -> None:
    embedded = {facts.name for facts in Catalogue(Path("nowhere")).list() if facts.source == "embedded"}
    assert embedded == {"digits"}
    assert embedded <= {dataset for dataset, _ in methods.method(name).presets}


def test_teachers_labels_are_given_enough_steps_on_tiny_images() -> None:
    tiny, usual = (method("sre2l").recipe(Task(name, 10, shape, 10, mirror=name != "digits")) for name, shape in _TASKS)
    assert (tiny.evaluation.batch_size, usual.evaluation.batch_size) == (20, 64)
    assert method("sre2l").recipe(Task("digits", 1, (1, 8, 8), 10, mirror=False)).evaluation.batch_size == 10


def test_the_nearest_ipc_lends_its_preset() -> None:
    near = mtt(Task("cifar10", 45, (3, 32, 32), 10, mirror=True))
    assert near == mtt(Task("cifar10", 50, (3, 32, 32), 10, mirror=True))


def test_the_schema_describes_every_field() -> None:
    schema = methods.override_schema()
    fields = [f for part in schema["$defs"].values() for name, f in part["properties"].items() if name != "kind"]
    assert fields
    assert all("description" in field or "$ref" in field or "anyOf" in field for field in fields)


def test_unknown_methods_offer_the_nearest() -> None:
    with pytest.raises(methods.UnknownMethod, match="Did you mean 'mtt'"):
        methods.method("mttt")
    with pytest.raises(methods.UnknownMethod, match="Use one of"):
        methods.method("__all__")


def test_idc_is_judged_as_the_figures_that_it_cites() -> None:
    """CutMix of half of the batches, as released; the augmentation that matching sees keeps its cutout."""
    recipe = method("idc").recipe(Task("cifar10", 10, (3, 32, 32), 10, mirror=True))
    assert recipe.evaluation.cutmix == CutMix(probability=0.5)
    assert "cutout" in recipe.augment.transforms
    assert method("idc").recipe(Task("digits", 1, (1, 8, 8), 10, mirror=False)).evaluation.cutmix is None


def test_classes_of_unequal_size_count_alike() -> None:
    """In what experts, teachers, objectives, judges and the reference learn from, and in what choices go by."""
    task = Task("faults", 10, (3, 32, 32), 2, mirror=True)
    for name in methods.names():
        equal, unequal = (method(name).recipe(replace(task, unequal=each)) for each in (False, True))
        assert unequal.evaluation.measure == "balanced"
        choosing = [getattr(unequal.init, part, None) for part in ("score", "embedding")]
        choosing.append(getattr(unequal.objective, "judge", None))
        judged = unequal.evaluation
        parts = (unequal.experts, unequal.teacher, unequal.objective, unequal.labels, judged.full, judged.coverage)
        for part in (*parts, *choosing):
            kind = getattr(part, "balance", "batches")
            assert kind != "none" or name == "linear-exact", name
        told = str(equal.identity())
        assert "balance" not in told, "recipes of old keep their fingerprints"
        assert "measure" not in told, name
        kept = {"measure": judged.measure, "full": judged.full, "coverage": judged.coverage}
        assert equal.evaluation.model_copy(update=kept) == judged


@pytest.mark.parametrize(
    ("train", "classes", "rarest", "unequal"),
    [(1437, 10, 125, False), (60_000, 10, 4879, False), (1437, 2, 125, True), (30, 10, 2, False), (1512, 3, 65, True)],
)
def test_classes_are_unequal_where_one_has_far_fewer_images(
    train: int, classes: int, rarest: int, unequal: bool
) -> None:
    facts = Catalogue(Path("nowhere")).facts("digits")
    found = replace(facts, train_count=train, classes=classes, smallest_class=rarest)
    assert found.unequal is unequal


def test_rows_and_series_are_distilled_in_minutes_by_the_methods_that_were_measured_on_them() -> None:
    for kind, shape in (("vectors", (13, 1, 1)), ("series", (1, 1, 150))):
        task = Task("mine", 10, shape, 3, mirror=False, kind=kind)
        steps = {name: methods.method(name).recipe(task).schedule.steps for name in ("dm", "frepo", "rat-bptt")}
        assert steps == {"dm": 300, "frepo": 300, "rat-bptt": 100}
