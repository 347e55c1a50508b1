"""Every `STILLHOUSE_*` variable, in one class. docs/SETTINGS.md is generated from it."""

from __future__ import annotations

import difflib
import functools
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, Self

import platformdirs
from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.addresses import check_broker, check_database, check_store
from core.masks import masked
from core.webhooks import Network, networks

_PREFIX: Final = "STILLHOUSE_"
_CLIENTS: Final = frozenset({"URL", "API_KEY"})
_ADDRESSES: Final = {"broker_url": check_broker, "database_url": check_database, "store_url": check_store}
_BOUNDS: Final = {"ge": "at least", "gt": "more than", "le": "at most"}
_MOST_DAYS: Final = 36_500  # moments a hundred years ago, or to come, are within the calendar
_MOST_SECONDS: Final = 86_400  # of a lease
_KINDS: Final = {"int": "a whole number", "float": "a number", "finite": "a finite number", "path": "a path"} | {
    "value_error": "networks, such as 127.0.0.0/8,10.1.0.0/16"
}


class Settings(BaseSettings):
    """Where things are and how patient the service is; everything has a default that works on one machine."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_ignore_empty=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    home: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("stillhouse")),
        description="Folder of all state: database, artifact store, checkpoints, expert cache.",
    )
    data_dir: Path | None = Field(
        default=None,
        description="Datasets: `<name>.npz` bundles placed here appear in the catalogue, downloads land here. "
        "Default: `HOME/datasets`.",
    )
    host: str = Field(default="127.0.0.1", description="Address the API listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port the API listens on; 0 takes a free one.")
    database_url: str | None = Field(
        default=None,
        description="SQLAlchemy URL of the ledger, e.g. `postgresql+psycopg://user@host/db`. PgBouncer "
        "may stand before it, in transaction mode, too. Default: SQLite in HOME.",
    )
    broker_url: str | None = Field(
        default=None,
        description="Celery broker that carries the doorbells: `redis://host:6379/0` (for Valkey and KeyDB, too), "
        "`rediss://` for Redis over TLS, whose certificate is checked (by the authority of "
        "`?ssl_ca_certs=FILE` if that is given, not at all with `?ssl_cert_reqs=none`), "
        "`sentinel://host:26379/0?master_name=mymaster` for Redis behind Sentinel (several are separated by `;`), or "
        "`amqp://user:password@host//`. Default: none, the worker polls.",
    )
    store_url: str | None = Field(
        default=None,
        description="fsspec URL of the artifact store, e.g. `s3://bucket/prefix`. Default: a folder in HOME.",
    )
    compile: Literal["auto", "never"] = Field(
        default="auto", description="Whether the engine may compile the kernels that a job gains by."
    )
    calibrate: Literal["auto", "never"] = Field(
        default="auto", description="Whether an idle worker measures its hardware, which forecasts are made of."
    )
    advice_seconds: float = Field(
        default=240, gt=0, le=3600, description="Seconds that the measurements of advice on a dataset may take."
    )
    help_above: float = Field(
        default=30,
        ge=0,
        description="Seconds that a step such as the experts would still take alone above which idle workers are asked "
        "to make parts of it; `inf`: never.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where the engine computes; `auto` takes CUDA if present."
    )
    gpu_locks: Path | None = Field(
        default=None,
        description="Folder of the locks by which each worker of a machine has a GPU to itself; containers that may "
        "use the same GPUs need the same folder. Default: the system's for temporary files.",
    )
    job_memory: float | None = Field(
        default=None,
        gt=0,
        description="Most GiB that a job of this worker may take at once, by its forecast; it leaves larger ones to "
        "others. Default: what it has measured.",
    )
    auth: Literal["off", "keys"] = Field(
        default="off",
        description="`keys`: every request shows a key of `stillhouse key create`, and everybody sees their own jobs "
        "and uploads only. `off`: for a machine of one's own.",
    )
    host_names: str = Field(
        default="",
        description="Names, separated by commas, that the service is reached by besides `localhost`, the machine's "
        "own, addresses and names without a dot; with `STILLHOUSE_AUTH=off` it answers to no others.",
    )
    trusted_proxies: str = Field(
        default="127.0.0.1",
        description="Addresses and networks, separated by commas, of the proxies whose `X-Forwarded-For` and `-Proto` "
        "are believed, or `*`: behind TLS that is what makes cookies `Secure` and links `https://`.",
    )
    max_open_jobs: int | None = Field(
        default=100, ge=1, description="Jobs an owner of keys may have queued or running; more are refused for now."
    )
    max_running_jobs: int | None = Field(
        default=None, ge=1, description="Jobs an owner of keys may have running; more wait, others overtake them."
    )
    max_requests: int = Field(
        default=600,
        ge=1,
        description="Requests a minute that an owner's keys may make together; an address may show a fifth as many "
        "keys that are not good.",
    )
    max_stored_bytes: int = Field(
        default=20 * 2**30, ge=1, description="Bytes of uploaded datasets an owner of keys may keep."
    )
    max_result_bytes: int = Field(
        default=100 * 2**30,
        ge=1,
        description="Bytes of finished jobs' files an owner of keys may keep, with those that open jobs are forecast "
        "to bring; a job that would exceed it is refused until some are deleted.",
    )
    session_days: float = Field(
        default=14, gt=0, le=_MOST_DAYS, description="Days until a browser has to show its key again."
    )
    webhook_networks: str = Field(
        default="",
        description="Networks, separated by commas, that webhooks may be sent to besides the public internet, e.g. "
        "`127.0.0.0/8,10.1.0.0/16`; only there by `http://`. Default: none.",
    )
    webhook_timeout: float = Field(default=10, gt=0, le=60, description="Seconds a webhook's receiver has to answer.")
    webhook_pause: float = Field(
        default=5,
        gt=0,
        description="Seconds until a delivery that was not taken is sent again; each pause is four times the one "
        "before, six hours at most, give or take a fifth.",
    )
    webhook_attempts: int = Field(
        default=10,
        ge=1,
        description="Times a delivery is sent. If the last one fails, and its webhook has taken nothing since the "
        "first, the webhook is disabled.",
    )
    lease_ttl: float = Field(
        default=60, gt=0, le=_MOST_SECONDS, description="Seconds a worker's claim lasts without a heartbeat."
    )
    heartbeat_interval: float = Field(default=10, gt=0, description="Seconds between heartbeats.")
    self_fence_after: float = Field(
        default=40,
        gt=0,
        description="Seconds without a heartbeat that succeeded after which a worker stops its engine.",
    )
    sweep_interval: float = Field(default=15, gt=0, description="Seconds between rounds of the sweeper.")
    poll_interval: float = Field(default=1, gt=0, description="Seconds between looks for work without a broker.")
    backstop_interval: float = Field(
        default=15, gt=0, description="Seconds between looks for work when a broker rings the doorbell."
    )
    checkpoint_interval: float = Field(default=30, gt=0, description="Seconds between checkpoints while distilling.")
    max_attempts: int = Field(
        default=3, ge=1, description="Attempts a job may lose to crashes; the last of them fails it."
    )
    drain_grace: float = Field(default=25, gt=0, description="Seconds the engine has to checkpoint when told to stop.")
    store_patience: float = Field(
        default=3_600,
        ge=0,
        description="Seconds a job waits for an artifact store that is away; only then does its attempt count as lost.",
    )
    stall_after: float = Field(
        default=1_800,
        gt=0,
        description="Seconds an engine may say nothing, neither progress nor a line, before it is taken to stand still "
        "and its attempt for lost; ten times the longest silence of the job's phase if that is more.",
    )
    job_timeout: float = Field(default=86_400, gt=0, description="Seconds one attempt at a job may run.")
    retention_days: float | None = Field(
        default=None,
        gt=0,
        le=_MOST_DAYS,
        description="Days after its end that a job is deleted, with its events and files. Default: none is.",
    )
    checkpoint_days: float = Field(
        default=30,
        gt=0,
        le=_MOST_DAYS,
        description="Days that the checkpoint of a failed or cancelled job is kept for a retry.",
    )
    verified_bytes: int = Field(
        default=10 * 2**30,
        ge=0,
        description="Bytes of stored files that are read again each day to see whether they are what they were; "
        "0: none.",
    )
    expert_cache_bytes: int = Field(
        default=20 * 2**30,
        ge=0,
        description="Size the cache of expert trajectories is trimmed to, least used first.",
    )
    max_body_bytes: int = Field(default=1 * 2**20, gt=0, description="Largest JSON request body the API reads.")
    max_upload_bytes: int = Field(default=2 * 2**30, gt=0, description="Largest dataset that may be uploaded.")
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto", description="`auto` writes JSON when standard error is not a terminal."
    )

    @field_validator(*_ADDRESSES)
    @classmethod
    def _can_be_spoken_to(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is not None:
            assert info.field_name is not None
            _ADDRESSES[info.field_name](url)
        return url

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """The fields as they are shown in a traceback or a log: addresses without their passwords."""
        for name, value in super().__repr_args__():
            yield name, masked(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _patience_is_ordered(self) -> Self:
        if self.heartbeat_interval * 3 > self.lease_ttl:
            raise ValueError(
                f"STILLHOUSE_HEARTBEAT_INTERVAL ({self.heartbeat_interval:g}) must be at most a third of "
                f"STILLHOUSE_LEASE_TTL ({self.lease_ttl:g}): lower the first or raise the second."
            )
        if self.self_fence_after > self.lease_ttl - self.heartbeat_interval:
            raise ValueError(
                f"STILLHOUSE_SELF_FENCE_AFTER ({self.self_fence_after:g}) must leave one heartbeat before the lease "
                f"ends: set it to at most {self.lease_ttl - self.heartbeat_interval:g}."
            )
        return self

    @field_validator("webhook_networks")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        networks(text)
        return text

    @property
    def webhook_targets(self) -> tuple[Network, ...]:
        """The networks that webhooks may be sent to besides the public internet."""
        return networks(self.webhook_networks)

    @property
    def names(self) -> frozenset[str]:
        """The names that a request's Host header may have where nobody shows a key."""
        given = [self.host, socket.gethostname(), *self.host_names.split(",")]
        return frozenset(name.strip().lower() for name in given if name.strip())

    @property
    def datasets(self) -> Path:
        """Folder of npz bundles and downloads."""
        return self.data_dir or self.home / "datasets"

    @property
    def ledger_url(self) -> str:
        """SQLAlchemy URL of the ledger."""
        return self.database_url or f"sqlite:///{self.home / 'stillhouse.db'}"

    @property
    def artifacts_url(self) -> str:
        """fsspec URL of the artifact store."""
        return self.store_url or f"file://{(self.home / 'store').resolve()}"

    @property
    def jobs(self) -> Path:
        """Local folder of running jobs: one folder a job, holding staging and checkpoints."""
        return self.home / "jobs"

    @property
    def uploads(self) -> Path:
        """Local folder of uploads that have arrived and are not inspected yet."""
        return self.home / "uploads"

    @property
    def experts(self) -> Path:
        """Local cache of expert trajectories, keyed by content."""
        return self.home / "experts"


