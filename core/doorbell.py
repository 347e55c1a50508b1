"""The doorbell: a Celery message that says "look for work" and carries nothing.

A doorbell that is lost, late or doubled does no harm: jobs live in the ledger, and every worker looks there by itself
every `backstop_interval` seconds. Hence one that can't be rung is worth a log line and never an error.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import structlog
from prometheus_client import Counter

if TYPE_CHECKING:
    from celery import Celery

    from core.settings import Settings

DOORBELL: Final = "stillhouse.doorbell"
"""Name of the Celery task that answers."""

QUEUE: Final = "gpu"
"""Queue of the doorbells."""

STALE_AFTER: Final = 60.0
"""Seconds after which an unanswered doorbell is thrown away, so that a long busy time leaves no pile of them."""

FAILURES: Final = Counter("stillhouse_doorbell_failures", "Doorbells that the broker did not take.")

_MASTER: Final = "mymaster"
"""Name of the group of servers that a Sentinel watches, as its documentation has it."""

_PATIENCE: Final = 2.0
"""Seconds a publisher waits for the broker; short, since the backstop finds the job anyway."""

log = structlog.stdlib.get_logger(__name__)


def ring(settings: Settings) -> bool:
    """Tells idle workers that there may be a queued job; call it after the commit that queued it.

    Returns whether the broker took the doorbell: False without a broker, and (logged, never raised) when the broker
    does not answer within seconds. Keep it off the path of a request: a frozen broker costs its full time-out.
    """
    if settings.broker_url is None:
        return False
    try:
        _publisher(settings.broker_url).send_task(
            DOORBELL, queue=QUEUE, expires=STALE_AFTER, ignore_result=True, retry=False
        )
    except Exception as error:  # whatever ails the broker, the job is safe in the ledger
        FAILURES.inc()
        log.warning("doorbell not rung", reason=type(error).__name__, consequence="a worker finds the job by itself")
        return False
    return True


def transport(broker_url: str, patience: float) -> dict[str, Any]:
    """Celery's broker settings for a URL: `broker_url` and `broker_transport_options`.

    Args:
        broker_url: any URL that `core.addresses` lets pass; of `filesystem:///folder` the folder is made.
        patience: seconds to wait for an answer of the broker.
    """
    if urlsplit(broker_url).scheme == "filesystem":
        return {"broker_url": "filesystem://localhost", "broker_transport_options": _folders(broker_url)}
    options: dict[str, Any] = {
        "socket_timeout": patience,
        "socket_connect_timeout": _PATIENCE,
        "socket_keepalive": True,
        "health_check_interval": 25,
        "visibility_timeout": 3600,
        "global_keyprefix": "stillhouse:",
    }
    if urlsplit(broker_url).scheme == "rediss" and "ssl_cert_reqs" not in broker_url:
        broker_url += ("&" if "?" in broker_url else "?") + "ssl_cert_reqs=required"  # Celery would check nothing
    if urlsplit(broker_url).scheme == "sentinel":  # several are separated by semicolons; the last one has the query
        broker_url, _, query = broker_url.partition("?")
        options["master_name"] = parse_qs(query).get("master_name", [_MASTER])[0]
    return {"broker_url": broker_url, "broker_transport_options": options if speaks_redis(broker_url) else {}}


def speaks_redis(broker_url: str) -> bool:
    """Whether the broker is Redis or one of its kin."""
    return urlsplit(broker_url).scheme in ("redis", "rediss", "sentinel")


def _folders(broker_url: str) -> dict[str, str]:
    root = Path(urlsplit(broker_url).path)
    messages, control = root / "messages", root / "control"
    for folder in (messages, control):
        folder.mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(messages),
        "data_folder_out": str(messages),
        "control_folder": str(control),
    }


@functools.cache
def _publisher(broker_url: str) -> Celery:
    """One publishing application a broker; its connections are pooled and safe to share between threads."""
    from celery import Celery  # not at module level: half a second that a process without a broker need not pay

    publisher = Celery("stillhouse.doorbell", set_as_current=False)
    publisher.conf.update(transport(broker_url, _PATIENCE))
    publisher.conf.broker_transport_options["max_retries"] = 0  # one try to connect, not several seconds of them
    return publisher
