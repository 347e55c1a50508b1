"""From the engine's tensors to the numpy record the artifact is built from."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.artifacts import Distilled
from core.engine.memory import peak_mib
from core.engine.report import compose, curriculum_of
from core.engine.synthetic import SyntheticDataset
from core.request import ENGINE_VERSION
from worker.engine.bench import Bench

_VERSIONED = ("stillhouse", "torch", "numpy", "safetensors", "pyarrow")


def distilled(
    bench: Bench,
    result: SyntheticDataset,
    rows: list[dict[str, Any]],
    coverage: dict[str, Any] | None,
    selection: str,
) -> Distilled:
    """Everything the artifact says and holds."""
    job, facts = bench.job, bench.dataset.facts
    bench.channel.leave()
    phases = {phase: round(seconds, 3) for phase, seconds in bench.channel.seconds.items()}
    images = result.images.cpu().numpy().astype(np.float32)
    soft = None if result.soft_labels is None else result.soft_labels.cpu().numpy().astype(np.float32)
    transform = {name: array.cpu().numpy() for name, array in result.transform.arrays.items()}
    needed = [images, *([] if soft is None else [soft]), *(transform[n] for n in transform if n != "unwhiten")]
    report = compose(
        job.recipe,
        facts,
        rows,
        bytes_after=sum(array.nbytes for array in needed) + len(images),
        phases=phases,
        peak_memory_mib=round(peak_mib(bench.real.device), 1),
        memory=bench.plan.memory,
        kernels=bench.plan.reason,
        device=_hardware(bench.real.device),
        selection=selection,
        real=int(result.real.sum()),
        sweep=bench.sweep,
        coverage=coverage,
        stages=curriculum_of(job.recipe, result),
        warnings=[],
    )
    return Distilled(
        images=images,
        labels=result.labels.cpu().numpy().astype(np.int64),
        soft_labels=soft,
        pixels=result.transform.inverse(result.images).cpu().numpy(),
        real=result.real.cpu().numpy(),
        step_size=result.step_size,
        stage=None if result.stage is None else result.stage.cpu().numpy().astype(np.int64),
        step_sizes=result.step_sizes,
        transform={"kind": result.transform.kind, **transform},
        facts=facts,
        request=job.request.model_dump(mode="json"),
        recipe=job.recipe.model_dump(mode="json"),
        report=report,
        metrics=bench.channel.curves(),
        provenance={
            "fingerprint": job.fingerprint,
            "engine_version": ENGINE_VERSION,
            "commit": _commit(),
            "versions": {"python": platform.python_version(), **{name: version(name) for name in _VERSIONED}},
            "hardware": report["device"],
            "seeds": {"request": job.request.seed, "evaluation": list(range(job.recipe.evaluation.seeds))},
            "timings": phases,
        },
    )


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()}, {torch.get_num_threads()} threads of {os.cpu_count()} cores"


def _commit() -> str | None:
    """The commit the service runs from, if it runs from a checkout."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()
