"""One shape for every error, on every path that leads to one."""

from __future__ import annotations

import difflib

import pytest
from fastapi.testclient import TestClient

from api.problems import Kind, sentence
from api.services import Services
from tests.api.breaks import JSON, NOBODY, PATHS, Break, nonsense_row
from tests.api.workshop import ON_SQLITE, Workshop, request


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
