"""One attempt at measuring for advice: the study of a job, measured in a workspace on disk, and its files."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from core.advice.study import Study
from core.artifacts.advice import build_advice
from core.data import Catalogue
from core.engine.advice import measure
from core.engine.cache import Cache
from core.engine.journal import Journal
from core.request import ENGINE_VERSION
from worker.engine.crew import Crew, Line
from worker.engine.disk_workspace import ASKED, DiskWorkspace
from worker.engine.job import device, hardware, use_threads
from worker.protocol import JobFolder


def advise(
    job: Mapping[str, Any], folder: JobFolder, journal: Journal, stopped: Callable[[], bool], line: Line | None = None
) -> dict[str, Any]:
    """Measure the study of a job, as `job.json` has it, into the staging folder; returns the metrics of the job object.

    By the `line` it reaches other workers.

    Raises:
        Drained: it was told to stop first; what was measured is in the checkpoint.
    """
    folder.checkpoint.mkdir(parents=True, exist_ok=True)
    journal.enter("preparing", 1)
    dataset = Catalogue(Path(job["data_dir"])).load(job["request"]["dataset"], digest=job.get("dataset_digest"))
    use_threads(dataset.facts.shape)
    journal.progress(1, 1)
    on, crew, shares = device(job["device"]), None, job.get("shares_results", False)
    if line is not None and job.get("help_above") is not None:
        crew = Crew(line, journal, job["help_above"], on)
    workspace = DiskWorkspace(
        journal=journal,
        cache=Cache(Path(job["experts_dir"]), job["expert_cache_bytes"]),
        folder=folder.checkpoint,
        interval=job["checkpoint_interval"],
        should_stop=stopped,
        time_left=lambda: 0.0 if folder.finish.exists() else math.inf,
        crew=crew,
        fetch=crew.fetch if crew and shares else lambda name: False,
        kept=crew.kept if crew and shares else lambda name: None,
    )
    study = Study.model_validate(job["recipe"])
    measured = measure(study, dataset, workspace, device=on, hardware=hardware(on))
    journal.enter("publishing", 1)
    provenance = {
        "fingerprint": job.get("fingerprint"),
        "seeds": {"advice": 0},
        "versions": {name: version(name) for name in ("stillhouse", "torch", "numpy", "scipy")}
        | {"engine": ENGINE_VERSION},
        "timings": {"measuring": measured.seconds},
    }
    title = job.get("dataset_title") or dataset.facts.label
    build_advice(folder.staging, measured, title, job["request"], provenance)
    journal.progress(1, 1)
    journal.leave()
    points, left_out = len(measured.points), len(measured.left_out)
    ended = ASKED if left_out and folder.finish.exists() else None
    return {"seconds": measured.seconds, "points": points, "left_out": left_out, "ended": ended}
