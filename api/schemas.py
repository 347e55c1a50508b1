"""The JSON that clients read: the job object and its relatives. Absent values are null, never missing."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from api.pagination import Page
from core import ledger
from core.forecast import Forecast
from core.ledger import Status
from core.plan.phases import PHASES
from core.report import Section


class Shown(BaseModel):
    """Frozen data on its way out."""

    model_config = ConfigDict(frozen=True)


class PhaseProgress(Shown):
    """How far one phase is."""

    done: float | None = Field(default=None, description="In the phase's own unit: experts, outer steps, networks.")
    total: float | None = None
    seconds: float | None = Field(default=None, description="Seconds the phase has taken so far.")
    skipped: float | None = Field(default=None, description="How much of it was there before: experts in the cache.")


class Progress(Shown):
    """How far the current attempt is."""

    phase: str | None = None
    done: float | None = None
    total: float | None = None
    eta_seconds: float | None = Field(
        default=None,
        description="Seconds until the job is over, all phases that are still to come included; null where nobody can "
        "tell, and for a job that is not running.",
    )
    phase_eta_seconds: float | None = Field(default=None, description="The same of the current phase alone.")
    phases: dict[str, PhaseProgress] = Field(default={}, description="Every phase that has begun, in order.")


class JobError(Shown):
    """Why a job failed."""

    model_config = ConfigDict(frozen=True, extra="allow")

    code: str = Field(description="Stable; more codes may come.", examples=["dataset_unavailable"])
    type: str | None = Field(default=None, description="The exception's name, for readers of the code.")
    message: str
    phase: str | None = Field(default=None, description="The phase it happened in.")
    hint: str | None = Field(default=None, description="What to do about it.")


class Links(Shown):
    """Where to go from here; null where there is nothing (yet)."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True)

    itself: str = Field(alias="self")
    html: str
    events: str
    cancel: str | None
    pause: str | None
    resume: str | None
    finish: str | None
    retry: str | None
    delete: str | None
    files: str | None
    archive: str | None
    preview: str | None
    report: str | None

    @classmethod
    def of(cls, job: ledger.Job) -> Self:
        """The links that work for a job in this status."""
        base = f"/v1/jobs/{job.id}"
        done, shown = job.status == "succeeded", job.status == "succeeded" and job.kind == ledger.DISTILLATION
        return cls(
            self=base,
            html=f"/jobs/{job.id}",
            events=f"{base}/events",
            cancel=f"{base}/cancel" if job.status not in ledger.ENDED else None,
            pause=f"{base}/pause" if job.status in ("queued", "running") else None,
            resume=f"{base}/resume" if job.status in ("pausing", "paused") else None,
            finish=f"{base}/finish" if _can_finish(job) else None,
            retry=f"{base}/retry" if job.status in ("failed", "cancelled") else None,
            delete=base if job.status in ledger.ENDED else None,
            files=f"{base}/files" if done else None,
            archive=f"{base}/archive.zip" if done else None,
            preview=f"{base}/preview.png" if shown else None,
            report=f"{base}/report" if shown else None,
        )


