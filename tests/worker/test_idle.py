"""The tasks of idle time, which give way to work; and work that comes meanwhile is done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from core.artifacts.store import Store
from core.ledger import Status
from tests.worker.service import BOTH, Service, over, until
from worker.drain import Drain
from worker.supervisor import Supervisor


@over(BOTH[:1], "service")
def test_a_task_of_idle_time_hears_of_work_and_the_work_is_done(service: Service) -> None:
    store = Store(service.settings.artifacts_url)
    supervisor = Supervisor(service.settings, service.ledger, store, "test", Drain(), "tests.worker.double")
    began, heard = threading.Event(), threading.Event()

    def work(wanted: Callable[[], bool]) -> None:
        assert not wanted()
        began.set()
        until(wanted, "the idle are told of work")
        heard.set()

    idle = threading.Thread(target=supervisor.while_idle, args=(work,))
    idle.start()
    assert began.wait(60)
    play = service.submit_quietly()
    assert heard.wait(60)
    idle.join()
    assert supervisor.worked_at <= time.monotonic()
    supervisor.look()
    assert play.job.status is Status.SUCCEEDED


@over(BOTH[:1], "service")
def test_a_bell_that_rings_meanwhile_is_answered_afterwards(service: Service) -> None:
    store = Store(service.settings.artifacts_url)
    supervisor = Supervisor(service.settings, service.ledger, store, "test", Drain(), "tests.worker.double")
    play = service.submit_quietly()

    def work(wanted: Callable[[], bool]) -> None:
        supervisor.look()  # as the doorbell's thread does: it finds the slot taken
        assert play.job.status is Status.QUEUED
        assert wanted()

    supervisor.while_idle(work)
    assert play.job.status is Status.SUCCEEDED
