"""A job's forecast from the real service: its worker has measured this machine, and a job proves it right."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stillhouse import Forecast, Job
from stillhouse.forecast import beside, duration, remarks, total
from stillhouse.jobs import Phase
from tests.services import free_port
from tests.stillhouse.running import PATIENCE, Running, command, until

CHANGES: dict[str, Any] = {
    "schedule.steps": 30,
    "objective.syn_steps": 10,
    "objective.max_start_epoch": 4,
    "objective.expert_epochs": 2,
    "experts.count": 4,
    "network.width": 24,
    "evaluation.epochs": 40,
    "evaluation.seeds": 2,
    "evaluation.full.epochs": 2,
}
WORDS = [word for path, value in CHANGES.items() for word in ("--set", f"{path}={json.dumps(value)}")]
ASKED = ("digits", "--ipc", 1, "--method", "mtt", *WORDS)


@pytest.fixture(scope="module")
def running(calibrated: Running) -> Running:
    """A service whose worker measures the machine."""
    return calibrated


@pytest.fixture(scope="module")
def forecast(running: Running) -> Forecast:
    """The forecast of that job; the first one waits until the worker has been idle for a while."""
    with running.client() as client:
        return client.forecast("digits", ipc=1, method="mtt", overrides=CHANGES, wait=10 * PATIENCE)


@pytest.fixture(scope="module")
def done(running: Running, forecast: Forecast) -> Job:
    """That job, after its forecast."""
    with running.client() as client:
        job = client.submit("digits", ipc=1, method="mtt", overrides=CHANGES)
        return client.wait(job.id, timeout=4 * PATIENCE)


@pytest.mark.slow
def test_a_real_job_takes_about_what_was_forecast(forecast: Forecast, done: Job) -> None:
    assert done.forecast is not None
    assert forecast.seconds is not None
    assert done.forecast.seconds is not None
    assert done.forecast.hardware == forecast.hardware
    assert set(done.phases) == set(done.forecast.phases)
    assert 1 / 4 < done.seconds / forecast.seconds.expected < 4
    for phase in ("training_experts", "distilling", "evaluating"):
        assert 1 / 8 < done.phases[phase].seconds / done.forecast.phases[phase].expected < 8, phase
    assert forecast.peak_mib is not None


@pytest.mark.slow
def test_its_memory_and_its_files_are_what_was_forecast(running: Running, forecast: Forecast, done: Job) -> None:
    with running.client() as client:
        report, files = client.report(done.id), client.files(done.id)
    assert forecast.peak_mib is not None
    assert forecast.artifact_bytes is not None
    assert 1 / 2 < report["peak_memory_mib"] / forecast.peak_mib < 2
    assert 1 / 2 < sum(file.bytes for file in files) / forecast.artifact_bytes < 2


@pytest.mark.slow
def test_the_next_forecast_counts_on_what_that_job_left(running: Running, forecast: Forecast, done: Job) -> None:
    with running.client() as client:
        later = client.forecast("digits", ipc=1, method="mtt", seed=7, overrides=CHANGES)
    assert later.raw["reuse"] == {**later.raw["reuse"], "experts": 4, "reference": True, "jobs": [done.id]}
    assert later.phases["training_experts"].expected == 0
    assert later.raw["basis"]["method_jobs"] == 1
    with running.client() as client:
        job = client.submit("digits", ipc=1, method="mtt", seed=7, overrides=CHANGES)
        until(lambda: client.job(job.id).phase == "distilling", "it distils")
        client.cancel(job.id)
        assert client.job(job.id).raw["progress"]["phases"]["training_experts"]["skipped"] > 0, "and they were there"


@pytest.mark.slow
def test_the_command_line_says_it_too(running: Running, forecast: Forecast, done: Job) -> None:
    answer = running.command("forecast", *ASKED)
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert lines[0].split() == ["PHASE", "EXPECTED", "LOW", "HIGH"]
    assert [line.split("  ")[0].strip() for line in lines[1:7]] == [
        *("preparing", "training experts", "distilling", "evaluating", "publishing", "total")
    ]
    assert str(forecast.hardware) in answer.out
    assert "peak memory" in lines[-1]
    assert running.command("forecast", *ASKED, "--json").json["hardware"] == forecast.hardware
    assert "ACTUAL" in running.command("show", done.id).out
    assert "the forecast was" in running.command("wait", done.id).err


def test_a_forecast_asks_for_nothing(running: Running) -> None:
    before = {job["id"] for job in running.command("list", "--limit", 200, "--json").json}
    assert running.command("forecast", *ASKED, "--timeout", "0s").code == 0
    assert {job["id"] for job in running.command("list", "--limit", 200, "--json").json} == before


def test_what_would_be_refused_is_refused(running: Running) -> None:
    answer = running.command("forecast", "digits", "--ipc", 1, "--method", "mtt", "--set", "objective.syn_steps=0")
    assert answer.code == 2
    assert "objective.syn_steps" in answer.err
    nowhere = f"http://127.0.0.1:{free_port()}"
    assert command("forecast", *ASKED, STILLHOUSE_URL=nowhere).code == 9


def test_without_a_measurement_the_rest_is_told() -> None:
    raw = {"seconds": None, "phases": {}, "hardware": None, "basis": {"detail": "No worker has calibrated yet."}}
    found = Forecast.from_json(raw)
    assert (found.seconds, found.hardware, found.peak_mib) == (None, None, None)
    assert found.basis == "No worker has calibrated yet."
    assert beside(found, {"distilling": Phase(1, 1, 2.0)}) == []


def test_durations_are_said_as_people_say_them() -> None:
    said = [duration(seconds) for seconds in (0.42, 7.31, 53, 119, 130, 1500, 8000, 90_000, 604_800)]
    assert said == ["0.4 s", "7.3 s", "53 s", "119 s", "2.2 min", "25 min", "2.2 h", "25 h", "7.0 d"]


def test_an_offer_with_a_field_of_a_newer_service_is_read() -> None:
    offer = {"within": "20m", "seconds": 1130.2, "given_up": [], "images": 3}
    found = Forecast.from_json({"cheaper": offer})
    assert str(found.cheaper) == "Make it cheaper: --within 20m takes about 19 min."
    assert found.raw["cheaper"] == offer


def test_what_a_time_costs_and_what_it_would_buy_is_said() -> None:
    raw: dict[str, Any] = {
        "reference": {"expected": 7200, "low": 3600, "high": 14_400},
        "within": {"seconds": 1200, "given_up": ["network.width 128 -> 32", "evaluation.seeds 5 -> 3"], "phases": {}},
        "cheaper": {"within": "20m", "seconds": 1130.2, "given_up": ["network.width 128 -> 32"]},
    }
    assert remarks(Forecast.from_json(raw)) == [
        "2.0 h of it are the reference on the full training set: once a dataset and network, or never with "
        "--set evaluation.full=null.",
        "Given up for the time: network.width 128 -> 32, evaluation.seeds 5 -> 3.",
        "Make it cheaper: --within 20m takes about 19 min; it gives up network.width 128 -> 32.",
    ]
    assert remarks(Forecast.from_json({})) == total(Forecast.from_json({})) == []
    whole = raw | {"seconds": {"expected": 9000, "low": 4500, "high": 18_000}}
    assert total(Forecast.from_json(whole)) == ["It will take about 2.5 h: four in five 75 min to 5.0 h."]
