"""Whatever can be said together either runs or is refused with the fix; nothing is accepted and then fails."""

from __future__ import annotations

import os
import re
from itertools import combinations as pairs
from pathlib import Path

import numpy as np
import pytest

from core.artifacts.load import load
from core.data import Catalogue
from core.recipe import FieldError, Learnable, Part, Performance, Recipe, Trajectory
from core.request import JobRequest, check
from tests.data.bundles import place, sound
from tests.engine.vocabulary import Choice, Combination, combinations, pairwise, parts_in
from worker.engine import phases
from worker.engine.bench import Job
from worker.engine.channel import Channel
from worker.protocol import JobFolder

IPC = 2

KINDS = ("distribution", "gradient", "nothing", "performance", "trajectory")


@pytest.fixture(scope="module")
def said() -> list[tuple[Combination, Recipe | FieldError]]:
    """Every combination, with its recipe or its refusal."""
    return [(combination, combination.recipe()) for combination in combinations()]


@pytest.fixture(scope="module")
def runnable(said: list[tuple[Combination, Recipe | FieldError]]) -> dict[Combination, Recipe]:
    return {combination: recipe for combination, recipe in said if isinstance(recipe, Recipe)}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two classes of digits, 20 images of each."""
    arrays = {name: part[: 2 * 20] for name, part in sound(20).items()}
    return place(tmp_path_factory.mktemp("data"), "two", arrays | {"class_names": np.array(["zero", "one"])}).parent


def run(recipe: Recipe, data: Path, folder: JobFolder) -> None:
    """What the engine's process does with a job, in this one."""
    request = JobRequest(dataset="two", ipc=IPC, method="mtt")
    check(recipe, request, Catalogue(data).facts("two"))
    job = Job(
        job_id="job_test",
        attempt=1,
        request=request,
        recipe=Recipe.model_validate_json(recipe.model_dump_json()),
        data_dir=data,
        experts_dir=data / "experts",
        expert_cache_bytes=2**30,
        device="cpu",
        compile="never",
        checkpoint_interval=3600,
        fingerprint=None,
    )
    folder.staging.mkdir(parents=True)
    with Path(os.devnull).open("w") as nobody:
        phases.run(job, folder, Channel(os.dup(nobody.fileno())), lambda: False)


def test_every_kind_can_be_said_and_run(runnable: dict[Combination, Recipe]) -> None:
    assert {recipe.objective.kind for recipe in runnable.values()} == set(KINDS)
    assert len(runnable) > 5000


def test_a_refusal_names_a_field_that_exists_and_a_fix_that_helps(
    said: list[tuple[Combination, Recipe | FieldError]],
) -> None:
    refused = {refusal: combination for combination, refusal in said if isinstance(refusal, FieldError)}
    assert len(refused) > 10
    for refusal, combination in refused.items():
        assert exists(refusal.field), refusal
        advice = FIX.findall(refusal.fix)
        assert advice, f"nothing to be done about {refusal}"
        for path, out, value in advice:
            assert exists(path), refusal
            now = combination.changed(path, None if out else value).recipe()
            assert isinstance(now, Recipe) or now.message != refusal.message, f"{path} does not help: {refusal}"


FIX = re.compile(r"(?:[Ss]et|[Ll]eave|or|to) ([a-z_]+(?:\.[a-z_]+)+|sdc)(?: (out)|.*?to '?([a-z_0-9.]*[a-z_0-9]))")
"""Each thing a fix tells to do: the path, and that it is to be left out or what it is to be set to."""


def exists(path: str) -> bool:
    """Whether a recipe may have the field."""
    parts: list[type[Part]] = [Recipe]
    for name in path.split("."):
        holders = [part for part in parts if name in part.model_fields]
        if not holders:
            return False
        parts = [below for part in holders for below in parts_in(part.model_fields[name].annotation)]
    return True


def test_any_two_choices_that_may_meet_do_run_together(
    runnable: dict[Combination, Recipe], data: Path, tmp_path: Path
) -> None:
    chosen = pairwise(list(runnable))
    failed = {}
    for place_, combination in enumerate(chosen):
        recipe, folder = runnable[combination], JobFolder(tmp_path / str(place_), 1)
        try:
            run(recipe, data, folder)
            result = load(folder.staging)
            n = 2 * IPC * getattr(recipe.parameterize, "formation", 1)
            assert result.images.shape == (n, 1, 8, 8)
            assert np.isfinite(result.images).all()
            assert result.labels.tolist() == [0] * (n // 2) + [1] * (n // 2)
            assert (result.soft_labels is not None) == isinstance(recipe.labels, Learnable)
            assert result.soft_labels is None or np.allclose(result.soft_labels.sum(1), 1)
            assert (result.step_size is not None) == isinstance(recipe.objective, Trajectory | Performance)
        except Exception as error:  # whatever it is, the others are of interest too
            failed[str(combination)] = repr(error)
    assert not failed
    met = set().union(*(meetings(combination) for combination in chosen))
    assert met == set().union(*(meetings(combination) for combination in runnable))


def meetings(combination: Combination) -> set[tuple[Choice, Choice]]:
    return set(pairs(combination.choices, 2))
