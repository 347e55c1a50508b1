"""One shape for every error, on every path that leads to one."""

from __future__ import annotations

import difflib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.app import create_app
from api.problems import Kind, sentence
from api.services import Services
from core.ledger import Status, new_upload_id
from tests.api.workshop import ON_SQLITE, Workshop, request

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
    ("a request too many", Kind.TOO_MANY_REQUESTS, guarded("GET", "/v1/jobs", "jobs:read", max_requests=1)),
    ("a dataset that is needed", Kind.DATASET_IN_USE, needed_dataset),
    ("no such key", Kind.UNKNOWN_KEY, guarded("DELETE", "/v1/keys/key_1", "jobs:read")),
    ("keys where there are none", Kind.KEYS_OFF, get("/v1/keys")),
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


@pytest.mark.parametrize(("kind", "break_it"), [path[1:] for path in PATHS], ids=[path[0] for path in PATHS])
def test_every_error_is_a_problem_document(workshop: Workshop, services: Services, kind: Kind, break_it: Break) -> None:
    response = break_it(workshop, services)
    document = response.json()
    assert response.headers["Content-Type"] == "application/problem+json"
    assert (response.status_code, document["status"]) == (kind.status, kind.status)
    assert (document["type"], document["title"]) == (kind.uri, kind.title)
    assert document["detail"]
    assert document["instance"] == response.request.url.raw_path.decode().partition("?")[0]
    assert document["request_id"] == response.headers["X-Request-Id"]
    assert document.keys() <= {
        *("type", "title", "status", "detail", "instance", "request_id", "hint", "errors", "checks"),
        *("allowed", "current"),
    }
    if kind is Kind.INVALID_REQUEST:
        assert document["errors"]
    for error in document.get("errors", ()):
        assert error.keys() == {"field", "message", "fix"}
        assert all(error.values())
    assert "Traceback" not in response.text
    assert "sqlite" not in response.text.lower() or kind is Kind.NOT_READY


def test_every_kind_of_problem_is_provoked_here() -> None:
    assert {path[1] for path in PATHS} == set(Kind)


@ON_SQLITE
@pytest.mark.parametrize(
    ("changes", "field", "word"),
    [
        ({"dataset": "digit"}, "dataset", "digits"),
        ({"dataset": ""}, "dataset", "at least 1"),
        ({"dataset": "../digits"}, "dataset", "digits"),
        ({"method": "mt"}, "method", "mtt"),
        ({"ipc": 0}, "ipc", "at least 1"),
        ({"ipc": -3}, "ipc", "at least 1"),
        ({"ipc": 126}, "ipc", "at most 125"),
        ({"ipc": 10**30}, "ipc", "at most"),
        ({"ipc": "1"}, "ipc", "without quotes"),
        ({"ipc": 1.5}, "ipc", "integer"),
        ({"ipc": True}, "ipc", "integer"),
        ({"ratio": 0.1}, "ratio", "Leave one of them out"),
        ({"seed": -1}, "seed", "at least 0"),
        ({"seed": 2**63}, "seed", "less than"),
        ({"images_per_class": 1}, "images_per_class", "ipc"),
        ({"overrides": []}, "overrides", "object"),
        ({"overrides": {"schedule.step": 9}}, "overrides.schedule.step", "steps"),
        ({"overrides": {"schedule.steps": -9}}, "overrides.schedule.steps", "at least 0"),
        ({"overrides": {"objective.kind": "magic"}}, "overrides.objective.kind", "trajectory"),
        ({"overrides": {"": 1}}, "overrides.", "Use one of"),
        ({"overrides": {"network.width": 10**9}}, "overrides.network.width", "at most"),
        ({"overrides": {"init.kind": "noise"}}, "overrides.init.kind", "real"),
        ({"evaluation": {"seeds": 0}}, "evaluation.seeds", "at least 1"),
        ({"evaluation": {"seed": 1}}, "evaluation.seed", "seeds"),
    ],
)
def test_a_field_at_fault_is_named_with_its_fix(
    client: TestClient, changes: dict[str, object], field: str, word: str
) -> None:
    response = client.post("/v1/jobs", json=request() | changes)
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error["field"] == field
    assert word in f"{error['message']} {error['fix']}"
    assert client.get("/v1/jobs").json()["items"] == []


