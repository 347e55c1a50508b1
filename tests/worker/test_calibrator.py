"""The worker's knowledge of its hardware: measured while it is idle, kept, given up for work, used for forecasts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from core.data import Catalogue, DatasetFacts, UnknownDataset
from core.engine.kernels import measurement, missing_compiler
from core.forecast import QUIET, Calibration, forecast_job, off, predict, remembered
from core.ledger import Job, Ledger
from core.plan.cost.geometry import geometry
from core.recipe import Network
from core.request import JobRequest, resolve
from core.settings import Settings
from tests.forecast.machines import facts, machine, recipe
from tests.ledger.orders import FILES, LONG, queued, running
from tests.stillhouse.running import processes_of
from tests.worker.service import BOTH, Service, over, until
from worker.calibrator import Calibrator
from worker.poller import Poller
from worker.processors import Reading, others, read
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
def test_the_hardware_is_measured_once_and_remembered(
    settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")  # as many threads as a worker takes
    monkeypatch.setattr("worker.calibrator._LIMIT", 1800.0)  # however much else the machine does
    settings = settings.model_copy(update={"compile": "auto"})
    first = Calibrator(settings, ledger)
    assert first.due
    first.measure(lambda: first.known is not None)
    assert first.due, "it was told to stop before it had compiled anything"
    assert first.known is not None
    assert first.known.compiled is None
    key = first.known.key
    assert first.known.seconds * (1 - (first.known.others or 0)) < 60, "without what others took"
    assert first.known.free_bytes > 0
    points = first.known.points

    first.measure(never)
    assert not first.due
    assert first.known.points == points, "what was measured before it stopped is not measured again"
    assert first.known.key == key, "the jobs done so far are not forgotten"
    if missing_compiler(torch.device("cpu")) is None:
        programs = list((settings.home / "kernels").glob("*.kernel"))
        assert first.known.kernels == "compiled"
        assert first.known.compiled is not None
        assert set(first.known.compiled) == {"gradient", "adjoint"}
        assert all(0.02 < ratio < 2 for ratio in first.known.compiled.values())
        assert first.known.compiling is not None
        assert first.known.compiling > 1
        assert len(programs) == 3 + 1, "and the kernel of products"
        threads = torch.get_num_threads()
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        try:
            assert measurement.read(settings.home / "kernels", torch.device("cpu")) == first.known.verdict
        finally:
            torch.set_num_threads(threads)
    assert "threads" in first.known.hardware
    assert first.known.baseline_mib > 50
    small, large = (geometry(Network(width=width), (3, 32, 32), 10) for width in (32, 128))
    for kernel in ("forward", "gradient", "adjoint"):
        assert 0 < first.known.price(kernel, small, 32) < first.known.price(kernel, large, 32) < 60
    assert first.known.price("gradient", small, 32) < first.known.price("adjoint", small, 32)

    second = Calibrator(settings, ledger)
    second.measure(never)
    assert second.known == first.known, "to the last digit: it was read, not measured"
    third = Calibrator(settings, ledger)
    third.recall(never)
    assert third.known == first.known, "before the first job, whoever waits"
    assert not processes_of(settings.home)


def quiet(clock: Sequence[float]) -> Callable[[], Reading]:
    """How processors look that nobody uses, at a time that a test turns on."""
    return lambda: Reading(clock[-1] + 1, 0.0, 0.0)


@contextmanager
def busy() -> Iterator[None]:
    """Twice as many others as there are processors."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * processors_here())]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def processors_here() -> int:
    return len(os.sched_getaffinity(0))


def done(ledger: Ledger, known: Calibration, times: float) -> Job:
    """A job that took so many times what this calibration says."""
    asked = recipe()
    forecast = predict(asked, facts(), 1, "mtt", known)
    claim = running(ledger, recipe=asked.model_dump(mode="json"), forecast=forecast.model_dump(mode="json"))
    phases = {name: {"seconds": times * phase.model} for name, phase in forecast.phases.items()}
    assert ledger.record(claim, progress={"phases": phases})
    assert ledger.succeed(claim, FILES, {})
    return ledger.job(claim.job.id)


