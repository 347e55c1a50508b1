"""Keys: nobody enters without one, and nobody sees what is another owner's, on any route there is."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.routing import Mount, Route

from api.app import create_app
from api.auth import COOKIE, may_be_seen_by_all
from core.ledger import Status
from core.ledger.keys import well_formed
from core.settings import Settings
from tests.api.workshop import ON_SQLITE, Workshop, key, request

BROWSER = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"auth": "keys", "max_open_jobs": 3})


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Every method and path that the application answers, the mounted ones aside."""
    for route in flat(app.routes):
        for method in sorted(route.methods or ()):
            yield method, route.path


def flat(found: Any) -> Iterator[Route]:
    for route in found:
        if isinstance(route, Route):
            yield route
        elif not isinstance(route, Mount):
            yield from flat(route.original_router.routes)


def concrete(path: str, job_id: str) -> str:
    """The path with a job's id, and names that exist, in its places."""
    names = {"id": job_id, "name": "README.md" if "files" in path else "digits"}
    return re.sub(r"\{(\w+)(:\w+)?\}", lambda place: names.get(place[1], job_id), path)


@ON_SQLITE
def test_no_route_answers_without_a_key(workshop: Workshop, app: FastAPI) -> None:
    asked = set()
    for method, path in routes(app):
        if may_be_seen_by_all(path):
            continue
        asked.add(path)
        response = workshop.client.request(method, concrete(path, "job_1"), headers={"Accept": "application/json"})
        assert response.status_code == 401, (method, path)
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        if method != "HEAD":
            document = response.json()
            assert document["type"] == "/problems#unauthenticated"
            assert "stillhouse key create" in document["hint"]
    assert {"/v1/jobs", "/v1/jobs/{id}/events", "/metrics", "/", "/jobs/{id}"} <= asked
    for path in ("/healthz", "/readyz", "/openapi.json", "/docs", "/problems", "/login", "/static/stillhouse.css"):
        assert workshop.client.get(path).status_code == 200, path


@ON_SQLITE
@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1jobs", "/v1/nothing"])
def test_a_path_that_is_none_is_not_found_with_a_key(
    workshop: Workshop, people: dict[str, dict[str, str]], path: str
) -> None:
    assert workshop.client.get(path, headers=people["alice"]).status_code == 404


def test_nobody_finds_anothers_job_on_any_route(
    workshop: Workshop, app: FastAPI, people: dict[str, dict[str, str]]
) -> None:
    client = workshop.client
    client.headers.update(people["alice"])
    job_id = workshop.submit()
    workshop.succeed(job_id)
    asked = set()
    for method, path in routes(app):
        if "/jobs/{id}" not in path:
            continue
        asked.add(path)
        response = client.request(method, concrete(path, job_id), headers=people["bob"])
        assert response.status_code == 404, (method, path, response.text)
    assert len(asked) >= 9
    for path in (f"/v1/jobs/{job_id}", f"/v1/jobs/{job_id}/files/README.md", f"/v1/jobs/{job_id}/archive.zip"):
        assert client.get(path, headers=people["alice"]).status_code == 200
        assert client.get(path, headers=people["root"]).status_code == 200
    files = client.get(f"/v1/jobs/{job_id}/files", headers=people["alice"]).json()["items"]
    digest = next(file["sha256"] for file in files if file["name"] == "manifest.json")
    seen = [client.get(f"/v1/artifacts/sha256:{digest}", headers=people[who]) for who in ("alice", "bob", "root")]
    assert [answer.status_code for answer in seen] == [200, 404, 200]
    listed = {who: client.get("/v1/jobs", headers=shown).json()["items"] for who, shown in people.items()}
    assert [[job["owner"] for job in jobs] for jobs in listed.values()] == [["alice"], [], ["alice"]]
    assert job_id not in client.get("/", headers=people["bob"]).text
    assert job_id in client.get("/", headers=people["alice"]).text


@ON_SQLITE
def test_what_is_equal_is_found_among_ones_own_only(workshop: Workshop, people: dict[str, dict[str, str]]) -> None:
    order, client = request(), workshop.client

    def ask(who: str, **headers: str) -> Any:
        return client.post("/v1/jobs", json=order, headers=people[who] | headers)

    first = ask("alice", **{"Idempotency-Key": "the same"})
    assert ask("alice").json()["id"] == first.json()["id"]
    other = ask("bob", **{"Idempotency-Key": "the same"})
    assert other.status_code == 202
    assert "Idempotent-Replayed" not in other.headers
    assert other.json()["id"] != first.json()["id"]
    workshop.succeed(first.json()["id"])
    cached = ask("alice")
    assert (cached.status_code, cached.json()["cached"]) == (200, True)
    assert ask("bob").json()["id"] == other.json()["id"]


