"""Forecasts over HTTP: of a body that would be a job, for the hardware that is there, with nothing queued."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.dashboard.figures import duration
from core.budget import candidates
from core.data import Catalogue
from core.ledger import Ledger, Status
from core.methods import method
from core.request import JobOrder, resolve, settle
from core.weight import weight
from tests.api.workshop import METRICS, Workshop, request
from tests.forecast.machines import machine

MEASURED = machine().model_dump(mode="json")
OTHER = machine("H200", slower=0.01).model_dump(mode="json")

BAD: list[tuple[str, dict[str, Any]]] = [
    ("no such dataset", request(dataset="digit")),
    ("no such method", request(method="mt")),
    ("too many images", request(ipc=1000)),
    ("a misspelt field", request() | {"ipcs": 1}),
    ("a missing field", {"dataset": "digits"}),
    ("an override out of range", request(method="mtt", overrides={"objective.syn_steps": 0})),
    ("a meaningless combination", request(overrides={"schedule.steps": 3})),
    ("an override that is not there", request(overrides={"objective.sin_steps": 3})),
]


def ask(client: TestClient, **changes: Any) -> dict[str, Any]:
    response = client.post("/v1/forecasts", json=request(method="mtt") | changes)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_a_forecast_says_what_it_would_cost_and_where(client: TestClient, workshop: Workshop) -> None:
    workshop.ledger.register_worker("w", "cpu", "here", MEASURED)
    found = ask(client)
    assert (found["object"], found["hardware"]) == ("forecast", "Pentium, 1 threads")
    assert found["seconds"]["low"] < found["seconds"]["expected"] < found["seconds"]["high"]
    assert list(found["phases"]) == ["preparing", "training_experts", "distilling", "evaluating", "publishing"]
    assert found["work"]["distilling"] == {"gradient": 240 * 20, "adjoint": 240 * 20}
    assert found["memory"]["peak_mib"] == pytest.approx(found["memory"]["working_mib"] + 500, abs=0.2)
    assert 10 * 13 * 5_000 < found["bytes"]["experts"] < 10 * 13 * 50_000
    assert found["bytes"]["labels"] == 80
    assert "Calibration only" in found["basis"]["detail"]
    assert ask(client, overrides={"schedule.steps": 480})["seconds"]["expected"] > found["seconds"]["expected"]


def test_a_forecast_of_so_many_bytes_is_of_the_compact_file(client: TestClient) -> None:
    sized = {name: value for name, value in request(method="mtt").items() if name != "ipc"}
    answer = client.post("/v1/forecasts", json=sized | {"bytes": "3 kB"})
    assert answer.status_code == 200, answer.text
    order = JobOrder.model_validate(sized | {"bytes": "3 kB"})
    facts = Catalogue(Path("nowhere")).facts("digits")
    asked = settle(order, facts)
    stored = answer.json()["bytes"]
    assert stored["compact"] == weight(resolve(asked, facts), facts, asked.ipc) <= 3000
    assert stored["labels"] == 10 * asked.ipc
    assert stored["artifact"] > stored["compact"]
    assert ask(client)["bytes"]["compact"] is None


@pytest.mark.parametrize("labels", ["hard", "soft"])
def test_a_forecast_of_so_many_bytes_has_room_for_whatever_wins(client: TestClient, labels: str) -> None:
    asked = {"dataset": "digits", "bytes": "3 kB", "labels": labels}
    answer = client.post("/v1/forecasts", json=asked)
    assert answer.status_code == 200, answer.text
    facts = Catalogue(Path("nowhere")).facts("digits")
    settled = settle(JobOrder.model_validate(asked), facts)
    shared, task = resolve(settled, facts), candidates.task(facts, settled.ipc)
    names = (candidates.RANDOM, *candidates.REAL, *candidates.DISTILLED, *(candidates.LABELLED * (labels == "soft")))
    recipes = {
        name: candidates.sharing(method(name).recipe(task), shared, facts, settled.ipc, settled.fixed) for name in names
    }
    weights = {
        name: weight(recipe, facts, settled.ipc)
        for name, recipe in recipes.items()
        if recipe.parameterize.formation == 1  # those of tiles take no part
    }
    assert weights["mtt"] > weights["random"], "a step size is learned"
    assert max(weights.values()) <= answer.json()["bytes"]["compact"] <= 3000


def test_a_target_beyond_what_everything_reached_in_a_job_is_refused(client: TestClient, workshop: Workshop) -> None:
    full = {"n_seeds": 5, "accuracy_mean": 0.97, "accuracy_std": 0.005, "balanced_accuracy_mean": 0.96}
    asked = request(method="mtt", target="99%", within="1h")
    del asked["ipc"]
    assert client.post("/v1/forecasts", json=asked).status_code == 200
    job_id = workshop.submit(method="mtt", ipc=10)
    assert workshop.ledger.succeed(workshop.start(job_id), [], METRICS | {"results": {"full": full}})
    refused = client.post("/v1/forecasts", json=asked)
    assert refused.status_code == 422, refused.text
    (error,) = refused.json()["errors"]
    assert (error["field"], job_id in error["message"]) == ("target.accuracy", True)
    (most,) = re.findall(r"at most ([\d.]+)\.$", error["fix"])
    assert 0.96 < float(most) < 0.97
    assert client.post("/v1/forecasts", json=asked | {"target": {"accuracy": float(most)}}).status_code == 200
    other = asked | {"overrides": {"network.width": 16}}
    assert client.post("/v1/forecasts", json=other).status_code == 200, "another network may reach more"


@pytest.mark.parametrize(
    ("deviation", "target", "status"),
    [
        (0.03, "97%", 200),  # 95 % of such networks reach 92 to 99.7 %
        (0.03, "99.9%", 422),
        (None, "99.9%", 200),  # a job of old says no deviation
    ],
)
def test_a_target_of_balanced_accuracy_is_held_against_the_deviation_of_it(
    deviation: float | None, target: str, status: int, client: TestClient, workshop: Workshop
) -> None:
    full = {"n_seeds": 5, "accuracy_mean": 0.99, "accuracy_std": 0.0005, "balanced_accuracy_mean": 0.96}
    full |= {} if deviation is None else {"balanced_accuracy_std": deviation}
    asked = request(method="mtt", target=target, within="1h", overrides={"evaluation.measure": "balanced"})
    del asked["ipc"]
    job_id = workshop.submit(method="mtt", ipc=10, overrides={"evaluation.measure": "balanced"})
    assert workshop.ledger.succeed(workshop.start(job_id), [], METRICS | {"results": {"full": full}})
    assert client.post("/v1/forecasts", json=asked).status_code == status


def test_a_forecast_creates_no_job(client: TestClient, workshop: Workshop) -> None:
    workshop.ledger.register_worker("w", "cpu", "here", MEASURED)
    ask(client)
    assert client.get("/v1/jobs").json()["items"] == []
    assert sum(workshop.ledger.counts().values()) == 0


@pytest.mark.parametrize(("case", "body"), BAD, ids=[case for case, _ in BAD])
def test_what_no_job_may_be_no_forecast_is_of(client: TestClient, case: str, body: dict[str, Any]) -> None:
    job, forecast = (client.post(path, json=body) for path in ("/v1/jobs", "/v1/forecasts"))
    assert forecast.status_code == job.status_code == 422
    told = [{k: v for k, v in r.json().items() if k not in ("instance", "request_id")} for r in (job, forecast)]
    assert told[0] == told[1]
    assert all(error["fix"] for error in told[0]["errors"])


def test_what_no_worker_has_the_memory_for_is_refused(client: TestClient, workshop: Workshop) -> None:
    tight = MEASURED | {"free_bytes": 20 * 2**20}
    workshop.ledger.register_worker("w", "cpu", "here", tight)
    wide = request(method="mtt", overrides={"network.width": 512})
    for path in ("/v1/forecasts", "/v1/jobs"):
        refused = client.post(path, json=wide)
        assert refused.status_code == 422
        (error,) = refused.json()["errors"]
        assert (error["field"], "more memory" in error["fix"]) == ("overrides.network", True)
    assert client.post("/v1/jobs", json=request(method="mtt")).status_code == 202
    workshop.ledger.register_worker("v", "cpu", "there", MEASURED | {"free_bytes": 2**36})
    assert client.post("/v1/jobs", json=wide).status_code == 202


HOURS = machine(slower=0.35).model_dump(mode="json")
FASHION = {"dataset": "fashion-mnist", "ipc": 10, "method": "mtt"}


def test_a_job_within_a_time_is_fitted_into_it(client: TestClient, workshop: Workshop) -> None:
    workshop.ledger.register_worker("w", "cpu", "here", HOURS)
    whole, found = ask(client, **FASHION), ask(client, **FASHION, within="20m")
    assert whole["within"] is None
    assert whole["seconds"]["expected"] > 86_400
    assert found["seconds"]["expected"] < 1200 < 2 * found["seconds"]["expected"]
    assert (found["within"]["seconds"], found["cheaper"]) == (1200, None)
    assert "network.width 128 -> 32" in found["within"]["given_up"]
    bare = sum(found["within"]["phases"].values()) + (found["reference"] or {"expected": 0})["expected"]
    assert bare == pytest.approx(found["seconds"]["expected"], rel=0.01)

    job = client.post("/v1/jobs", json=FASHION | {"within": "20m", "overrides": {"experts.count": 5}}).json()
    assert (job["recipe"]["network"]["width"], job["recipe"]["experts"]["count"]) == (32, 5)
    assert job["request"]["within"] == 1200
    assert job["forecast"]["within"]["seconds"] == 1200


def test_a_time_that_is_too_short_is_refused_with_one_that_will_do(client: TestClient, workshop: Workshop) -> None:
    workshop.ledger.register_worker("w", "cpu", "here", HOURS)
    for path in ("/v1/forecasts", "/v1/jobs"):
        refused = client.post(path, json=FASHION | {"within": "9s"})
        assert refused.status_code == 422
        (error,) = refused.json()["errors"]
        assert error["field"] == "within"
        enough = error["fix"].split("'")[1]
        assert client.post(path, json=FASHION | {"within": enough}).status_code in (200, 202)
    (error,) = client.post("/v1/jobs", json=FASHION | {"within": "25h"}).json()["errors"]
    assert error["fix"] == "Set within to at most '24h'."
    dear = {"overrides": {"schedule.steps": 10**6, "network.width": 1024}}
    (error,) = client.post("/v1/jobs", json=FASHION | dear | {"within": "9s"}).json()["errors"]
    assert "'24h'" in error["fix"], "a longer time would be refused, too"
    assert "at least" not in error["fix"]
    (error,) = client.post("/v1/jobs", json=FASHION | {"within": "soon"}).json()["errors"]
    assert (error["field"], error["fix"]) == ("within", "Write '20m' for twenty minutes.")


def test_only_an_ipc_that_was_asked_for_is_to_be_lowered(client: TestClient) -> None:
    for size, lower in ({"ipc": 2}, True), ({"ipc": 1}, False), ({"target": "50%"}, False):
        body = {"dataset": "digits", "method": "mtt", "within": "1s", **size}
        (error,) = client.post("/v1/forecasts", json=body).json()["errors"]
        assert ("lower ipc" in error["fix"]) == lower, size


def test_a_share_of_the_gap_is_refused_where_its_upper_end_is_left_out(client: TestClient) -> None:
    body = {"dataset": "digits", "target": {"gap": 0.5}, "within": "20m"}
    for left_out in {"evaluation": {"full": None}}, {"overrides": {"evaluation.full": None}}:
        refused = client.post("/v1/forecasts", json=body | left_out)
        assert refused.status_code == 422
        assert [error["field"] for error in refused.json()["errors"]] == ["target.gap"]
        instead = body | left_out | {"target": {"accuracy": 0.5}}
        assert client.post("/v1/forecasts", json=instead).status_code == 200
    assert client.post("/v1/forecasts", json=body).status_code == 200


def test_before_a_worker_has_measured_a_job_is_fitted_to_an_assumed_machine(client: TestClient) -> None:
    found = ask(client, **FASHION, within="20m")
    assert (found["seconds"], found["hardware"]) == (None, None)
    assert "network.width 128 -> 32" in found["within"]["given_up"]


def test_what_takes_hours_is_offered_in_minutes(client: TestClient, workshop: Workshop) -> None:
    workshop.ledger.register_worker("w", "cpu", "here", HOURS)
    cheaper = ask(client, **FASHION)["cheaper"]
    assert cheaper["within"] == "20m"
    assert cheaper["seconds"] <= 1200
    assert tuple(cheaper["given_up"]) == tuple(ask(client, **FASHION, within="20m")["within"]["given_up"])
    assert ask(client)["cheaper"] is None, "this one takes seconds"


def test_the_reference_is_a_cost_of_its_own(client: TestClient, workshop: Workshop) -> None:
    workshop.ledger.register_worker("w", "cpu", "here", HOURS)
    found = ask(client)
    without = ask(client, evaluation={"full": None})
    assert without["reference"] is None
    assert found["seconds"]["expected"] - found["reference"]["expected"] == pytest.approx(
        without["seconds"]["expected"], rel=0.01
    )


def test_a_body_that_is_not_json_is_refused(client: TestClient) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.post("/v1/forecasts", content=b"a=b", headers=form).status_code == 415
    half = client.post("/v1/forecasts", content=b'{"ipc"', headers={"Content-Type": "application/json"})
    assert half.status_code == 400
    huge = '{"dataset": "digits", "ipc": 1, "method": "mtt", "overrides": {"schedule.image_lr": NaN}}'
    assert client.post("/v1/forecasts", content=huge, headers={"Content-Type": "application/json"}).status_code == 422


def test_before_a_worker_has_measured_memory_and_bytes_are_known_and_seconds_are_not(client: TestClient) -> None:
    response = client.post("/v1/forecasts", json=request(method="mtt"))
    found = response.json()
    assert int(response.headers["Retry-After"]) > 0
    assert (found["seconds"], found["hardware"], found["phases"]) == (None, None, {})
    assert found["memory"]["working_mib"] > 0
    assert found["bytes"]["experts"] > 0
    assert "stillhouse serve" in found["basis"]["detail"]


def test_the_hardware_is_what_most_workers_have(client: TestClient, workshop: Workshop) -> None:
    for name, measured in (("a", OTHER), ("b", MEASURED), ("c", MEASURED), ("d", None)):
        workshop.ledger.register_worker(name, "cpu", "here", measured)
    assert ask(client)["hardware"] == "Pentium, 1 threads"


def test_a_measurement_of_another_version_or_form_does_not_count(client: TestClient, workshop: Workshop) -> None:
    workshop.ledger.register_worker("old", "cpu", "here", MEASURED | {"engine": "0"})
    workshop.ledger.register_worker("odd", "cpu", "here", {"hardware": "Pentium"})
    assert ask(client)["seconds"] is None


def test_a_job_carries_its_forecast_beside_what_it_took(client: TestClient, workshop: Workshop) -> None:
    workshop.ledger.register_worker("w", "cpu", "here", MEASURED)
    job_id = workshop.submit(method="mtt")
    submitted = client.get(f"/v1/jobs/{job_id}").json()
    expected = submitted["forecast"]
    assert expected == ask(client, seed=submitted["seed"])
    phases = {"distilling": {"done": 240, "total": 240, "seconds": 12.5}}
    assert workshop.ledger.record(workshop.start(job_id), phase="distilling", progress={"done": 1, "phases": phases})
    workshop.succeed(job_id)
    job = client.get(f"/v1/jobs/{job_id}").json()
    assert job["forecast"] == expected
    assert job["progress"]["phases"]["distilling"]["seconds"] == 12.5
    page = client.get(f"/jobs/{job_id}").text
    assert f"expected {duration(expected['phases']['distilling']['expected'])}" in page
    assert duration(12.5) in page


def test_past_jobs_correct_the_next_forecast(client: TestClient, workshop: Workshop) -> None:
    workshop.ledger.register_worker("w", "cpu", "here", MEASURED)
    first = ask(client)
    for _ in range(3):
        job_id = workshop.submit(method="mtt")
        phases = {
            name: {"done": 1, "total": 1, "seconds": 2 * phase["uncached"]} for name, phase in first["phases"].items()
        }
        assert workshop.ledger.record(workshop.start(job_id), phase="publishing", progress={"phases": phases})
        workshop.succeed(job_id)
    found = ask(client)
    assert (found["basis"]["jobs"], found["basis"]["method_jobs"]) == (3, 3)
    doubled = pytest.approx(2 * first["phases"]["distilling"]["expected"], rel=1e-3)
    assert found["phases"]["distilling"]["expected"] == doubled
    assert found["reuse"]["experts"] == 10, "their experts are in the cache"
    workshop.ledger.register_worker("x", "cpu", "there", OTHER)
    workshop.ledger.register_worker("y", "cpu", "there", OTHER)
    assert ask(client)["basis"]["jobs"] == 0, "on other hardware nothing is known of them"


def test_a_job_submitted_before_any_measurement_shows_no_seconds(client: TestClient, workshop: Workshop) -> None:
    job_id = workshop.job(Status.RUNNING, method="mtt")
    assert client.get(f"/v1/jobs/{job_id}").json()["forecast"]["seconds"] is None
    assert client.get(f"/jobs/{job_id}").status_code == 200


def test_a_row_without_a_forecast_is_shown(client: TestClient, services: Any) -> None:
    ledger: Ledger = services.ledger
    job = ledger.submit({"dataset": "digits"}, {}, dataset="digits", method="mtt", ipc=1, seed=0).job
    assert client.get(f"/v1/jobs/{job.id}").json()["forecast"] is None
    assert client.get(f"/jobs/{job.id}").status_code == 200
