"""The selecting phase in this process: what networks say is kept network by network, and shared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from core.data import Catalogue
from core.data.digits import digits
from core.recipe import RecipeError
from tests.data.bundles import place
from tests.worker.test_engine import here

SMALL = {
    "network.width": 4,
    "evaluation.epochs": 2,
    "evaluation.seeds": 1,
    "evaluation.full": None,
    "evaluation.baseline_lrs": [0.01],
}


def attempt(root: Path, stop_after: int | None = None, **fields: Any) -> list[dict[str, Any]]:
    """The messages of a job in this process, to its end or until it was drained."""
    return here(root, stop_after, **fields).messages


def test_scores_of_a_file_choose_the_window(tmp_path: Path) -> None:
    """Without a network; scores that were exchanged since the job was submitted are refused."""
    labels = digits().train.labels
    scores = np.random.default_rng(0).uniform(size=len(labels))
    data = tmp_path / "data"
    path = place(data / "scores", "digits", {"scores": scores, "labels": labels})
    window = {"method": "window", "ipc": 3, "data_dir": data, "overrides": SMALL | {"init.score.kind": "c_score"}}
    said = attempt(tmp_path / "job", **window)
    assert not any(m.get("phase") == "selecting" for m in said if m["type"] == "progress")
    dataset = Catalogue(data).load("digits", scored=True)
    assert dataset.c_scores is not None
    bundle = np.load(tmp_path / "job" / "staging" / "1" / "dataset.npz")
    for c in range(10):
        members = np.flatnonzero(dataset.train.labels == c)
        easiest_last = members[np.argsort(dataset.c_scores[members])]
        first = len(members) // 2  # half of the class is harder
        expected = dataset.train.images[easiest_last[first : first + 3][::-1], 0]
        assert np.array_equal(bundle["x_train"][bundle["y_train"] == c], expected)
    recipe = json.loads((tmp_path / "job" / "staging" / "1" / "recipe.json").read_text())["recipe"]
    digest = recipe["init"]["score"]["digest"]
    assert digest == Catalogue(data).c_scores("digits").digest

    place(data / "scores", "digits", {"scores": 1 - scores, "labels": labels})
    asked = window["overrides"] | {"init.score.digest": digest}  # type: ignore[operator]
    with pytest.raises(RecipeError, match="The C-scores beside the dataset are others"):
        attempt(tmp_path / "later", **window | {"overrides": asked})
    assert path.exists()


def cached(said: list[dict[str, Any]]) -> list[str]:
    return [m["message"] for m in said if m["type"] == "log" and "in the cache" in m["message"]]


def test_scores_outlive_a_stop_and_are_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two networks at a time of five; a step of them is a place to stop, and each epoch has 21."""
    monkeypatch.setattr("core.engine.kept.stack_for", lambda *_: 2)
    score = {"init.score.networks": 5, "init.score.epochs": 2}
    window = {"method": "window", "overrides": SMALL | score, "ipc": 3}
    first = attempt(tmp_path / "first", stop_after=60, **window)
    assert cached(first) == ["The scores of 0 of 5 networks were in the cache."]
    second = attempt(tmp_path / "second", **window)
    assert cached(second) == ["The scores of 2 of 5 networks were in the cache."]
    told = [m for m in second if m["type"] == "progress" and m["phase"] == "selecting"]
    assert [(m["done"], m["total"]) for m in (told[0], told[-1])] == [(0, 210), (210, 210)]
    assert told[0]["skipped"] == 84
    fewer = {"init.score.networks": 4, "init.beta": 0.1}
    other = attempt(tmp_path / "other", seed=3, **window | {"overrides": SMALL | score | fewer})
    assert cached(other) == ["The scores of 4 of 4 networks were in the cache."]


def test_the_network_that_embeds_is_shared(tmp_path: Path) -> None:
    """By every choice that compares features; what it is read back as chooses the same images."""
    changes = SMALL | {"init.embedding.epochs": 1, "network.norm": "batch"}
    said = {
        name: attempt(tmp_path / name, method=method, ipc=2, overrides=changes)
        for name, method in (("first", "herding"), ("again", "herding"), ("other", "k-means"))
    }
    assert [len(cached(lines)) for lines in said.values()] == [0, 1, 1]
    first, again, other = (
        safetensors.numpy.load_file(tmp_path / name / "staging" / "1" / "dataset.safetensors")["images"]
        for name in said
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
