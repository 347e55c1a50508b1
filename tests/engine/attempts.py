"""Attempts at whole jobs as the engine's process makes them, in this one: on two classes of digits, to the artifact."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from core.data import Catalogue
from core.recipe import Recipe
from core.request import JobRequest, check
from tests.data.bundles import place, sound
from worker.engine.attempt import run as run_job
from worker.engine.channel import open_channel
from worker.engine.job import Job
from worker.protocol import JobFolder


def two_classes(folder: Path) -> Path:
    """A folder with two classes of digits, 20 images of each, and C-scores of them."""
    arrays = {name: part[: 2 * 20] for name, part in sound(20).items()}
    place(folder, "two", arrays | {"class_names": np.array(["zero", "one"])})
    place(folder / "scores", "two", {"scores": np.linspace(0, 1, 2 * 20), "labels": arrays["y_train"]})
    return folder


def attempt(
    recipe: Recipe,
    ipc: int,
    data: Path,
    folder: JobFolder,
    *,
    device: str = "cpu",
    stopped: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """The metrics of a job that is run in its folder, or goes on from what lies there; `data` keeps its cache."""
    request = JobRequest(dataset="two", ipc=ipc, method="mtt")
    check(recipe, request, Catalogue(data).facts("two"))
    job = Job(
        job_id="job_test",
        attempt=1,
        request=request,
        recipe=Recipe.model_validate_json(recipe.model_dump_json()),
        data_dir=data,
        experts_dir=data / f"experts-{device}",
        expert_cache_bytes=2**30,
        device=device,
        compile="never",
        checkpoint_interval=3600,
        fingerprint=None,
        dataset_title="two",
    )
    folder.staging.mkdir(parents=True, exist_ok=True)
    with Path(os.devnull).open("w") as nobody:
        return run_job(job, folder, open_channel(os.dup(nobody.fileno())), stopped)
