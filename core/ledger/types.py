"""The values that cross the ledger's boundary: frozen, never database objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, final

Document = dict[str, Any]
"""A JSON object. Stored documents hold no NaN and no infinity: those become null."""

DISTILLATION: Final = "distillation"
"""The kind of a job whose request names none."""

Device = Literal["any", "cpu", "gpu"]
"""The kind of worker that a job may have: any, or one with or without a GPU."""
ANY: Final[Device] = "any"

UploadState = Literal["inspecting", "ready", "invalid"]

WebhookState = Literal["active", "failing", "disabled"]
DeliveryState = Literal["pending", "delivered", "failed"]
PartState = Literal["offered", "own", "held", "made"]

Sort = Literal["newest", "oldest", "accuracy", "ipc"]
"""The order of a list of jobs: by submission, either way; the most accurate first; the fewest images first."""

Outcome = Literal["created", "twin", "cached", "replayed"]
"""The outcome of a submission: a new job, an equal one in progress, an equal one done, an answer given before."""


@final
class Status(StrEnum):
    """Where a job stands.

    `cancelling` is a running job that has been asked to stop, `pausing` one that has been asked to wait. A `paused` job
    is no worker's until somebody resumes it.
    """

    QUEUED = "queued"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


HELD = frozenset({Status.RUNNING, Status.PAUSING, Status.CANCELLING})
"""A worker holds a lease on such a job."""

ENDED = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})
"""Nothing will happen to such a job any more, unless somebody retries it."""


@final
@dataclass(frozen=True)
class Reach:
    """The owner who asks the ledger, and whether they see everything or only their own.

    Without keys there is one owner, whose name is empty and who sees everything.
    """

    owner: str = ""
    everything: bool = True

    def sees(self, owner: str) -> bool:
        """Whether a thing of this owner may be seen; a thing without an owner is seen by a reach of everything only."""
        return self.everything or (owner != "" and owner == self.owner)


@final
@dataclass(frozen=True)
class Job:
    """A job as it stood at one moment; every time is aware and in UTC.

    `attempt` counts how often a worker has started the job, `losses` how often one was lost while holding it.
    `owner` is empty where nobody showed a key. `dataset_title` is how people call the dataset: of an upload the title
    it was given, else its name, and `dataset_digest` is of its content then, where that was there. `metadata` is what
    its client wrote on it, by key.
    `queue_position` is 1 for the job that is started next and null for a job that is not queued; in `queue_seconds` it
    is expected to start, by the forecasts of those before it, where these are known.
    `priority` is its place among its owner's own queued jobs: the higher the sooner. It may run on workers of the kind
    `runs_on`, and takes `memory_bytes` of memory at once at least, 0 where nobody knows; `waits_for` says what a queued
    job needs that no worker has which is there.
    `forecast` is what it was expected to cost, where that was known. `error` is
    `{code, type, message, phase, hint}`, and only a failed job has one. A job with `finish_requested_at` ends as soon
    as it has a result, which is no answer to an equal request.
    """

    id: str
    status: Status
    phase: str | None
    progress: Document | None
    attempt: int
    losses: int
    max_attempts: int
    worker_id: str | None
    dataset: str
    method: str
    ipc: int
    seed: int
    request: Document
    recipe: Document
    fingerprint: str | None
    metrics: Document | None
    forecast: Document | None
    error: Document | None
    owner: str
    queue_position: int | None
    queue_seconds: float | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested_at: datetime | None
    finish_requested_at: datetime | None
    updated_at: datetime
    dataset_title: str
    dataset_digest: str | None
    metadata: Mapping[str, str]
    priority: int
    runs_on: Device
    memory_bytes: int
    waits_for: str | None

    @property
    def kind(self) -> str:
        """The work that it is: a distillation, or what its request says, such as the measurements of advice."""
        return str(self.request.get("kind", DISTILLATION))


@final
@dataclass(frozen=True)
class Standing:
    """How far a job has come: its status, and the number of its last event."""

    status: Status
    last_seq: int


@final
@dataclass(frozen=True)
class Event:
    """Something that happened to a job. Numbers start at 1 and have no gaps within a job."""

    seq: int
    type: str
    at: datetime
    data: Document


@final
@dataclass(frozen=True)
class File:
    """A file of a finished job's artifact; `sha256` (64 hexadecimal digits) is its address in the store."""

    name: str
    bytes: int
    sha256: str
    media_type: str


@final
@dataclass(frozen=True)
class Submission:
    """The job that answers a submission, and whether it is a new one."""

    job: Job
    outcome: Outcome