@ON_SQLITE
def test_scopes_are_kept(workshop: Workshop) -> None:
    client, reader = workshop.client, key(workshop.ledger, "alice", "jobs:read")
    assert client.get("/v1/jobs", headers=reader).status_code == 200
    refused = client.post("/v1/jobs", json=request(), headers=reader)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems#forbidden")
    assert "jobs:write" in refused.json()["detail"]
    assert client.get("/metrics", headers=reader).status_code == 403
    for order in ({"name": "more", "scopes": ["admin"]}, {"name": "his", "owner": "bob"}):
        assert client.post("/v1/keys", json=order, headers=reader).status_code == 403
    made = client.post("/v1/keys", json={"name": "mine"}, headers=reader)
    assert (made.status_code, made.json()["scopes"], made.json()["owner"]) == (201, ["jobs:read"], "alice")


def test_a_key_is_made_listed_and_revoked(workshop: Workshop, people: dict[str, dict[str, str]]) -> None:
    client = workshop.client
    made = client.post("/v1/keys", json={"name": "laptop", "days": 1}, headers=people["alice"]).json()
    secret = made.pop("secret")
    assert well_formed(secret)
    assert secret.startswith(made["prefix"])
    shown = {"Authorization": f"Bearer {secret}"}
    assert client.get("/v1/me", headers=shown).json()["owner"] == "alice"
    listed = client.get("/v1/keys", headers=people["alice"])
    assert secret not in listed.text
    assert [item["name"] for item in listed.json()["items"]] == ["test", "laptop"]
    assert len(client.get("/v1/keys", headers=people["root"]).json()["items"]) == 4
    path = f"/v1/keys/{made['id']}"
    assert client.delete(path, headers=people["bob"]).status_code == 404
    assert [client.delete(path, headers=people["alice"]).status_code for _ in range(2)] == [204, 204]
    refused = client.get("/v1/me", headers=shown)
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
    with workshop.ledger.database.engine.connect() as connection:
        assert secret not in str(connection.exec_driver_sql("SELECT * FROM api_keys").all())


def test_a_key_ends_with_the_one_it_was_made_with(workshop: Workshop, people: dict[str, dict[str, str]]) -> None:
    client = workshop.client

    def make(shown: dict[str, str], **order: Any) -> tuple[dict[str, Any], dict[str, str]]:
        made = client.post("/v1/keys", json={"name": "x"} | order, headers=shown).json()
        return made, {"Authorization": f"Bearer {made['secret']}"}

    def opens(shown: dict[str, str]) -> bool:
        return bool(client.get("/v1/me", headers=shown).status_code == 200)

    leaked, shown = make(people["root"], days=1, scopes=["admin"])
    child, hidden = make(shown, owner="mallory")
    _, deeper = make(hidden, days=30_000)
    assert (child["parent_id"], child["expires_at"]) == (leaked["id"], leaked["expires_at"])
    assert client.delete(f"/v1/keys/{leaked['id']}", headers=people["root"]).status_code == 204
    assert [opens(each) for each in (shown, hidden, deeper, people["root"])] == [False, False, False, True]
    old, shown = make(people["alice"])
    _, renewed = make(shown)
    assert client.delete(f"/v1/keys/{old['id']}?alone=true", headers=renewed).status_code == 204
    assert [opens(each) for each in (shown, renewed)] == [False, True]


@ON_SQLITE
def test_a_key_ends_no_other_that_may_do_more(workshop: Workshop, people: dict[str, dict[str, str]]) -> None:
    client, reader = workshop.client, key(workshop.ledger, "alice", "jobs:read")
    listed = client.get("/v1/keys", headers=reader).json()["items"]
    own, mine = (
        next(item["id"] for item in listed if ("jobs:write" in item["scopes"]) is wide) for wide in (False, True)
    )
    refused = client.delete(f"/v1/keys/{mine}", headers=reader)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems#forbidden")
    assert client.post(f"/keys/{mine}/revoke", headers=reader).status_code == 403
    assert client.get("/v1/me", headers=people["alice"]).status_code == 200
    assert client.delete(f"/v1/keys/{own}", headers=reader).status_code == 204
    assert client.get("/v1/me", headers=reader).status_code == 401