class Job(Shown):
    """A distillation job, or one that measures for advice."""

    object: Literal["job"] = "job"
    id: str = Field(description="Opaque; later jobs sort after earlier ones.")
    kind: str = Field(description="'distillation', or 'advice': measurements that `POST /v1/advice` asked for.")
    status: Status
    phase: str | None = Field(description=f"Inside `running`: {', '.join(PHASES)}.")
    dataset: str
    dataset_title: str = Field(description="How people call the dataset: of an upload its title, else its name.")
    dataset_digest: str | None = Field(
        description="Digest of the dataset's content when the job was submitted, with which alone it runs; null where "
        "it was not on disk."
    )
    method: str
    ipc: int | None = Field(
        description="Images per class; null for advice, which makes none. Of a job with a target those from which it "
        "looks for fewer or more, and those that it found once it has succeeded."
    )
    seed: int
    cached: bool = Field(description="Whether this answer to a submission is the finished job of an equal request.")
    queue_position: int | None = Field(description="While queued: 1 is next.")
    priority: int = Field(description="Place among its owner's own queued jobs: the higher the sooner.")
    runs_on: ledger.Device = Field(description="The workers that may run it.")
    memory_bytes: int = Field(description="Bytes of memory that it takes at once at least; 0 where nobody knows.")
    waits_for: str | None = Field(
        description="While queued: what it needs that no worker has which is there; null where one has, or none is."
    )
    queue_seconds: float | None = Field(
        description="While queued: seconds until a worker is expected to take it, by the forecasts of the jobs before "
        "it; null where nobody can tell."
    )
    progress: Progress | None
    metrics: dict[str, Any] | None = Field(description="What the result is worth, once it is known.")
    forecast: Forecast | None = Field(description="What it was expected to cost, hardware and error bars included.")
    error: JobError | None
    attempt: int = Field(description="Times a worker has started this job.")
    losses: int = Field(description="Attempts that ended with the worker, not the work.")
    max_attempts: int
    worker: str | None = Field(description="The worker that has it now.")
    request: dict[str, Any] = Field(
        description="What was asked for: the size as `ipc`, `within` in seconds, `share` and the fields of `storage` "
        "among the overrides; `target`, `labels` and `continue_from` where they say something."
    )
    recipe: dict[str, Any] = Field(description="What that means, completely.")
    fingerprint: str | None = Field(description="Equal requests on equal data have equal fingerprints.")
    metadata: dict[str, str] = Field(description="Words to find it by, as they came with the first such request.")
    owner: str = Field(description="Whose it is; empty where nobody shows a key.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested_at: datetime | None
    finish_requested_at: datetime | None = Field(
        description="When it was asked to end with what there is. Such a result is no answer to an equal request; null "
        "again where the job was whole by then."
    )
    updated_at: datetime
    links: Links

    @classmethod
    def of(cls, job: ledger.Job, *, cached: bool = False) -> Self:
        """The job as the ledger has it."""
        return cls.model_validate(
            {
                **{name: value for name, value in vars(job).items() if name in cls.__pydantic_fields__},
                "kind": job.kind,
                "ipc": job.ipc or None,
                "worker": job.worker_id,
                "progress": _progress(job),
                "cached": cached,
                "links": Links.of(job),
            }
        )


def _can_finish(job: ledger.Job) -> bool:
    return job.finish_requested_at is None and job.status in ("queued", "running", "pausing", "paused")


def _progress(job: ledger.Job) -> dict[str, Any] | None:
    if job.progress is None:
        return None
    runs = job.status == ledger.Status.RUNNING
    return {
        "phase": job.phase,
        **job.progress,
        "eta_seconds": ledger.remaining(job.phase, job.progress, job.forecast) if runs else None,
        "phase_eta_seconds": ledger.phase_remaining(job.phase, job.progress) if runs else None,
    }


class JobPage(Page[Job]):
    """Jobs, newest first."""


class Event(Shown):
    """One line of a job's history."""

    seq: int = Field(description="Counts from 1 within the job, without a gap.")
    type: str = Field(examples=["job.created", "job.started", "progress", "metric", "job.succeeded"])
    at: datetime
    data: dict[str, Any]


class EventPage(Shown):
    """A job's history, oldest first."""

    items: list[Event]
    next: int | None = Field(description="Send it as `after` to read on; null when this is all there is so far.")


class File(Shown):
    """One file of an artifact."""

    name: str = Field(examples=["data/train-00000-of-00001.parquet"])
    bytes: int
    sha256: str = Field(description="Hexadecimal; the ETag of the file.")
    media_type: str
    url: str

    @classmethod
    def of(cls, job_id: str, file: ledger.File) -> Self:
        """The file as the ledger has it."""
        url = f"/v1/jobs/{job_id}/files/{quote(file.name)}"
        return cls(name=file.name, bytes=file.bytes, sha256=file.sha256, media_type=file.media_type, url=url)


class FilePage(Page[File]):
    """The files of an artifact, by name."""


class Artifact(Shown):
    """A finished job's result by its content, whatever the version of the engine is by now."""

    digest: str = Field(description="`sha256:` and the SHA-256 of its manifest.json, which covers every other file.")
    job: str = Field(description="The id of the job that published it.")
    dataset: str
    method: str
    ipc: int
    fingerprint: str | None = Field(description="Of the request, by the engine that carried it out.")
    files_url: str
    archive_url: str

    @classmethod
    def of(cls, digest: str, job: ledger.Job) -> Self:
        """The artifact of this digest, which the job has published."""
        return cls(
            digest=digest,
            job=job.id,
            dataset=job.dataset,
            method=job.method,
            ipc=job.ipc,
            fingerprint=job.fingerprint,
            files_url=f"/v1/jobs/{job.id}/files",
            archive_url=f"/v1/jobs/{job.id}/archive.zip",
        )


class Sections(Shown):
    """The worth of a result, section by section, the warnings first."""

    items: list[Section]


class Key(Shown):
    """A key, without its secret."""

    object: Literal["key"] = "key"
    id: str
    owner: str = Field(description="Whose jobs and uploads it sees.")
    name: str
    prefix: str = Field(description="How the secret begins.", examples=["still_7Kq2vX0a"])
    scopes: list[str] = Field(description="jobs:read, jobs:write, datasets:write, admin.")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")
    parent_id: str | None = Field(description="The key it was made with, and with which it ends; null: none.")

    @classmethod
    def of(cls, key: ledger.ApiKey) -> Self:
        """The key as the ledger has it."""
        return cls.model_validate(vars(key) | {"scopes": list(key.scopes)})


class NewKey(Key):
    """A key and, this once, its secret."""

    secret: str = Field(description="Show it as `Authorization: Bearer ...`. It is not kept: nobody can look it up.")

    @classmethod
    def of(cls, key: ledger.ApiKey, secret: str = "") -> Self:
        """The key as it was made."""
        return cls.model_validate(vars(key) | {"scopes": list(key.scopes), "secret": secret})


class KeyPage(Page[Key]):
    """Keys, oldest first."""


class Quota(Shown):
    """How much of something an owner uses and may use."""

    used: int
    allowed: int | None = Field(description="Null: as much as there is.")


class Me(Shown):
    """The caller: the key that was shown, its owner and the owner's quota."""

    key: Key
    owner: str
    scopes: list[str]
    open_jobs: Quota = Field(description="Jobs that are queued or running.")
    result_bytes: Quota = Field(description="Bytes of the files of finished jobs.")
    upload_bytes: Quota = Field(description="Bytes of uploaded datasets.")


class Preset(Shown):
    """A setting with published (or measured) values of its own."""

    dataset: str
    ipc: int
    recipe: dict[str, Any] = Field(description="The complete recipe there.")


class MethodSummary(Shown):
    """A way to distil, in short."""

    name: str
    family: str
    title: str
    summary: str
    equation: str
    citation: str
    published: str = Field(description="The numbers of the paper.")
    use: str = Field(description="When to use it.")
    avoid: str = Field(description="When not to.")
    url: str


class MethodPage(Page[MethodSummary]):
    """Methods, by name."""


class Method(MethodSummary):
    """A way to distil, with its recipes and what may be changed about them."""

    recipe: dict[str, Any] = Field(description="The complete recipe for the `dataset` and `ipc` of the query.")
    presets: list[Preset] = Field(description="Where published (or measured) settings replace the defaults.")
    overrides: dict[str, Any] = Field(description="JSON Schema of a recipe; the paths of `overrides` lead into it.")


class Health(Shown):
    """The process is alive."""

    status: Literal["alive"] = "alive"
    version: str


class Readiness(Shown):
    """The service can take work."""

    model_config = ConfigDict(frozen=True, extra="allow")

    ready: bool
    checks: dict[str, Any] = Field(description="What was looked at, and what was found.")
