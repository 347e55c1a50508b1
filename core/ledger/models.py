"""The tables. Changing one needs a migration; the tests compare the two."""

from __future__ import annotations

from datetime import datetime
from typing import Any, final, get_args

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    Enum,
    ForeignKey,
    Index,
    MetaData,
    String,
    TextClause,
    literal,
    or_,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, validates

from core.ledger.columns import FILTERED, UNMEASURED, Instant, JsonDocument, accuracy_of, among, filtered_after
from core.ledger.types import ANY, ENDED, HELD, Device, Document, PartState, Status, UploadState

_HELD = among("status", sorted(HELD, key=[*Status].index))
_ENDED = among("status", sorted(ENDED, key=[*Status].index))
_QUEUED = text("status = 'queued'")
_OPEN = f"{among('status', (Status.QUEUED, Status.RUNNING))} AND finish_requested_at IS NULL"


class Base(DeclarativeBase):
    """The declarative base: constraints get names, so that a migration can drop them on either database."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map = {datetime: Instant, dict[str, Any]: JsonDocument, str: String}  # noqa: RUF012


@final
class JobRow(Base):
    """A job; the checks at the end make a half-written state impossible, whatever code writes it."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[Status] = mapped_column(
        Enum(Status, native_enum=False, length=16, values_callable=lambda statuses: [each.value for each in statuses])
    )
    phase: Mapped[str | None]
    progress: Mapped[dict[str, Any] | None]
    attempt: Mapped[int]
    losses: Mapped[int]
    max_attempts: Mapped[int]
    worker_id: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    dataset: Mapped[str]
    method: Mapped[str]
    ipc: Mapped[int]
    seed: Mapped[int] = mapped_column(BigInteger)
    request: Mapped[dict[str, Any]]
    recipe: Mapped[dict[str, Any]]
    fingerprint: Mapped[str | None]
    metrics: Mapped[dict[str, Any] | None]
    forecast: Mapped[dict[str, Any] | None]
    error: Mapped[dict[str, Any] | None]
    last_seq: Mapped[int]
    """Number of the newest event."""
    reported: Mapped[int]
    """Events this attempt's worker has reported, progress aside."""
    progressed_at: Mapped[datetime | None]
    """When the newest progress event was written."""
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]
    owner: Mapped[str] = mapped_column(server_default="")
    """Whose it is; empty for a job that was submitted without a key."""
    dataset_title: Mapped[str | None]
    """How people call the dataset, where that is not its name."""
    dataset_digest: Mapped[str | None]
    """Digest of the dataset's content; none where nobody knew it yet."""
    accuracy: Mapped[float] = mapped_column(default=UNMEASURED, server_default=text("-1"))
    """The mean test accuracy in `metrics`, for lists in its order; `UNMEASURED` where there is none."""

    @validates("metrics")
    def _measure(self, _: str, metrics: Document | None) -> Document | None:
        self.accuracy = accuracy_of(metrics)
        return metrics

    webhook_ids: Mapped[str | None] = mapped_column("webhook_id")
    """The webhooks that it and equal requests named, with a space between them; some may be gone."""
    rank: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """Its priority among its owner's jobs, negated: an index then has the order of the queue."""
    device: Mapped[Device] = mapped_column(String, default=ANY, server_default=ANY)
    memory_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    result_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    """Bytes of its artifact's files, so that an owner's are added up without reading those; 0 before there are any."""
    searched: Mapped[str] = mapped_column(default="", server_default="")
    """Id, dataset, its title and method as a search compares them: in one case, a line each."""
    conditions: Mapped[str | None]
    """The conditions that `forecast` names: the jobs of some are found without reading all forecasts."""

    @validates("forecast")
    def _place(self, _: str, forecast: Document | None) -> Document | None:
        self.conditions = (forecast or {}).get("conditions")
        return forecast

    finish_requested_at: Mapped[datetime | None]
    """When somebody asked it to end with the best that there is; gone if the result was whole by then."""

    __table_args__ = (
        CheckConstraint(among("status", Status), name="status_known"),
        CheckConstraint(f"({_HELD}) = (lease_expires_at IS NOT NULL)", name="lease_while_held"),
        CheckConstraint(f"({_ENDED}) = (finished_at IS NOT NULL)", name="finished_at_the_end"),
        CheckConstraint("(status = 'failed') = (error IS NOT NULL)", name="error_when_failed"),
        CheckConstraint("attempt >= 0 AND losses >= 0 AND losses <= attempt", name="losses_are_attempts"),
        CheckConstraint("max_attempts >= 1 AND losses <= max_attempts", name="losses_bounded"),
        # One open job a fingerprint and owner. `cancelling` is left out: after a cancel an equal request is a new job.
        # So it is after a pause, which may last, and where a job is to end early, which is no answer.
        Index(
            "uq_jobs_open_fingerprint",
            "fingerprint",
            "owner",
            unique=True,
            sqlite_where=text(_OPEN),
            postgresql_where=text(_OPEN),
        ),
        Index("ix_jobs_queue", "rank", "created_at", "id", sqlite_where=_QUEUED, postgresql_where=_QUEUED),
        Index(
            "ix_jobs_leases",
            "lease_expires_at",
            sqlite_where=text(_HELD),
            postgresql_where=text(_HELD),
        ),
        Index("ix_jobs_fingerprint", "fingerprint", "finished_at"),
        Index("ix_jobs_created", "created_at", "id", *FILTERED),
        Index("ix_jobs_owner", "owner", "created_at", "id", *filtered_after("owner")),
        Index("ix_jobs_status", "status", "created_at", "id", *filtered_after("status")),
        Index("ix_jobs_method", "method", "created_at", "id", *filtered_after("method")),
        Index("ix_jobs_method_status", "method", "status", "created_at", "id", *filtered_after("method", "status")),
        Index("ix_jobs_owner_status", "owner", "status"),
        Index("ix_jobs_owner_bytes", "owner", "result_bytes"),
        Index("ix_jobs_conditions", "conditions", "status", "created_at", "id"),
        Index("ix_jobs_accuracy", "accuracy", "created_at", "id", *FILTERED),
        Index("ix_jobs_ipc", "ipc", "created_at", "id", *FILTERED),
    )


