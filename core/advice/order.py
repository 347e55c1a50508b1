"""The question that advice answers, as a client asks it, and what it means on a dataset."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Final, Self, final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.advice.measured import VERSION
from core.advice.study import LabelMode
from core.data import DatasetFacts
from core.durations import seconds_of
from core.recipe import FieldError, RecipeError, invalid_combination
from core.request import ENGINE_VERSION, Ipc, JobOrder, Target, Within, canonical_json, settle
from core.weight import Changes, bytes_of

KIND: Final = "advice"
"""The kind of the job that measures, and its method in lists of jobs: no method of the catalogue is called so."""


@final
class AdviceOrder(BaseModel):
    """A question before a job: how many images it takes, or what so many, or so many bytes of them, would be worth."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"oneOf": [{"required": ["ipc"]}, {"required": ["target"]}, {"required": ["bytes"]}]},
    )

    dataset: str = Field(min_length=1, max_length=200, description="Name of a dataset in GET /v1/datasets.")
    ipc: Ipc = Field(default_factory=int)
    target: Target = Field(default_factory=Target.model_construct, description="What is to be reached.")
    bytes: str = Field(
        default_factory=str,
        max_length=40,
        pattern=r"^[0-9]{1,12}(\.[0-9]{1,3})? ?([kKmMgG]i?)?[bB]?$",
        description="The bytes that a job's set may take in its compact file, all included: '200 kB'.",
    )
    within: Within = Field(
        default_factory=str,
        description="Time that a job may take: '20m', '90s', '1h'; the advice itself takes five minutes at most.",
    )
    labels: LabelMode = Field(default="hard", description="One class an image, or a trained network's probabilities.")

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        asked = self.model_fields_set & {"ipc", "target", "bytes"}
        if len(asked) != 1:
            raise invalid_combination(
                "ipc",
                "Nothing says what to advise on." if not asked else f"{' and '.join(sorted(asked))} are two questions.",
                "Give one of 'ipc' (images per class), 'target' (what to reach) and 'bytes' (room for them).",
            )
        return self


@final
@dataclass(frozen=True)
class Question:
    """A question on a dataset: images a class, an accuracy, or a share of the gap; one of the three."""

    ipc: int | None = None
    accuracy: float | None = None
    gap: float | None = None
    within: float | None = None
    """Seconds that a job may take."""
    room: int | None = None
    """The bytes that the ipc was made of."""
    stored: Changes = field(default_factory=dict)
    """The overrides of a job that fits into them."""


def question(order: AdviceOrder, facts: DatasetFacts) -> Question:
    """The question that an order means on a dataset.

    Raises:
        RecipeError: no class has so many images, or the bytes hold less than one of each.
    """
    within = seconds_of(order.within) if order.within else None
    if "target" in order.model_fields_set:
        return Question(accuracy=order.target.accuracy or None, gap=order.target.gap or None, within=within)
    if "bytes" in order.model_fields_set:
        room = _bytes(order.bytes)
        asked = settle(JobOrder(dataset=order.dataset, bytes=f"{room} B", labels=order.labels), facts)
        return Question(ipc=asked.ipc, within=within, room=room, stored=asked.overrides)
    ipc = order.ipc
    if ipc > facts.smallest_class:
        raise RecipeError(
            [
                FieldError(
                    "ipc",
                    f"The smallest class of '{facts.label}' has {facts.smallest_class} training images.",
                    f"Set ipc to at most {facts.smallest_class}.",
                )
            ]
        )
    return Question(ipc=ipc, within=within)


def fingerprint(digest: str, labels: LabelMode) -> str:
    """Identity of the measurements: whatever is asked of a dataset, they are the same."""
    identity: dict[str, Any] = {"kind": KIND, "version": VERSION, "engine": ENGINE_VERSION}
    identity |= {"dataset": digest, "labels": labels}
    return "sha256:" + hashlib.sha256(canonical_json(identity).encode()).hexdigest()


def _bytes(text: str) -> int:
    """The bytes of a size, of whose unit the B may be left out."""
    return bytes_of(text if text[-1] in "bB" else f"{text}B")