@ON_SQLITE
@pytest.mark.parametrize(
    "changes",
    [
        {f"datase{number}": 1 for number in range(20_000)},
        {"overrides": {"schedule.stages": {"count": 2, "each": [1] * 20_000}}},
        {"evaluation": {"across": [{"kind": f"x{number}"} for number in range(5_000)]}},
        {"overrides": {"a." * 300_000: 1}},
        {"overrides": {"x" * 900_000: 1}},
        {"x" * 900_000: 1},
    ],
    ids=["fields", "stages", "kinds", "dots", "path", "field"],
)
def test_a_refusal_is_short_however_much_is_wrong(
    client: TestClient, changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    explained: list[object] = []
    compare = difflib.get_close_matches
    monkeypatch.setattr(difflib, "get_close_matches", lambda *a, **k: (explained.append(a), compare(*a, **k))[1])
    response = client.post("/v1/jobs", json=request() | changes)
    assert response.status_code == 422
    assert len(response.content) < 20_000
    assert len(explained) <= 50 >= len(response.json()["errors"])


@ON_SQLITE
@pytest.mark.parametrize(
    ("size", "field", "word"),
    [
        ({}, "ipc", "Add 'ipc'"),
        ({"ipc": None}, "ipc", "integer"),
        ({"ratio": None}, "ratio", "number"),
        ({"ratio": 0}, "ratio", "more than 0"),
        ({"ratio": 1.5}, "ratio", "at most 1"),
        ({"ratio": "0.1"}, "ratio", "number"),
    ],
)
def test_how_small_is_asked_for_with_its_fix(
    client: TestClient, size: dict[str, object], field: str, word: str
) -> None:
    response = client.post("/v1/jobs", json={"dataset": "digits", "method": "random", **size})
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error["field"] == field
    assert word in f"{error['message']} {error['fix']}"


@ON_SQLITE
def test_all_faults_are_named_at_once(client: TestClient) -> None:
    response = client.post("/v1/jobs", json={"ipc": 0, "method": 3, "overrides": 1, "extra": None})
    assert {error["field"] for error in response.json()["errors"]} == {"dataset", "ipc", "method", "overrides", "extra"}
    response = client.post("/v1/jobs", json=request(dataset="none", method="none"))
    assert {error["field"] for error in response.json()["errors"]} == {"dataset", "method"}


@ON_SQLITE
@pytest.mark.parametrize(
    "value",
    [
        "NaN",
        "-Infinity",
        '"\\ud800"',
        '"\\u0000"',
        '{"\\u0000": [NaN]}',
        "1e999",
        "[" * 500 + "]" * 500,
        '"x"' + " " * 9999,
    ],
)
def test_no_value_breaks_the_service(client: TestClient, value: str) -> None:
    """An override may replace another one whole, so a value may never be looked at by the recipe."""
    for body in (
        f'{{"dataset": "digits", "ipc": 1, "method": "random", "overrides": {{"schedule.steps": {value}}}}}',
        f'{{"dataset": "digits", "ipc": 1, "method": "random", "overrides": {{"init.kind": {value}, "init": {{}}}}}}',
        f'{{"dataset": "digits", "ipc": 1, "method": "random", "evaluation": {value}}}',
        f'{{"dataset": {value}, "ipc": {value}, "method": {value}, "seed": {value}}}',
        value,
    ):
        response = client.post("/v1/jobs", content=body, headers=JSON)
        assert response.status_code in (202, 400, 422), response.text


@ON_SQLITE
def test_a_refused_method_names_all_that_the_path_answers(client: TestClient) -> None:
    response = client.put("/v1/jobs")
    assert response.headers["Allow"] == "GET, POST"
    assert client.post(f"/v1/jobs/{NOBODY}/files/x").headers["Allow"] == "GET, HEAD"


@ON_SQLITE
def test_a_malformed_body_is_located(client: TestClient) -> None:
    response = client.post("/v1/jobs", content=b'{\n  "ipc" 1}', headers=JSON)
    assert "line 2, column 9" in response.json()["detail"]


@ON_SQLITE
def test_a_body_just_small_enough_is_read(client: TestClient, services: Services) -> None:
    body = b'{"dataset": "digits", "ipc": 1, "method": "random"}'
    padded = body + b" " * (services.settings.max_body_bytes - len(body))
    assert client.post("/v1/jobs", content=padded, headers=JSON).status_code == 202


@ON_SQLITE
def test_the_client_may_name_its_request(client: TestClient) -> None:
    assert client.get("/healthz", headers={"X-Request-Id": "ci-7"}).headers["X-Request-Id"] == "ci-7"
    assert client.get("/nowhere", headers={"X-Request-Id": "ci-7"}).json()["request_id"] == "ci-7"
    for odd in ("a b", "x" * 65, "<script>"):
        assert client.get("/healthz", headers={"X-Request-Id": odd}).headers["X-Request-Id"].startswith("req_")


@ON_SQLITE
def test_the_services_own_pages_may_change_things(client: TestClient) -> None:
    response = client.post("/v1/jobs", json=request(), headers={"Origin": "http://testserver"})
    assert response.status_code == 202


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("keras-mnist.npz: holds no array x_train", "keras-mnist.npz: holds no array x_train."),
        ("my set.NPZ: a name is lower-case!", "my set.NPZ: a name is lower-case!"),
        ("there is no dataset 'a.npz'; list them", "There is no dataset 'a.npz'; list them."),
    ],
)
def test_a_sentence_begins_with_a_capital_and_a_file_with_its_name(message: str, told: str) -> None:
    assert sentence(ValueError(message)) == told


@ON_SQLITE
def test_the_page_of_problems_explains_every_kind(client: TestClient) -> None:
    page = client.get("/problems").text
    for kind in Kind:
        assert f'id="{kind.slug}"' in page


def test_a_fault_is_over_when_it_is_over(workshop: Workshop, services: Services) -> None:
    assert nonsense_row(workshop, services).status_code == 500
    assert workshop.client.get(f"/v1/jobs/{NOBODY}").status_code == 404
    assert workshop.client.post("/v1/jobs", json=request()).status_code == 202
