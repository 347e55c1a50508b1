"""Ways to go wrong in a request, each with the kind of problem that answers it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import text

from api.app import create_app
from api.known_job import known_job
from api.problems import Kind
from api.services import Services
from core.ledger import File, Reach, Status, new_upload_id
from tests.api.workshop import Workshop, request

JSON = {"Content-Type": "application/json"}
NOBODY = "job_00000000000000000000000000"

Break = Callable[[Workshop, Services], Any]
"""Does what must go wrong; returns the response."""


def post(body: bytes, **headers: str) -> Break:
    return lambda shop, services: shop.client.post("/v1/jobs", content=body, headers=JSON | headers)


def get(path: str, status: Status | None = None, **headers: str) -> Break:
    def act(shop: Workshop, services: Services) -> Any:
        job_id = shop.job(status) if status else NOBODY
        return shop.client.get(path.replace("{id}", job_id), headers=headers)

    return act


def act(verb: str, status: Status | None) -> Break:
    return lambda shop, services: shop.client.post(f"/v1/jobs/{shop.job(status) if status else NOBODY}/{verb}")


def delete(status: Status) -> Break:
    return lambda shop, services: shop.client.delete(f"/v1/jobs/{shop.job(status)}")


def deleted_meanwhile(verb: str) -> Break:
    """A job that is there when a request about it begins, and is deleted before the request does its work."""

    def act(shop: Workshop, services: Services) -> Any:
        job = services.ledger.job(shop.job(Status.CANCELLED))
        services.ledger.delete(job.id, services.store.delete)
        known = shop.client.app.dependency_overrides
        known[known_job] = lambda: job
        path = f"/v1/jobs/{job.id}"
        try:
            return shop.client.post(f"{path}/{verb}") if verb else shop.client.delete(path)
        finally:
            known.clear()

    return act


def broken_bundle(shop: Workshop, services: Services) -> Any:
    services.settings.datasets.mkdir(parents=True)
    (services.settings.datasets / "broken.npz").write_bytes(b"not a zip")
    return shop.client.get("/v1/datasets/broken")


def lost_blob(shop: Workshop, services: Services) -> Any:
    job_id = shop.job(Status.SUCCEEDED)
    file = services.ledger.file(job_id, "report.json")
    assert file is not None
    services.store.delete(file.sha256)
    return shop.client.get(f"/v1/jobs/{job_id}/report")


def foreign_report(shop: Workshop, services: Services) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        artifact = Path(shutil.copytree(shop.artifact, Path(folder, "artifact")))
        (artifact / "report.json").write_text('{"results": 1}')
        job_id = replace(shop, artifact=artifact).job(Status.SUCCEEDED)
    return shop.client.get(f"/v1/jobs/{job_id}/sections")


@contextmanager
def without(table: str, services: Services) -> Iterator[None]:
    """A database that lacks a table for a while."""

    def rename(before: str, after: str) -> None:
        with services.ledger.database.write() as session:
            session.execute(text(f"ALTER TABLE {before} RENAME TO {after}"))

    rename(table, "elsewhere")
    yield
    rename("elsewhere", table)


def nonsense_row(shop: Workshop, services: Services) -> Any:
    job_id = shop.submit()
    with services.ledger.database.write() as session:
        session.execute(text("UPDATE jobs SET request = '[]'"))
    return shop.client.get(f"/v1/jobs/{job_id}")


def lost_schema(shop: Workshop, services: Services) -> Any:
    with without("alembic_version", services):
        return shop.client.get("/readyz")


def reused_key(shop: Workshop, services: Services) -> Any:
    headers = {"Idempotency-Key": "k"}
    shop.client.post("/v1/jobs", json=request(), headers=headers)
    return shop.client.post("/v1/jobs", json=request(), headers=headers)


def resumed_beside_an_equal_one(shop: Workshop, services: Services) -> Any:
    asked = request()
    first = shop.client.post("/v1/jobs", json=asked).json()["id"]
    shop.client.post(f"/v1/jobs/{first}/pause")
    shop.client.post("/v1/jobs", json=asked)
    return shop.client.post(f"/v1/jobs/{first}/resume")


def needed_dataset(shop: Workshop, services: Services) -> Any:
    services.ledger.uploads.add(upload_id := new_upload_id(), "pets", None, 1)
    services.ledger.submit({}, {}, dataset=upload_id, method="random", ipc=1, seed=0)
    return shop.client.delete(f"/v1/datasets/{upload_id}")


def guarded(method: str, path: str, *scopes: str, **limits: int) -> Break:
    """Asks a service with keys and these limits twice, with a key of these scopes if there are any."""

    def act(shop: Workshop, services: Services) -> Any:
        headers = {}
        if scopes:
            _, secret = services.ledger.keys.create("alice", "test", scopes)
            headers["Authorization"] = f"Bearer {secret}"
        with TestClient(create_app(services.settings.model_copy(update={"auth": "keys"} | limits))) as client:
            for _ in range(2):
                response = client.request(method, path, json=request() if method == "POST" else None, headers=headers)
        return response

    return act


def results_full(shop: Workshop, services: Services) -> Any:
    theirs = services.ledger.within(Reach("alice", everything=False))
    theirs.submit({}, {}, dataset="digits", method="random", ipc=1, seed=0)
    claim = services.ledger.claim("worker", 60.0)
    assert claim is not None
    assert services.ledger.succeed(claim, [File("README.md", 10, "a" * 64, "text/markdown")])
    return guarded("POST", "/v1/jobs", "jobs:write", max_result_bytes=10)(shop, services)


def a_webhook_too_many(shop: Workshop, services: Services) -> Any:
    answers = [shop.client.post("/v1/webhooks", json={"url": "https://example.org"}) for _ in range(21)]
    return answers[-1]


def sent_nothing(shop: Workshop, services: Services) -> Any:
    made = shop.client.post("/v1/webhooks", json={"url": "https://example.org"}).json()
    return shop.client.post(f"/v1/webhooks/{made['id']}/deliveries/msg_1/replay")


PATHS: list[tuple[str, Kind, Break]] = [
    ("half a body", Kind.MALFORMED_BODY, post(b'{"dataset": "digits",\n  "ipc" 1}')),
    ("no text at all", Kind.MALFORMED_BODY, post(b"\xff\xfe\x00")),
    ("a number of 6000 digits", Kind.MALFORMED_BODY, post(b'{"ipc": ' + b"1" * 6000 + b"}")),
    ("a nesting of 100,000", Kind.MALFORMED_BODY, post(b"[" * 100_000)),
    ("a form", Kind.UNSUPPORTED_MEDIA_TYPE, post(b"a=b", **{"Content-Type": "application/x-www-form-urlencoded"})),
    ("a huge body", Kind.BODY_TOO_LARGE, post(b" " * (2**20 + 1))),
    ("no body", Kind.INVALID_REQUEST, post(b"")),
    ("not an object", Kind.INVALID_REQUEST, post(b"[]")),
    ("a surrogate", Kind.INVALID_REQUEST, post(b'{"\\ud800": "\\ud800"}')),
    ("a key beyond ASCII", Kind.INVALID_REQUEST, post(b"{}", **{"Idempotency-Key": "x" * 300})),
    ("another key's body", Kind.IDEMPOTENCY_CONFLICT, reused_key),
    ("another site", Kind.CROSS_ORIGIN, post(b"{}", Origin="http://elsewhere.example")),
    ("an opaque origin", Kind.CROSS_ORIGIN, post(b"{}", Origin="null")),
    ("an origin that is none", Kind.CROSS_ORIGIN, post(b"{}", Origin="http://[")),
    ("a stranger's name", Kind.MISDIRECTED, get("/v1/jobs", Host="evil.example")),
    ("no such path", Kind.NOT_FOUND, get("/v2/jobs")),
    ("no such static file", Kind.NOT_FOUND, get("/static/../app.py")),
    ("no such method here", Kind.METHOD_NOT_ALLOWED, lambda shop, services: shop.client.delete("/v1/jobs")),
    ("a page size of 0", Kind.INVALID_REQUEST, get("/v1/jobs?limit=0")),
    ("a page size of 201", Kind.INVALID_REQUEST, get("/v1/jobs?limit=201")),
    ("a status of our own making", Kind.INVALID_REQUEST, get("/v1/jobs?status=done")),
    ("a wait of an hour", Kind.INVALID_REQUEST, get("/v1/jobs/{id}?wait=3600", Status.QUEUED)),
    ("a wait that is no number", Kind.INVALID_REQUEST, get("/v1/jobs/{id}?wait=nan", Status.QUEUED)),
    ("a cursor made up", Kind.INVALID_CURSOR, get("/v1/jobs?after=abc")),
    ("an event id made up", Kind.INVALID_REQUEST, get("/v1/jobs/{id}/events", Status.QUEUED, **{"Last-Event-ID": "x"})),
    ("no such job", Kind.UNKNOWN_JOB, get("/v1/jobs/{id}")),
    ("no job's id", Kind.UNKNOWN_JOB, get("/v1/jobs/%00%ff..")),
    ("no such job to wait for", Kind.UNKNOWN_JOB, get("/v1/jobs/{id}?wait=30")),
    ("no such job to follow", Kind.UNKNOWN_JOB, get("/v1/jobs/{id}/events", Accept="text/event-stream")),
    ("no such job to cancel", Kind.UNKNOWN_JOB, act("cancel", None)),
    ("a cancel as it is deleted", Kind.UNKNOWN_JOB, deleted_meanwhile("cancel")),
    ("a finish as it is deleted", Kind.UNKNOWN_JOB, deleted_meanwhile("finish")),
    ("a second delete at once", Kind.UNKNOWN_JOB, deleted_meanwhile("")),
    ("no such job to retry", Kind.UNKNOWN_JOB, act("retry", None)),
    ("no such job's page", Kind.UNKNOWN_JOB, get("/jobs/{id}")),
    ("no such dataset", Kind.UNKNOWN_DATASET, get("/v1/datasets/digit")),
    ("a broken dataset", Kind.INVALID_DATASET, broken_bundle),
    ("no such method", Kind.UNKNOWN_METHOD, get("/v1/methods/mt")),
    ("a method on no dataset", Kind.INVALID_REQUEST, get("/v1/methods/mtt?dataset=digit")),
    ("a method at too much ipc", Kind.INVALID_REQUEST, get("/v1/methods/mtt?ipc=1000")),
    ("cancel after success", Kind.ALREADY_FINISHED, act("cancel", Status.SUCCEEDED)),
    ("cancel after failure", Kind.ALREADY_FINISHED, act("cancel", Status.FAILED)),
    ("pause after success", Kind.ALREADY_FINISHED, act("pause", Status.SUCCEEDED)),
    ("resume after a cancel", Kind.ALREADY_FINISHED, act("resume", Status.CANCELLED)),
    ("finish after success", Kind.ALREADY_FINISHED, act("finish", Status.SUCCEEDED)),
    ("finish of a job at its end", Kind.ALREADY_FINISHED, act("finish", Status.CANCELLING)),
    ("resume beside an equal job", Kind.NOT_RESUMABLE, resumed_beside_an_equal_one),
    ("delete while it waits", Kind.JOB_ACTIVE, delete(Status.QUEUED)),
    ("delete while it runs", Kind.JOB_ACTIVE, delete(Status.RUNNING)),
    ("retry of a queued job", Kind.NOT_RETRYABLE, act("retry", Status.QUEUED)),
    ("retry of a running job", Kind.NOT_RETRYABLE, act("retry", Status.RUNNING)),
    ("retry of a success", Kind.NOT_RETRYABLE, act("retry", Status.SUCCEEDED)),
    ("files before the end", Kind.NOT_SUCCEEDED, get("/v1/jobs/{id}/files", Status.QUEUED)),
    ("a file before the end", Kind.NOT_SUCCEEDED, get("/v1/jobs/{id}/files/report.json", Status.RUNNING)),
    ("the archive of a failure", Kind.NOT_SUCCEEDED, get("/v1/jobs/{id}/archive.zip", Status.FAILED)),
    ("the picture of a cancelled job", Kind.NOT_SUCCEEDED, get("/v1/jobs/{id}/preview.png", Status.CANCELLED)),
    ("the report of a job at its end", Kind.NOT_SUCCEEDED, get("/v1/jobs/{id}/report", Status.CANCELLING)),
    ("no key", Kind.UNAUTHENTICATED, guarded("GET", "/v1/jobs")),
    ("a key for looking", Kind.FORBIDDEN, guarded("POST", "/v1/jobs", "jobs:read")),
    ("a job too many", Kind.QUOTA_EXCEEDED, guarded("POST", "/v1/jobs", "jobs:write", max_open_jobs=1)),
    ("a result too many", Kind.RESULTS_FULL, results_full),
    ("a request too many", Kind.TOO_MANY_REQUESTS, guarded("GET", "/v1/jobs", "jobs:read", max_requests=1)),
    ("a dataset that is needed", Kind.DATASET_IN_USE, needed_dataset),
    ("no such key", Kind.UNKNOWN_KEY, guarded("DELETE", "/v1/keys/key_1", "jobs:read")),
    ("keys where there are none", Kind.KEYS_OFF, get("/v1/keys")),
    ("no such artifact", Kind.UNKNOWN_ARTIFACT, get(f"/v1/artifacts/sha256:{'0' * 64}")),
    ("no digest", Kind.INVALID_REQUEST, get("/v1/artifacts/sha256:0")),
    ("no such webhook", Kind.UNKNOWN_WEBHOOK, get("/v1/webhooks/hook_1")),
    ("no such delivery", Kind.UNKNOWN_DELIVERY, sent_nothing),
    ("a webhook too many", Kind.TOO_MANY_WEBHOOKS, a_webhook_too_many),
    ("no such link", Kind.UNKNOWN_LINK, get("/v1/links/nothing")),
    ("no such file", Kind.UNKNOWN_FILE, get("/v1/jobs/{id}/files/absent", Status.SUCCEEDED)),
    (
        "a range beyond the end",
        Kind.RANGE_NOT_SATISFIABLE,
        get("/v1/jobs/{id}/files/report.json", Status.SUCCEEDED, Range="bytes=1000000-"),
    ),
    ("a report that is none", Kind.UNREADABLE_REPORT, foreign_report),
    ("a lost blob", Kind.NOT_READY, lost_blob),
    ("a lost schema", Kind.NOT_READY, lost_schema),
    ("a row that makes no sense", Kind.INTERNAL, nonsense_row),
]
