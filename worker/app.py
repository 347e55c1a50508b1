"""The Celery application and its settings, nothing else: `celery -A worker.app worker` is a worker."""

from __future__ import annotations

from typing import Final

from celery import Celery
from celery.signals import setup_logging
from click import Option

from core import logs
from core.doorbell import QUEUE, speaks_redis, transport
from core.settings import Settings, settings
from worker.protocol import ENGINE

_PATIENCE: Final = 10.0
"""Seconds a worker waits for the broker's answer; must exceed the second its blocking read waits for a doorbell."""


def create(settings: Settings) -> Celery:
    """The application on the settings' broker; without one it can be imported but not started.

    One slot of a thread pool, since a child process does the work; early acknowledgement and no prefetch, since a
    doorbell is worthless and must not wait behind a long job; no results, no events, no retries: the ledger has them.
    """
    application = Celery("stillhouse", include=["worker.tasks"], set_as_current=False)
    application.conf.update(
        transport(settings.broker_url, _PATIENCE) if settings.broker_url else {},
        worker_pool="threads",
        worker_concurrency=1,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=bool(settings.broker_url and speaks_redis(settings.broker_url)),
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_soft_shutdown_timeout=settings.drain_grace + 5,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        task_default_queue=QUEUE,
        task_ignore_result=True,
        task_acks_late=False,
        task_serializer="json",
        accept_content=["json"],
        task_publish_retry=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
    )
    application.user_options["worker"].add(
        Option(["--engine"], default=ENGINE, help="Module that is run as the engine's process.")
    )
    return application


@setup_logging.connect(weak=False)  # type: ignore[untyped-decorator]
def _speak(**_: object) -> None:
    """Replaces Celery's own logging; having a receiver is what tells it to keep its hands off."""
    logs.configure(settings())


app: Final = create(settings())