@ON_SQLITE
def test_a_new_login_ends_the_session_before(workshop: Workshop) -> None:
    client = workshop.client
    _, secret = workshop.ledger.keys.create("alice", "test")
    first, second = (
        client.post("/login", data={"key": secret}, headers=BROWSER, follow_redirects=False).cookies[COOKIE]
        for _ in range(2)
    )
    client.cookies.clear()
    answers = [client.get("/v1/jobs", headers={"Cookie": f"{COOKIE}={token}"}) for token in (first, second)]
    assert [answer.status_code for answer in answers] == [401, 200]


@ON_SQLITE
def test_a_mistyped_key_is_refused(workshop: Workshop) -> None:
    _, secret = workshop.ledger.keys.create("alice", "test")
    assert not well_formed(secret[:-1])
    assert not well_formed(secret[:10] + ("a" if secret[10] != "a" else "b") + secret[11:])
    for wrong in (secret[:-1], "still_", "", "x" * 5000, "still_" + "0" * 43):
        assert workshop.client.get("/v1/me", headers={"Authorization": f"Bearer {wrong}"}).status_code == 401


@ON_SQLITE
def test_a_browser_logs_in_and_out(workshop: Workshop) -> None:
    client = workshop.client
    _, secret = workshop.ledger.keys.create("alice", "test")
    sent = client.get("/jobs/x?a=b", headers=BROWSER, follow_redirects=False)
    assert (sent.status_code, sent.headers["Location"]) == (303, "/login?next=%2Fjobs%2Fx%3Fa%3Db")
    assert "<form" in client.get(sent.headers["Location"], headers=BROWSER).text
    wrong = client.post("/login", data={"key": "still_wrong"}, headers=BROWSER)
    assert wrong.status_code == 401
    assert COOKIE not in client.cookies
    entered = client.post("/login", data={"key": secret, "next": "/keys"}, headers=BROWSER, follow_redirects=False)
    assert entered.headers["Location"] == "/keys"
    assert {"httponly", "samesite=lax", "path=/"} <= {
        word.strip().lower() for word in entered.headers["Set-Cookie"].split(";")
    }
    assert secret not in str(client.cookies)
    page = client.get("/keys", headers=BROWSER).text
    assert "You are alice" in page
    assert client.get("/v1/jobs").status_code == 200
    job_id = client.post("/v1/jobs", json=request(), headers={"Sec-Fetch-Site": "same-origin"}).json()["id"]
    client.post(f"/v1/jobs/{job_id}/cancel", headers={"Origin": "http://testserver"})
    stream = client.get(f"/v1/jobs/{job_id}/events", headers={"Accept": "text/event-stream"})
    assert "event: job.cancelled" in stream.text
    assert client.post("/logout", headers=BROWSER, follow_redirects=False).headers["Location"] == "/login"
    assert COOKIE not in client.cookies
    client.cookies.set(COOKIE, entered.cookies[COOKIE])
    assert client.get("/v1/jobs").status_code == 401


@ON_SQLITE
def test_a_stream_ends_when_its_key_is_revoked(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.streaming._PING", 0.0)
    made, secret = workshop.ledger.keys.create("alice", "test")
    shown = {"Authorization": f"Bearer {secret}"}
    job_id = workshop.client.post("/v1/jobs", json=request(), headers=shown).json()["id"]
    threading.Timer(0.5, workshop.ledger.keys.revoke, [made.id]).start()
    streamed = workshop.client.get(f"/v1/jobs/{job_id}/events", headers=shown | {"Accept": "text/event-stream"})
    assert "event: job.created" in streamed.text
    assert "job.cancelled" not in streamed.text
    assert workshop.client.get(f"/v1/jobs/{job_id}", headers=shown).status_code == 401


@ON_SQLITE
@pytest.mark.parametrize(
    "headers", [{}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "none"}, {"Origin": "http://evil.example"}]
)
def test_a_cookie_changes_nothing_for_another_sites_page(workshop: Workshop, headers: dict[str, str]) -> None:
    client = workshop.client
    _, secret = workshop.ledger.keys.create("alice", "test")
    client.post("/login", data={"key": secret}, headers=BROWSER)
    response = client.post("/v1/jobs", json=request(), headers=headers)
    assert (response.status_code, response.json()["type"]) == (403, "/problems#cross-origin")
    assert client.get("/v1/jobs", headers=headers).json()["items"] == []


