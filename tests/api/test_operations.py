"""Health, readiness, metrics, the constant cost of lists, and what the process is made of."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
import redis
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event, text

from api.app import create_app
from api.auth import COOKIE
from api.services import Services
from core.doorbell import QUEUE
from core.ledger import Status
from core.settings import Settings
from tests.api.workshop import ON_SQLITE, Workshop, request
from tests.services import free_port


@contextmanager
def statements(services: Services) -> Iterator[list[str]]:
    """The SQL statements sent meanwhile, transaction control aside."""
    sent: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if not statement.startswith("BEGIN"):
            sent.append(statement)

    engine = services.ledger.database.engine
    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


def test_a_living_process_says_so_and_a_ready_one_says_more(
    client: TestClient, workshop: Workshop, services: Services
) -> None:
    assert client.get("/healthz").json()["status"] == "alive"
    ready = client.get("/readyz").json()
    assert ready["ready"] is True
    assert ready["checks"]["workers"]["alive"] == 0
    workshop.ledger.register_worker("gpu-0@here", "cuda", "here")
    assert client.get("/readyz").json()["checks"]["workers"] == {"alive": 1, "devices": ["cuda"]}


def test_a_database_that_is_away_is_no_surprise(tmp_path_factory: pytest.TempPathFactory) -> None:
    away = f"postgresql://postgres@127.0.0.1:{free_port()}/none"
    home = tmp_path_factory.mktemp("home")
    app = create_app(Settings(home=home, database_url=away))
    client = TestClient(app, raise_server_exceptions=False)  # never started: it could not migrate
    assert client.get("/healthz").status_code == 200
    response = client.get("/readyz")
    assert (response.status_code, response.json()["type"]) == (503, "/problems#not-ready")
    assert response.json()["checks"]["ledger"]["ready"] is False
    for auth in ("off", "keys"):
        app = create_app(Settings(home=home, database_url=away, auth=auth))
        client = TestClient(app, raise_server_exceptions=False, cookies={COOKIE: "token"})
        response = client.get("/v1/jobs")
        assert (response.status_code, response.json()["type"]) == (503, "/problems#not-ready")
        assert int(response.headers["Retry-After"]) > 0


@ON_SQLITE
def test_a_full_disk_is_told_and_no_fault(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def place(*_: object) -> Iterator[IO[bytes]]:
        with Path("/dev/full").open("wb", buffering=0) as file:
            yield file

    monkeypatch.setattr("api.inspector.Inspector.place", place)
    sent = {"params": {"name": "x"}, "content": b"PK", "headers": {"Content-Type": "application/zip"}}
    refused = client.post("/v1/datasets", **sent)
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems#not-ready")
    assert "disk" in refused.json()["detail"]
    assert int(refused.headers["Retry-After"]) > 0
    assert client.get("/readyz").status_code == 200
    monkeypatch.setattr("api.health.LEAST_FREE", 1 << 62)
    assert client.get("/readyz").json()["checks"]["disk"]["ready"] is False


@ON_SQLITE
def test_a_ledger_without_room_is_told_as_a_full_disk(client: TestClient, services: Services) -> None:
    engine = services.ledger.database.engine
    engine.dispose()

    @event.listens_for(engine, "connect")
    def fill(connection: Any, _: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # as many as there are: the rest of the last pages is left

    answers = (client.post("/v1/jobs", json=request(metadata={"note": "x" * 500})) for _ in range(100))
    refused = next(answer for answer in answers if answer.status_code != 202)
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems#not-ready")
    assert "no room left on its disk" in refused.json()["detail"]
    assert client.get("/v1/jobs").status_code == 200


def test_a_request_waits_for_another_writer_no_longer_than_its_client(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.services._LOCK_WAIT", 0.2)
    app = create_app(settings)
    with TestClient(app, raise_server_exceptions=False) as client:
        job_id = client.post("/v1/jobs", json=request()).json()["id"]
        with app.state.services.ledger.database.write() as session:
            session.execute(text("UPDATE jobs SET updated_at = updated_at"))
            refused = client.post(f"/v1/jobs/{job_id}/cancel")
            session.rollback()
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems#not-ready")
        assert int(refused.headers["Retry-After"]) > 0
        assert client.post(f"/v1/jobs/{job_id}/cancel").status_code == 202


def test_metrics_count_jobs_requests_and_routes(workshop: Workshop, services: Services) -> None:
    workshop.job(Status.FAILED)
    job_id = workshop.submit()
    workshop.client.get(f"/v1/jobs/{job_id}")
    workshop.client.get("/wp-admin.php")
    workshop.client.request("BREW", "/v1/jobs")
    exposed = workshop.client.get("/metrics").text
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(exposed)
        for sample in family.samples
    }
    assert samples["stillhouse_jobs", "failed"] == samples["stillhouse_jobs", "queued"] == 1
    assert samples["stillhouse_http_requests_total", "/v1/jobs", "202", "POST"] == 2
    assert samples["stillhouse_http_requests_total", "/v1/jobs/{id}", "200", "GET"] == 1
    assert samples["stillhouse_http_requests_total", "404", "GET", "unmatched"] == 1
    assert ("stillhouse_http_requests_total", "/v1/jobs", "405", "other") in samples
    assert samples["stillhouse_submissions_total", "created"] == 2
    assert "stillhouse_doorbell_failures_total" in exposed
    assert job_id not in exposed


@pytest.mark.parametrize("path", ["/v1/jobs", "/", "/v1/jobs?status=queued&q=dig", "/metrics"])
def test_a_list_costs_the_same_however_long_it_is(workshop: Workshop, services: Services, path: str) -> None:
    workshop.job(Status.FAILED)
    workshop.submit()
    with statements(services) as few:
        workshop.client.get(path)
    for _ in range(12):
        workshop.submit()
    with statements(services) as many:
        workshop.client.get(path)
    assert 0 < len(many) == len(few) <= 13


def test_deleting_a_job_costs_the_same_however_many_there_are(workshop: Workshop, services: Services) -> None:
    doomed = [workshop.submit() for _ in range(2)]
    for place, job_id in enumerate(doomed):
        shown = [("preview", {"step": 1, "sha256": str(place) * 64})]
        assert workshop.ledger.record(workshop.start(job_id), events=shown)
        workshop.fail(job_id)
    sent = []
    for job_id in doomed:
        with statements(services) as each:
            assert workshop.client.delete(f"/v1/jobs/{job_id}").status_code == 204
        sent.append(len(each))
        for _ in range(12):
            workshop.submit()
    assert sent[0] == sent[1] <= 20


def test_a_listing_of_files_costs_the_same_however_long_it_is(workshop: Workshop, services: Services) -> None:
    job_id = workshop.job(Status.SUCCEEDED)
    with statements(services) as sent:
        assert len(workshop.client.get(f"/v1/jobs/{job_id}/files").json()["items"]) > 10
    assert len(sent) <= 5


@ON_SQLITE
def test_a_new_job_rings_the_bell_after_it_is_stored(settings: Settings, redis_url: str) -> None:
    app = create_app(settings.model_copy(update={"broker_url": redis_url}))
    broker = redis.Redis.from_url(redis_url)
    asked = request()
    with TestClient(app) as client:
        job = client.post("/v1/jobs", json=asked).json()
        assert rings(broker) == 1
        assert client.post("/v1/jobs", json=asked).json()["id"] == job["id"]
        assert rings(broker) == 1, "a twin needs no ring"
        client.post("/v1/jobs", json=asked | {"runs_on": "any"})
        assert rings(broker) == 2, "but for workers that may have it now"
        client.post(f"/v1/jobs/{job['id']}/cancel")
        client.post(f"/v1/jobs/{job['id']}/retry")
        assert rings(broker) == 3
    broker.close()


@ON_SQLITE
def test_a_broker_that_is_away_is_the_services_secret(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"broker_url": f"redis://127.0.0.1:{free_port()}/0"}))
    with TestClient(app) as client:
        response = client.post("/v1/jobs", json=request())
        assert response.status_code == 202
        assert client.get(response.headers["Location"]).json()["status"] == "queued"
        assert app.state.services.metrics.registry.get_sample_value("stillhouse_doorbell_failures_total") >= 1


def rings(broker: redis.Redis) -> int:
    """How many rings lie in the queue."""
    return int(sum(broker.llen(key) for key in broker.keys(f"*{QUEUE}") if broker.type(key) == b"list"))


@ON_SQLITE
def test_a_service_open_to_the_network_says_that_it_is(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    for host, warned in (("127.0.0.1", False), ("::1", False), ("localhost", False), ("0.0.0.0", True)):
        caplog.clear()
        with TestClient(create_app(settings.model_copy(update={"host": host}))):
            pass
        assert any("without authentication" in record.message for record in caplog.records) is warned


def test_the_process_is_small_and_starts_at_once() -> None:
    """Under two seconds of processor time, doubled here: beside other tests a second buys half as much."""
    code = """if True:
        import api.app, resource, sys
        print(*sorted({"torch", "torchvision", "sklearn", "celery", "pandas"} & sys.modules.keys()))
        print(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
    """
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy, seconds = run.stdout.splitlines()
    assert heavy == ""
    assert float(seconds) < 4