@final
@dataclass(frozen=True)
class Needs:
    """The place of a job among its owner's own, and the workers that may have it; 0 bytes where nobody knows.

    `said` names the fields that its client has said: an equal job that is queued already takes these.
    """

    priority: int = 0
    device: Device = ANY
    memory_bytes: int = 0
    said: frozenset[str] = frozenset()


@final
@dataclass(frozen=True)
class Ability:
    """The jobs that a worker can take, by its GPU and the bytes they may take; None where it does not know."""

    gpu: bool | None = None
    memory_bytes: int | None = None

    @classmethod
    def read(cls, document: Document | None) -> Ability:
        """A worker's word on itself."""
        return cls(document.get("gpu"), document.get("memory_bytes")) if document else cls()

    def takes(self, needs: Needs) -> bool:
        """Whether it can take a job."""
        kind = self.gpu is None or needs.device in (ANY, "gpu" if self.gpu else "cpu")
        return kind and (self.memory_bytes is None or needs.memory_bytes <= self.memory_bytes)


NO_NEEDS: Final = Needs()
ABLE: Final = Ability()
"""A worker that takes any job."""


@final
@dataclass(frozen=True)
class Claim:
    """A worker's hold on a job. The attempt is the fencing token: every write of the worker is compared with it."""

    job: Job
    attempt: int


@final
@dataclass(frozen=True)
class Part:
    """Results that are made together: their file names, and the order by which another engine makes the same."""

    name: str
    conditions: str
    order: Document


@final
@dataclass(frozen=True)
class PartClaim:
    """A worker's hold on a part of another worker's job; `fence` is compared in every write."""

    job: Job
    part: Part
    fence: int


@final
@dataclass(frozen=True)
class Turn:
    """The next part that a job's own worker is to make, and how it stands with the others.

    `made` are the names of all parts that are made; `waits` is whether others still make some.
    """

    part: str | None
    waits: bool
    made: tuple[str, ...]


@final
@dataclass(frozen=True)
class Stored:
    """A file's address in the store."""

    sha256: str
    bytes: int


@final
@dataclass(frozen=True)
class Beat:
    """The answer to a heartbeat: does the worker still hold the job, and what has somebody asked of it?"""

    held: bool
    cancel_requested: bool = False
    pause_requested: bool = False
    finish_requested: bool = False


@final
@dataclass(frozen=True)
class Swept:
    """The ids of the jobs whose lease had expired, by what became of them."""

    requeued: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    cancelled: tuple[str, ...] = ()
    paused: tuple[str, ...] = ()

    def __add__(self, other: Swept) -> Swept:
        return Swept(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def __len__(self) -> int:
        return sum(map(len, astuple(self)))


@final
@dataclass(frozen=True)
class Worker:
    """A worker process that has announced itself; `calibration` is what it has measured of its hardware."""

    worker_id: str
    device: str
    hostname: str
    calibration: Document | None
    registered_at: datetime
    last_seen: datetime


@final
class UnknownJob(ValueError):
    """No job has this id."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"There is no job {job_id!r}: list the jobs there are with GET /v1/jobs.")
        self.job_id = job_id


@final
class IllegalTransition(ValueError):
    """The job's `status` does not allow what was asked; None where another job is in the way."""

    def __init__(self, message: str, status: Status | None = None) -> None:
        super().__init__(message)
        self.status = status


@final
class SourceGone(ValueError):
    """Something that the job is made of was deleted; `fix` says what to do."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


@final
class QuotaExceeded(ValueError):
    """The owner has as many open jobs as they may."""

    def __init__(self, allowed: int, current: int) -> None:
        super().__init__(f"{current} jobs are queued or running, and {allowed} may be.")
        self.allowed = allowed
        self.current = current


@final
class ResultsFull(ValueError):
    """The owner's finished jobs have as many bytes as they may, or will have once those that are open have ended."""

    def __init__(self, allowed: int, current: int, foreseen: int = 0, own: int = 0) -> None:
        coming = f" Your open jobs are forecast to bring {foreseen:,}." if foreseen else ""
        this = f" This one would bring {own:,}." if own else ""
        super().__init__(
            f"The files of your finished jobs have {current:,} bytes, and {allowed:,} may be kept.{coming}{this}"
        )
        self.allowed = allowed
        self.current = current


@final
class IdempotencyConflict(ValueError):
    """An idempotency key came again with another request."""

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was used for another request in the last 24 hours: "
            "send the same body again, or choose a new key."
        )
