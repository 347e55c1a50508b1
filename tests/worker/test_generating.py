"""A generator is trained once, whatever is asked of it later, and goes on where it was stopped."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from core.recipe import RecipeError
from core.settings import Settings
from tests.data.bundles import place, sound
from tests.worker.test_selecting import SMALL, attempt
from worker.engine import meta

GENERATOR = SMALL | {
    "init.width": 2,
    "init.meta.tasks": 2,
    "init.meta.inner_steps": 3,
    "init.steps": 6,
    "init.real_batch": 40,
    "labels.networks": 2,
    "evaluation.coverage": None,
}


def images(root: Path) -> np.ndarray[Any, Any]:
    found: np.ndarray[Any, Any] = safetensors.numpy.load_file(root / "staging" / "1" / "dataset.safetensors")["images"]
    return found


def logs(said: list[dict[str, Any]]) -> list[str]:
    return [m["message"] for m in said if m["type"] == "log" and "generator" in m["message"].lower()]


def test_every_size_comes_from_one_generator(tmp_path: Path) -> None:
    asked = {"method": "mgdd", "overrides": GENERATOR}
    first = attempt(tmp_path / "first", ipc=1, **asked)
    assert "meta-trained now, on subsets of the classes of digits" in logs(first)[0]
    for ipc, seed in ((3, 0), (1, 5)):
        later = attempt(tmp_path / f"{ipc}-{seed}", ipc=ipc, seed=seed, **asked)
        assert logs(later) == ["The generator, adapted to this dataset, was in the cache."]
        assert len(images(tmp_path / f"{ipc}-{seed}")) == 10 * ipc


@pytest.mark.parametrize("stop_after", [5, 11])
def test_a_generator_goes_on_where_it_was_stopped(stop_after: int, tmp_path: Path) -> None:
    """While it is meta-trained, and while it is adapted."""
    asked = {"method": "mgdd", "overrides": GENERATOR, "ipc": 1}
    attempt(tmp_path / "a" / "whole", **asked)
    stopped = attempt(tmp_path / "b" / "parts", stop_after=stop_after, **asked)
    assert not any(m.get("phase") == "evaluating" for m in stopped)
    shutil.rmtree(tmp_path / "b" / "parts" / "staging")
    attempt(tmp_path / "b" / "parts", **asked)
    assert np.array_equal(images(tmp_path / "a" / "whole"), images(tmp_path / "b" / "parts"))


def test_a_source_is_meta_trained_on_ahead_of_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the documented command, with the settings the job will have."""
    data = tmp_path / "data"
    place(data, "other", sound(30))
    monkeypatch.setattr(meta, "settings", lambda: Settings(home=tmp_path, data_dir=data))
    settings = {path: value for path, value in GENERATOR.items() if path.startswith(("init.", "network."))}
    changes = [f"--set={path}={value}" for path, value in settings.items()]
    assert meta.main(["digits", "--source", "other", *changes]) == 0
    said = attempt(
        tmp_path / "job", method="mgdd", ipc=1, data_dir=data, overrides=GENERATOR | {"init.source": "other"}
    )
    assert logs(said)[0] == "The generator, meta-trained on subsets of the classes of other, was in the cache."


def test_a_source_of_other_channels_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    data = tmp_path / "data"
    place(data, "coloured", sound(30, colour=True))
    with pytest.raises(RecipeError, match="cannot be adapted to images of 1"):
        attempt(
            tmp_path / "job", method="mgdd", ipc=1, data_dir=data, overrides=GENERATOR | {"init.source": "coloured"}
        )
    monkeypatch.setattr(meta, "settings", lambda: Settings(home=tmp_path, data_dir=data))
    assert meta.main(["digits", "--source", "coloured"]) == 2
    assert "Name a source with as many channels" in capsys.readouterr().err
