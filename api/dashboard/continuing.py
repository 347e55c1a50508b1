"""The forms on a finished job's page that go on from its result, filled in as the job was asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, final

from api.dashboard.schema_fields import spelled
from api.schemas import Job
from core.methods import AUTO

_TEACHER: Final = {"epochs": 15}
_STILL: Final = ("nothing", "generative")
"""Kinds of objectives that move no image."""


@final
@dataclass(frozen=True)
class Continuing:
    """The fields of the new job's form: of one that distils further, and of one that only gives other labels."""

    further: dict[str, str]
    """Fields that are sent as they are; steps, size and time are the user's."""
    steps: int
    labels: dict[str, str]


def continuing(job: Job) -> Continuing | None:
    """Both forms; None where the job has no result."""
    if not job.links.archive:
        return None
    recipe = job.recipe
    moves = job.method != AUTO and recipe.get("objective", {}).get("kind") not in _STILL
    basis = {"dataset": job.dataset, "continue_from": job.id}
    # The images live in the space of this preprocessing, whatever a method's own is.
    space = {f"recipe.preprocess.{name}": spelled(value) for name, value in recipe.get("preprocess", {}).items()}
    network = {f"recipe.network.{name}": spelled(value) for name, value in recipe.get("network", {}).items()}
    taught = {"recipe.relabel.kind": "soft", "recipe.teacher": json.dumps(_TEACHER)}
    labels = {**basis, "method": "random", "ipc": str(job.ipc), **space, **network, **taught}
    steps = int(recipe.get("schedule", {}).get("steps", 0))
    if moves:
        return Continuing({"from": job.id, "continue_from": job.id}, steps, labels)
    return Continuing({**basis, "method": "dm", **space, **network}, 1000, labels)
