"""One attempt's work bench: the job, its data and network, and where it may write."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from core.data import Dataset
from core.engine.generative.generator import Generator
from core.engine.kernels import Eager, Kernels
from core.engine.keys import Key
from core.engine.networks import Network, SquaredError
from core.engine.real import Real
from core.hardware import described
from core.plan.cache_names import CacheNames
from core.recipe import Recipe
from core.request import JobRequest
from worker.engine.cache import Cache
from worker.engine.channel import Channel
from worker.engine.plan import Plan
from worker.protocol import JobFolder


class Drained(Exception):
    """Told to stop, and did, with everything in the checkpoint."""


@dataclass(frozen=True)
class Job:
    """What `job.json` says."""

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
        )


@dataclass(frozen=True)
class Sampled:
    """A trained generator and the images it drew, [K * ipc, C, H, W]; `selection` says how they came to be these.

    `facts` and `doubts` are of the report.
    """

    generator: Generator
    images: Tensor
    selection: str
    facts: dict[str, Any]
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class Bench:
    """What every phase works with."""

    job: Job
    folder: JobFolder
    channel: Channel
    stopped: Callable[[], bool]
    cache: Cache
    dataset: Dataset
    real: Real
    network: Network
    plan: Plan
    key: Key
    sweep: dict[str, Any] | None = None
    """Of the report: the windows of difficulty that were tried, and which was chosen."""
    probes: tuple[dict[str, Any], ...] = ()
    """Of the report: each field that a probe chose, what it chose and why, and the candidates with their figures."""
    sampled: Sampled | None = None
    """Where the recipe has a generator."""

    @property
    def names(self) -> CacheNames:
        """Of what this job keeps for later ones."""
        return CacheNames(self.job.recipe, self.dataset.facts.digest, self.real.shape)

    @property
    def kernels(self) -> Kernels:
        """What every training is done with."""
        return self.plan.kernels

    @property
    def judging(self) -> Kernels:
        """What networks are trained with on the synthetic set and on as many real images: by its kind of labels."""
        return Eager(self.network, SquaredError) if self.job.recipe.regresses else self.kernels

    def breathe(self) -> None:
        """Called wherever stopping loses nothing.

        Raises:
            Drained: the attempt was told to stop.
        """
        if self.stopped():
            raise Drained


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
