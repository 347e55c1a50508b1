"""The worker's knowledge of its hardware: measured while it is idle, kept, given up for work, used for forecasts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from core.artifacts.store import Store
from core.engine.kernels import missing_compiler
from core.forecast.network import geometry
from core.ledger import Ledger, Status
from core.recipe import Network
from core.settings import Settings
from tests.client.running import processes_of
from tests.forecast.machines import machine, recipe
from tests.ledger.orders import LONG, queued
from tests.worker.service import BOTH, Service, over, until
from worker.calibrator import Calibrator
from worker.drain import Drain
from worker.supervisor import Supervisor


@pytest.fixture
def settings(sqlite_url: str, tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", database_url=sqlite_url, device="cpu")


@pytest.fixture
def ledger(sqlite_url: str) -> Ledger:
    return Ledger(sqlite_url)


def never() -> bool:
    return False


@pytest.mark.slow
def test_the_hardware_is_measured_once_and_remembered(settings: Settings, ledger: Ledger) -> None:
    settings = settings.model_copy(update={"compile": "auto"})
    first = Calibrator(settings, ledger)
    assert first.due
    first.measure(lambda: first.known is not None)
    assert first.due, "it was told to stop before it had compiled anything"
    assert first.known is not None
    assert (first.known.kernels, first.known.compiled) == ("eager", None)
    assert first.known.seconds < 60
    assert first.known.free_bytes > 0
    points = first.known.points

    first.measure(never)
    assert not first.due
    assert first.known.points == points, "what was measured before it stopped is not measured again"
    if missing_compiler(torch.device("cpu")) is None:
        programs = list((settings.home / "kernels").glob("*.kernel"))
        assert first.known.kernels == "compiled"
        assert first.known.compiled is not None
        assert set(first.known.compiled) == {"gradient", "adjoint"}
        assert all(0.02 < ratio < 2 for ratio in first.known.compiled.values())
        assert first.known.compiling is not None
        assert first.known.compiling > 1
        assert len(programs) == 3
    assert "threads" in first.known.hardware
    assert first.known.baseline_mib > 50
    small, large = (geometry(Network(width=width), (3, 32, 32), 10) for width in (32, 128))
    for kernel in ("forward", "gradient", "adjoint"):
        assert 0 < first.known.price(kernel, small, 32) < first.known.price(kernel, large, 32) < 60
    assert first.known.price("gradient", small, 32) < first.known.price("adjoint", small, 32)

    second = Calibrator(settings, ledger)
    second.measure(never)
    assert second.known == first.known, "to the last digit: it was read, not measured"
    assert not processes_of(settings.home)


def test_a_measurement_gives_way_to_work(settings: Settings, ledger: Ledger) -> None:
    calibrator = Calibrator(settings, ledger)
    calibrator.measure(lambda: True)
    assert calibrator.known is None
    assert calibrator.due, "it will be tried again"
    assert not processes_of(settings.home)


def test_a_worker_that_cannot_measure_gives_up(settings: Settings, ledger: Ledger) -> None:
    settings.home.write_text("no folder")
    calibrator = Calibrator(settings, ledger)
    for _ in range(3):
        assert calibrator.due
        calibrator.measure(never)
    assert not calibrator.due


def test_a_job_that_starts_is_told_what_it_will_cost_here(settings: Settings, ledger: Ledger) -> None:
    calibrator = Calibrator(settings, ledger)
    calibrator.known = machine()
    job = queued(ledger, recipe=recipe().model_dump(mode="json"), forecast={"conditions": "elsewhere"})
    claim = ledger.claim("worker", LONG)
    assert claim is not None
    calibrator.foresee(claim)
    forecast = ledger.job(job.id).forecast
    assert forecast is not None
    assert forecast["conditions"] == machine().key
    assert forecast["seconds"]["expected"] > 0
    assert forecast["work"]["distilling"]["adjoint"] == 4800

    assert ledger.release(claim, "The worker was told to stop.")
    again = ledger.claim("worker", LONG)
    assert again is not None
    calibrator.known = machine("another")
    calibrator.foresee(again)
    assert ledger.job(job.id).forecast == forecast, "a later attempt begins somewhere on the way"


def test_no_job_fails_for_want_of_a_forecast(settings: Settings, ledger: Ledger) -> None:
    calibrator = Calibrator(settings, ledger)
    queued(ledger, recipe={"objective": {"kind": "of a later version"}})
    claim = ledger.claim("worker", LONG)
    assert claim is not None
    calibrator.foresee(claim)
    calibrator.known = machine()
    calibrator.foresee(claim)
    assert ledger.job(claim.job.id).forecast is None


@over(BOTH[:1], "service")
def test_whoever_uses_idle_time_hears_of_work_and_the_work_is_done(service: Service) -> None:
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
    assert began.wait(10)
    play = service.submit_quietly()
    assert heard.wait(10)
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