@pytest.mark.slow
def test_a_measurement_on_a_busy_machine_is_made_again_once_it_is_quiet(settings: Settings, ledger: Ledger) -> None:
    clock = [0.0]
    settings = settings.model_copy(update={"compile": "never"})
    calibrator = Calibrator(settings, ledger, quiet(clock), lambda: clock[-1])
    with busy():
        calibrator.measure(never)
    first = calibrator.known
    assert first is not None
    assert first.others is not None
    assert first.others > QUIET
    assert not calibrator.due, "not at once"
    clock.append(61.0)
    assert not calibrator.due, "it watches the processors first"
    clock.append(67.0)
    assert calibrator.due

    calibrator.measure(never)
    second = calibrator.known
    assert second is not None
    assert second.key == first.key
    assert [p.model_copy(update={"seconds": 1.0}) for p in second.points] == [
        p.model_copy(update={"seconds": 1.0}) for p in first.points
    ]
    assert all(new.seconds <= old.seconds for new, old in zip(second.points, first.points, strict=True))
    assert second.name != first.name
    assert second.others is not None
    assert second.others <= first.others, "as much at most, where more than these loops is at work"
    clock += [130.0, 136.0]
    assert not calibrator.due, "ever more rarely"

    for _ in range(3):
        done(ledger, second, 3.0)
    claim = running(ledger)
    calibrator.record_forecast(claim)  # so that it knows of work
    clock.append(200.0)
    assert not calibrator.due
    clock.append(206.0)
    assert calibrator.due, "jobs took three times as long as foreseen"
    calibrator.measure(lambda: True)
    order = json.loads((settings.home / "calibration" / "order.json").read_text())
    assert order["again"] == "anew"
    assert calibrator.known == second, "it gave way to work"

    kept = Calibrator(settings, ledger)
    kept.measure(never)
    assert kept.known == second


def test_others_are_told_from_this_process() -> None:
    since = read()
    assert since is not None
    deadline = time.process_time() + 0.5
    while time.process_time() < deadline:
        pass
    now = read()
    assert now is not None
    assert now.ours - since.ours >= 0.4
    assert now.passed > since.passed
    share = others(since, now)
    assert share is not None
    assert 0 <= share <= 1 - 0.3 / (now.passed - since.passed)
    assert others(Reading(10, 5, 1), Reading(20, 11, 2)) == pytest.approx(0.5)
    assert others(None, now) is None


def test_jobs_of_another_measurement_are_priced_anew(settings: Settings, ledger: Ledger) -> None:
    loaded = machine(slower=10.0).model_copy(update={"kernels": "compiled", "others": 0.8})
    for _ in range(3):
        done(ledger, loaded, 0.15)
    right = machine().model_copy(update={"kernels": "compiled", "others": 0.0})
    known = Catalogue(settings.datasets).facts
    said = forecast_job(ledger, recipe(), facts(), 1, "mtt", right, known)
    assert said.basis.method_jobs == 3
    assert said.seconds is not None
    for name in ("distilling", "evaluating"):
        assert said.phases[name].model > 0
        assert said.phases[name].expected == pytest.approx(1.5 * said.phases[name].model, rel=0.01)
    by_loaded = forecast_job(ledger, recipe(), facts(), 1, "mtt", loaded, known)
    assert by_loaded.seconds is not None
    assert said.seconds.expected == pytest.approx(by_loaded.seconds.expected, rel=0.1)
    calibrated = right.model_copy(update={"compiled": {"gradient": 0.5, "adjoint": 0.25}, "compiling": 20.0})
    assert forecast_job(ledger, recipe(), facts(), 1, "mtt", calibrated, known).basis.method_jobs == 3


def test_a_past_job_whose_dataset_is_gone_corrects_nothing_by_another_measurement(ledger: Ledger) -> None:
    def gone(name: str) -> DatasetFacts:
        raise UnknownDataset(name)

    for _ in range(3):
        done(ledger, machine(), 2.0)
    (past, *_) = remembered(ledger.jobs_under(machine().key), machine(slower=2.0), gone)
    assert off([past] * 3) is None
    same = remembered(ledger.jobs_under(machine().key), machine(), gone)
    assert off(same) == pytest.approx(2.0, rel=0.01)
    assert past.leaves == same[0].leaves


def test_a_measurement_gives_way_to_work(settings: Settings, ledger: Ledger) -> None:
    calibrator = Calibrator(settings, ledger)
    calibrator.measure(lambda: True)
    assert calibrator.known is None
    assert calibrator.due, "it will be tried again"
    assert not processes_of(settings.home)


