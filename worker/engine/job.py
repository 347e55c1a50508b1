"""The job that an attempt is to run, as its folder describes it, and how this machine runs it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch

from core.forecast import Calibration, Within
from core.hardware import described
from core.plan.race import Entrants
from core.plan.sizing import Sizing
from core.recipe import Recipe
from core.request import JobRequest


@dataclass(frozen=True)
class Job:
    """The content of `job.json`."""

    job_id: str
    attempt: int
    request: JobRequest
    recipe: Recipe
    data_dir: Path
    experts_dir: Path
    expert_cache_bytes: int
    device: str
    compile: str
    checkpoint_interval: float
    fingerprint: str | None
    dataset_title: str
    dataset_digest: str | None = None
    """Digest of the content that the dataset is to have; None of a job that any will do for."""
    fit: Within | None = None
    """The forecast's entry on the time it has, of a job that has one."""
    began: float | None = None
    """When the attempt did, by the system's monotonic clock."""
    searching: Entrants | Sizing | None = None
    """The candidates that race, or the search for a size, where the recipe is what they share."""
    calibration: Calibration | None = None
    """The measurement of this machine that the candidates of a size are fitted by."""
    help_above: float | None = None
    """Seconds of a step's work left above which other workers are asked to help; None where nobody can be asked."""
    shares_results: bool = False
    """Whether results that jobs share go from worker to worker through the store."""

    @classmethod
    def read(cls, job_dir: Path) -> Self:
        """The job of a folder."""
        content: dict[str, Any] = json.loads((job_dir / "job.json").read_text())
        return cls(
            job_id=content["job_id"],
            attempt=content["attempt"],
            request=JobRequest.model_validate(content["request"]),
            recipe=Recipe.model_validate(content["recipe"]),
            data_dir=Path(content["data_dir"]),
            experts_dir=Path(content["experts_dir"]),
            expert_cache_bytes=content["expert_cache_bytes"],
            device=content["device"],
            compile=content.get("compile", "auto"),
            checkpoint_interval=content["checkpoint_interval"],
            fingerprint=content.get("fingerprint"),
            dataset_title=content.get("dataset_title") or content["request"]["dataset"],
            dataset_digest=content.get("dataset_digest"),
            fit=Within.model_validate(content["within"]) if content.get("within") else None,
            began=content.get("began"),
            searching=_searching(content),
            calibration=Calibration.model_validate(content["calibration"]) if content.get("calibration") else None,
            help_above=content.get("help_above"),
            shares_results=content.get("shares_results", False),
        )


def _searching(content: Mapping[str, Any]) -> Entrants | Sizing | None:
    if content.get("sizing"):
        return Sizing.model_validate(content["sizing"])
    return Entrants.model_validate(content["entrants"]) if content.get("entrants") else None


def device(name: str) -> torch.device:
    """The device a setting means."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def hardware(device: torch.device) -> str:
    """The GPU's name, or the processor's with the number of threads the engine takes."""
    return described(torch.get_num_threads(), torch.cuda.get_device_name(device) if device.type == "cuda" else None)


def use_threads(shape: tuple[int, int, int]) -> None:
    """One thread for images so small that handing work around costs more than it saves.

    A step on 8x8 images takes two threads three times as long as one.
    """
    if shape[1] * shape[2] <= 256:
        torch.set_num_threads(1)