@final
class MetadataRow(Base):
    """A word that a client has put on its job; `created_at` is the job's, so that an index holds them in list order."""

    __tablename__ = "job_metadata"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
    created_at: Mapped[datetime]

    __table_args__ = (Index("ix_job_metadata_search", "key", "value", "created_at", "job_id"),)


@final
class EventRow(Base):
    """An event; appended inside the job's row lock, which makes the numbers gap-free, and never changed."""

    __tablename__ = "job_events"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    type: Mapped[str]
    at: Mapped[datetime]
    data: Mapped[dict[str, Any]]


@final
class FileRow(Base):
    """A file of a published artifact, written in the transaction that ends the job."""

    __tablename__ = "job_files"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(index=True)
    media_type: Mapped[str]


@final
class DeletedRow(Base):
    """A job that was deleted: so workers tell its folder from that of another database's job."""

    __tablename__ = "deleted_jobs"

    job_id: Mapped[str] = mapped_column(primary_key=True)
    dataset: Mapped[str]
    deleted_at: Mapped[datetime]


@final
class KeyRow(Base):
    """An idempotency key, by its digest: so any length and any character will do, and no client's secret is kept."""

    __tablename__ = "idempotency_keys"

    key: Mapped[str] = mapped_column(primary_key=True)
    body_hash: Mapped[str]
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


@final
class ApiKeyRow(Base):
    """A key, by the digest of its secret; `scopes` are words with a space between them."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(index=True)
    name: Mapped[str]
    digest: Mapped[str] = mapped_column(index=True, unique=True)
    prefix: Mapped[str]
    scopes: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    parent_id: Mapped[str | None] = mapped_column(index=True)
    """The key it was made with; None for a key of the server's own machine."""