def strangers(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that look like settings and are none, each with what may have been meant."""
    ours = {name.upper() for name in Settings.model_fields}
    named = sorted(name.removeprefix(_PREFIX) for name in environment if name.startswith(_PREFIX))
    close = {name: difflib.get_close_matches(name, ours, n=1) for name in named if name not in ours | _CLIENTS}
    return {
        _PREFIX + name: f"Did you mean {_PREFIX}{found[0]}?" if found else "There is no such setting."
        for name, found in close.items()
    }


@functools.cache
def settings() -> Settings:
    """The process's settings, read from the environment once.

    A process whose settings cannot be used ends here: exit status 2, and a line a fault on standard error.
    """
    try:
        return Settings()
    except ValidationError as error:
        print("\n".join(faults(error)), file=sys.stderr)
        raise SystemExit(2) from None


def faults(error: ValidationError) -> list[str]:
    """A sentence a fault: the variable, its value where that is no secret, and what it may be."""
    return [_fault(detail) for detail in error.errors(include_url=False)]


def _fault(detail: Any) -> str:
    context = detail.get("ctx", {})
    if not detail["loc"]:  # of several variables together: the sentence names them
        return str(context["error"])
    name = str(detail["loc"][0])
    variable = name if name.startswith(_PREFIX) else _PREFIX + name.upper()
    if name in _ADDRESSES:
        sentence = str(context.get("error", detail["msg"]))
        return sentence if sentence[0].isupper() else f"{variable} {sentence}"
    said = str(detail["input"])
    return f"{variable} is '{masked(said[:60])}': use {_allowed(detail['type'], context)}."


def _allowed(kind: str, context: dict[str, Any]) -> str:
    if "expected" in context:
        return str(context["expected"])
    for bound, words in _BOUNDS.items():
        if bound in context:
            return f"a number of {words} {context[bound]:g}"
    return next((words for begin, words in _KINDS.items() if kind.startswith(begin)), "a value of its kind")