@ON_SQLITE
def test_keys_are_made_and_revoked_on_their_page(workshop: Workshop) -> None:
    client = workshop.client
    key, secret = workshop.ledger.keys.create("alice", "test")
    client.post("/login", data={"key": secret}, headers=BROWSER)
    made = client.post("/keys", data={"name": "lap<b>top", "may:jobs:read": "on", "days": "30"}, headers=BROWSER)
    assert made.status_code == 201
    shown = re.search(r"still_\w{43}", made.text)
    assert shown is not None
    assert "lap&lt;b&gt;top" in made.text
    assert shown[0] not in client.get("/keys", headers=BROWSER).text
    beyond = client.post("/keys", data={"name": "x", "may:admin": "on", "days": "30"}, headers=BROWSER)
    assert beyond.status_code == 403
    assert client.post("/keys", data={"name": "", "days": "30"}, headers=BROWSER).status_code == 422
    nothing = client.post("/keys", data={"name": "x", "days": "30"}, headers=BROWSER)
    assert nothing.status_code == 422
    assert "Tick at least one thing" in nothing.text
    assert len(workshop.ledger.keys.all()) == 2, "nothing ticked makes no key"
    assert "Revoke test and the keys made with it" in client.get("/keys", headers=BROWSER).text
    ended = client.post(f"/keys/{key.id}/revoke", headers=BROWSER, follow_redirects=False)
    assert ended.headers["Location"] == "/login"
    assert client.get("/v1/me").status_code == 401
    assert client.get("/v1/me", headers={"Authorization": f"Bearer {shown[0]}"}).status_code == 401


@ON_SQLITE
def test_commands_on_pages_show_a_key_where_one_is_wanted(
    workshop: Workshop, people: dict[str, dict[str, str]], settings: Settings
) -> None:
    client, shown = workshop.client, '-H "Authorization: Bearer $STILLHOUSE_API_KEY" '
    client.headers.update(people["alice"])
    finished = workshop.job(Status.SUCCEEDED)
    pages = {
        f"/jobs/{finished}": "curl -fLO {}http://",
        "/new?dataset=digits&ipc=1&method=random": "curl {}--json ",
        "/docs": "curl {}--json ",
    }
    for path, command in pages.items():
        assert command.format(shown) in html.unescape(client.get(path, headers=BROWSER).text), path
    with TestClient(create_app(settings.model_copy(update={"auth": "off"}))) as open_to_all:
        for path, command in pages.items():
            assert command.format("") in html.unescape(open_to_all.get(path, headers=BROWSER).text), path


@ON_SQLITE
@pytest.mark.parametrize("following", ["//evil.example", "/\\evil.example", "http://evil.example", "/a\r\nb", ""])
def test_the_way_in_leads_nowhere_else(workshop: Workshop, following: str) -> None:
    _, secret = workshop.ledger.keys.create("alice", "test")
    form = {"key": secret, "next": following}
    entered = workshop.client.post("/login", data=form, headers=BROWSER, follow_redirects=False)
    assert entered.headers["Location"] == "/"


@ON_SQLITE
def test_without_keys_nothing_is_asked_and_none_are_made(settings: Settings) -> None:
    with TestClient(create_app(settings.model_copy(update={"auth": "off"}))) as client:
        assert client.get("/v1/jobs").status_code == 200
        for answer in (client.get("/v1/keys"), client.post("/v1/keys", json={"name": "x"}), client.get("/v1/me")):
            assert (answer.status_code, answer.json()["type"]) == (409, "/problems#keys-off")
        assert "asks nobody for a key" in client.get("/keys").text
        assert client.get("/login", follow_redirects=False).status_code == 303


@ON_SQLITE
def test_what_a_key_is_shown_is_kept_by_no_cache(workshop: Workshop, people: dict[str, dict[str, str]]) -> None:
    client = workshop.client
    client.headers.update(people["alice"])
    job_id = workshop.submit()
    workshop.succeed(job_id)
    kept = {f"/v1/jobs/{job_id}/files/README.md", f"/v1/jobs/{job_id}/archive.zip"}
    for path in ("/v1/jobs", "/v1/me", f"/v1/jobs/{job_id}", "/v1/nothing", f"/v1/jobs/{job_id}/events", *kept):
        answer = client.get(path)
        assert answer.headers["Vary"] == "Authorization, Cookie", path
        assert answer.headers["Cache-Control"].split(",")[0] == ("private" if path in kept else "no-store"), path
        if path in kept:
            unchanged = client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
            assert (unchanged.status_code, unchanged.headers["Vary"]) == (304, "Authorization, Cookie")
    assert client.get("/v1/me", headers={"Authorization": ""}).headers["Cache-Control"] == "no-store"