@final
class SessionRow(Base):
    """A browser that has shown a key once, by the digest of its cookie's token."""

    __tablename__ = "sessions"

    digest: Mapped[str] = mapped_column(primary_key=True)
    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime]


@final
class LinkRow(Base):
    """A link to a file of a finished job, by the digest of its token; `name` "" stands for all files in one."""

    __tablename__ = "links"

    digest: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    key_id: Mapped[str | None] = mapped_column(ForeignKey("api_keys.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    expires_at: Mapped[datetime]


@final
class UploadRow(Base):
    """A dataset that somebody uploaded; `sha256` is its bundle's address in the store."""

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(index=True)
    name: Mapped[str]
    sent_as: Mapped[str | None]
    state: Mapped[str]
    bytes: Mapped[int] = mapped_column(BigInteger)
    size: Mapped[int | None]
    mirror: Mapped[bool | None]
    reading: Mapped[dict[str, Any] | None]
    problem: Mapped[str | None]
    found: Mapped[dict[str, Any] | None]
    sha256: Mapped[str | None] = mapped_column(index=True)
    created_at: Mapped[datetime]
    sent: Mapped[str | None]

    __table_args__ = (
        CheckConstraint(among("state", get_args(UploadState)), name="state_known"),
        CheckConstraint("(state = 'ready') = (sha256 IS NOT NULL)", name="bundle_when_ready"),
        CheckConstraint("(state = 'invalid') = (problem IS NOT NULL)", name="problem_when_invalid"),
    )


@final
class ArrivalRow(Base):
    """An upload on its way here, and the bytes that are kept free for it."""

    __tablename__ = "arrivals"

    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(index=True)
    bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]


@final
class ChoreRow(Base):
    """Work that nobody waits for, of which one process at a time does a piece: when next, and how far it has come."""

    __tablename__ = "chores"

    name: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime]
    state: Mapped[dict[str, Any]]


@final
class WorkerRow(Base):
    """A worker process that has announced itself."""

    __tablename__ = "workers"

    worker_id: Mapped[str] = mapped_column(primary_key=True)
    device: Mapped[str]
    hostname: Mapped[str]
    calibration: Mapped[dict[str, Any] | None]
    registered_at: Mapped[datetime]
    last_seen: Mapped[datetime]
    takes: Mapped[dict[str, Any] | None]
    """Its word on the jobs that it can take."""


@final
class PartRow(Base):
    """Results of a running job that other workers may make in its stead, together; they go with the job's end.

    `own` is a part that the job's own worker makes; no lease but the job's is on it.
    """

    __tablename__ = "job_parts"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int]
    state: Mapped[str]
    fence: Mapped[int]
    """How often somebody has begun it."""
    losses: Mapped[int]
    """How often another worker has lost it."""
    conditions: Mapped[str]
    """A name of all that bits of the results depend on, beside the order."""
    order: Mapped[dict[str, Any]]
    worker_id: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(among("state", get_args(PartState)), name="state_known"),
        CheckConstraint("(state = 'held') = (lease_expires_at IS NOT NULL)", name="lease_while_held"),
    )


@final
class ResultRow(Base):
    """A result that jobs share, by the name that says all that its content depends on, and its address in the store."""

    __tablename__ = "results"

    name: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(index=True)
    bytes: Mapped[int] = mapped_column(BigInteger)
    used_at: Mapped[datetime] = mapped_column(index=True)


@final
class CheckpointRow(Base):
    """A file of a job's checkpoint, as an attempt left it, and its address in the store."""

    __tablename__ = "checkpoints"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    attempt: Mapped[int]
    sha256: Mapped[str] = mapped_column(index=True)
    bytes: Mapped[int] = mapped_column(BigInteger)


def is_held() -> TextClause:
    """Whether a worker holds a job, in the words of the partial index of leases."""
    return text(_HELD)


def stands(*statuses: Status) -> ColumnElement[bool]:
    """Whether a job has one of these statuses, as literals: a bound parameter would hide the partial indexes."""
    return or_(*(JobRow.status == literal(each, JobRow.status.type, literal_execute=True) for each in statuses))