def test_where_nothing_was_measured_no_job_waits(
    settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    calibrator = Calibrator(settings, ledger)
    calibrator.measure(lambda: True)  # which leaves an order there
    monkeypatch.setattr(Calibrator, "measure", None)
    calibrator.recall(never)
    assert calibrator.known is None


def test_a_worker_that_is_told_to_stop_waits_for_no_measurement(settings: Settings, ledger: Ledger) -> None:
    folder = settings.home / "calibration"
    folder.mkdir(parents=True)
    (folder / "another.json").write_text("{}")
    calibrator, asked = Calibrator(settings, ledger), list[int]()
    calibrator.recall(lambda: not asked.append(1))
    assert (calibrator.known, len(asked)) == (None, 1)
    assert not processes_of(settings.home)


@over(BOTH[:1], "service")
def test_a_job_that_waits_for_a_worker_is_planned_by_what_was_measured_before(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLHOUSE_CALIBRATE", "auto")
    order = list[str]()
    poller = Poller(service.settings.model_copy(update={"calibrate": "auto"}), 0.05)
    monkeypatch.setattr(Calibrator, "recall", lambda *_: order.append("recall"))
    monkeypatch.setattr(Supervisor, "_run_next", lambda self: order.append("work"))
    monkeypatch.setattr(Ledger, "register_worker", lambda *_: order.append("greet"))
    bell = threading.Thread(target=poller.supervisor.look)
    poller.open()
    bell.start()
    until(lambda: "work" in order, "there is a look for work")
    poller.close()
    bell.join()
    assert order[: order.index("work")] == ["greet", "recall"], "it is known to be there, and knows, before it works"


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
    calibrator.record_forecast(claim)
    forecast = ledger.job(job.id).forecast
    assert forecast is not None
    assert forecast["conditions"] == machine().key
    assert forecast["seconds"]["expected"] > 0
    assert forecast["work"]["distilling"]["adjoint"] == 4800

    assert ledger.release(claim, "The worker was told to stop.")
    again = ledger.claim("worker", LONG)
    assert again is not None
    calibrator.known = machine("another")
    calibrator.record_forecast(again)
    assert ledger.job(job.id).forecast == forecast, "a later attempt begins somewhere on the way"


def test_a_job_is_priced_again_only_if_what_its_price_rests_on_has_changed(settings: Settings, ledger: Ledger) -> None:
    calibrator = Calibrator(settings, ledger)
    calibrator.known = machine()
    priced = predict(recipe(), facts(), 1, "mtt", machine()).model_dump(mode="json")

    submitted: dict[str, Any] = {"recipe": recipe().model_dump(mode="json"), "forecast": priced | {"work": "submitted"}}

    def is_new(**changes: Any) -> bool:
        claim = running(ledger, **submitted | {"forecast": submitted["forecast"] | changes})
        calibrator.record_forecast(claim)
        found = ledger.job(claim.job.id).forecast
        return found is None or found["work"] != "submitted"

    assert is_new(calibration="another")
    assert is_new(leaves={}), "the dataset was not there"
    assert not is_new()
    first, second = running(ledger, **submitted), running(ledger, **submitted)
    assert ledger.succeed(first, FILES, {})
    calibrator.record_forecast(second)
    found = ledger.job(second.job.id).forecast
    assert found is not None
    assert found["reuse"]["experts"] == 10, "the first one has trained them since"
    assert is_new(), "it may have ended between a forecast and its submission"


def test_a_job_within_a_time_is_fitted_to_where_it_starts(settings: Settings, ledger: Ledger) -> None:
    asked = {"dataset": "digits", "ipc": 10, "method": "mtt", "overrides": {"schedule.image_lr": 30.0}, "within": 60}
    whole = resolve(JobRequest.model_validate(asked), facts())
    calibrator = Calibrator(settings, ledger)
    calibrator.known = machine(slower=2.0)
    slow = predict(whole, facts(), 10, "mtt", calibrator.known).seconds
    assert slow is not None
    assert slow.expected > 60
    claim = running(ledger, request=asked, recipe=whole.model_dump(mode="json"), ipc=10)
    fitted = calibrator.record_forecast(claim)
    assert fitted.job.recipe["evaluation"]["seeds"] == 3
    assert fitted.job.recipe["schedule"]["image_lr"] == 30.0
    assert fitted.job.forecast is not None
    assert fitted.job.forecast["seconds"]["expected"] < 60
    stored = ledger.job(claim.job.id)
    assert (stored.recipe, stored.forecast) == (fitted.job.recipe, fitted.job.forecast)
    assert stored.fingerprint == claim.job.fingerprint

    assert calibrator.record_forecast(replace(claim, job=stored)).job == stored, "it still holds"
    calibrator.known = machine("another, hopelessly slow", slower=500.0)
    least = calibrator.record_forecast(claim).job
    assert least.recipe["network"]["width"] == 16, "an accepted job is done as well as can be"


def test_no_job_fails_for_want_of_a_forecast(settings: Settings, ledger: Ledger) -> None:
    calibrator = Calibrator(settings, ledger)
    queued(ledger, recipe={"objective": {"kind": "of a later version"}})
    claim = ledger.claim("worker", LONG)
    assert claim is not None
    calibrator.record_forecast(claim)
    calibrator.known = machine()
    calibrator.record_forecast(claim)
    assert ledger.job(claim.job.id).forecast is None
