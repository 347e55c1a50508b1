"""The task that answers the doorbell, and what opens and closes with the Celery worker. No science."""

from __future__ import annotations

from typing import Any, final

from celery import Task, bootsteps
from celery.signals import worker_shutting_down

from core.doorbell import DOORBELL
from core.settings import settings
from worker.app import app
from worker.poller import Poller


@final
class Workplace(bootsteps.StartStopStep):  # type: ignore[misc]
    """Runs the backstop and the sweeper beside Celery's consumer, on the same slot as the doorbell."""

    requires = frozenset({"celery.worker.components:Pool"})

    def __init__(self, parent: Any, engine: str, **options: Any) -> None:
        super().__init__(parent, **options)
        self.poller = Poller(settings(), settings().backstop_interval, engine)
        parent.app.poller = self.poller

    def start(self, parent: Any) -> None:
        # The signal comes when the worker is told to stop, long before Celery, waiting for tasks, stops this step.
        worker_shutting_down.connect(self._drain, weak=False)
        self.poller.open()

    def stop(self, parent: Any) -> None:
        self.poller.close()

    def _drain(self, **_: object) -> None:
        self.poller.drain.set()


app.steps["worker"].add(Workplace)


@app.task(name=DOORBELL, bind=True)  # type: ignore[untyped-decorator]
def answer(self: Task) -> None:
    """Looks for work until there is none. One ring may start many jobs, and many rings none."""
    self.app.poller.supervisor.look()
