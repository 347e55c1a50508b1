"""The training_generator phase in this process: it outlives a stop and a crash, is shared, and is handed over."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch

from core.artifacts import verify
from core.engine.diffusion import generator
from core.engine.workspace import Drained
from tests.artifacts.agreement import agree
from tests.worker.test_engine import run
from worker.engine.attempt import run as run_job
from worker.engine.channel import open_channel
from worker.engine.job import Job

SMALL = {
    "network.width": 4,
    "objective.autoencoder": {"kind": "kl", "factor": 2, "width": 4, "steps": 4, "batch_size": 8},
    "objective.denoiser": {"width": 8, "depth": 3, "heads": 2, "steps": 6, "batch_size": 8, "patch": 1},
    "objective.sampler_steps": 2,
    "objective.judge": {"epochs": 1, "batch_size": 64},
    "evaluation.epochs": 2,
    "evaluation.seeds": 1,
    "evaluation.full": None,
    "evaluation.baseline_lrs": [0.01],
}


class Crash(BaseException):
    """As if the process ended here."""


def attempt(root: Path, stop_after: int | None = None, crash: bool = False, **fields: Any) -> list[dict[str, Any]]:
    """Run a job, or end it at the so-manieth step of the generator's training; what it said."""
    made = run(root, method="diffusion", **{"overrides": SMALL, **fields})
    made.folder.staging.mkdir(parents=True, exist_ok=True)
    asked = 0

    def stopped() -> bool:
        nonlocal asked
        asked += channel.phase == "training_generator"
        if asked == stop_after and crash:
            raise Crash
        return asked == stop_after

    with (root / "channel").open("w") as file:
        channel = open_channel(os.dup(file.fileno()))
    if stop_after is None:
        run_job(Job.read(root), made.folder, channel, stopped)
    else:
        with pytest.raises(Crash if crash else Drained):
            run_job(Job.read(root), made.folder, channel, stopped)
    return [json.loads(line) for line in (root / "channel").read_text().splitlines()]


def images(root: Path) -> np.ndarray[Any, Any]:
    return safetensors.numpy.load_file(staged(root) / "dataset.safetensors")["images"]


def staged(root: Path) -> Path:
    return root / "staging" / "1"


def training(said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [m for m in said if m["type"] == "progress" and m["phase"] == "training_generator"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("undisturbed") / "job"
    attempt(root)
    return root


@pytest.mark.parametrize(("step", "crash"), [(3, False), (7, False), (2, True), (8, True)])
def test_a_training_that_was_stopped_or_killed_goes_on_and_ends_the_same(
    undisturbed: Path, tmp_path: Path, step: int, crash: bool
) -> None:
    """A drain keeps the step it comes in, as does a crash where every step is stored."""
    attempt(tmp_path / "job", stop_after=step, crash=crash)
    said = attempt(tmp_path / "job")
    assert f"Resumed the generator's training at step {step} of 10." in [m.get("message") for m in said]
    assert np.array_equal(images(tmp_path / "job"), images(undisturbed))
    kept = generator.load(staged(tmp_path / "job")), generator.load(staged(undisturbed))
    for name, weight in kept[0].weights.items():
        assert torch.equal(weight, kept[1].weights[name]), name


def test_a_job_of_another_size_takes_the_generator_that_is_there(undisturbed: Path) -> None:
    """Whatever its seed and its guidance; its first images are those of a smaller set of the same seed."""
    root = undisturbed.parent
    said = attempt(root / "larger", ipc=3)
    assert training(said)[0]["skipped"] == training(said)[0]["total"] == 10
    assert len(training(said)) == 2
    assert np.allclose(images(root / "larger")[::3], images(undisturbed), atol=1e-5)
    other = attempt(root / "other", seed=1, overrides=SMALL | {"objective.guidance": 2.0, "network.width": 8})
    assert training(other)[0]["skipped"] == 10
    assert not np.array_equal(images(root / "other"), images(undisturbed))
    again = attempt(root / "longer", overrides=SMALL | {"objective.denoiser.steps": 7})
    assert training(again)[0].get("skipped", 0) == 0


def generate(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", folder / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["generate"] = module  # its dataclasses look for it there
    spec.loader.exec_module(module)
    return module


def test_the_artifact_holds_the_generator_and_draws_more(undisturbed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = staged(undisturbed)
    assert verify(folder) == []
    report = json.loads((folder / "report.json").read_text())
    facts = report["generator"]
    assert "generator" in agree(folder)
    assert facts["published"]
    assert (folder / "generator.safetensors").stat().st_size > facts["bytes"] == 4 * facts["parameters"] > 0
    assert 0 <= facts["agreement"] < 0.7
    assert any("Under-trained generator" in warning for warning in report["warnings"])
    assert report["compression"]["images_real"] == 0
    assert report["selection"] == "samples of the generator"
    module = generate(folder)
    labels = torch.arange(10).repeat_interleave(2)
    assert np.isfinite(module.load().draw(labels, seed=1).numpy()).all()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "load", raising=False)
    monkeypatch.setattr(sys, "argv", ["generate.py", str(undisturbed / "more.npz"), "--ipc", "2", "--seed", "1"])
    module.main()
    sys.modules.pop("load")
    with np.load(undisturbed / "more.npz") as more:
        assert more["x_train"].shape == (20, 8, 8)
        assert more["x_train"].dtype == np.uint8
        assert more["y_train"].tolist() == labels.tolist()
    assert "generate" in (folder / "README.md").read_text()


def test_samples_are_chosen_and_the_generator_may_stay_at_home(undisturbed: Path) -> None:
    root = undisturbed.parent / "chosen"
    attempt(root, overrides=SMALL | {"objective.candidates": 3, "objective.publish": False})
    names = {path.name for path in staged(root).iterdir()}
    assert not names & {"generator.safetensors", "generate.py"}
    report = json.loads((staged(root) / "report.json").read_text())
    assert report["generator"]["samples"] == 30
    assert report["selection"] == "samples that the judge chose"
