"""How fast an owner may ask, and how many keys that are not good an address may show."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.auth import COOKIE
from api.rate_limiter import RateLimiter
from core.ledger import Ledger
from core.settings import Settings
from tests.api.workshop import ON_SQLITE


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"auth": "keys"})


def shown(ledger: Ledger, owner: str) -> dict[str, str]:
    """The header that shows a new key of this owner."""
    return {"Authorization": f"Bearer {ledger.keys.create(owner, 'test')[1]}"}


def test_a_key_may_ask_so_fast_and_no_faster() -> None:
    limiter = RateLimiter(60)
    assert [limiter.take("one", 0.0) for _ in range(60)] == [0.0] * 60
    assert limiter.take("one", 0.0) == pytest.approx(1.0)
    assert limiter.take("two", 0.0) == 0.0
    assert limiter.take("one", 0.5) == pytest.approx(0.5)
    assert limiter.take("one", 1.5) == 0.0


def test_a_pace_remembers_so_many_and_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.rate_limiter._MOST", 2)
    limiter = RateLimiter(1)
    assert [limiter.take(name, 0.0) for name in ("one", "two")] == [0.0, 0.0]
    assert limiter.take("one", 1.0) > 0
    assert limiter.take("three", 2.0) == 0.0
    assert limiter.take("one", 2.0) > 0
    assert len(limiter._buckets) == 2
    assert limiter.take("four", 90.0) == 0.0
    assert len(limiter._buckets) == 1


@ON_SQLITE
def test_keys_that_are_not_good_are_slowed_an_address(settings: Settings) -> None:
    with TestClient(create_app(settings.model_copy(update={"max_requests": 10}))) as client:
        good = shown(client.app.state.services.ledger, "alice")  # type: ignore[attr-defined]
        wrong: Iterator[Any] = itertools.cycle(
            [
                lambda: client.get("/v1/me", headers={"Authorization": "Bearer still_" + "0" * 43}),
                lambda: client.post("/login", data={"key": "still_x"}, headers={"Sec-Fetch-Site": "same-origin"}),
                lambda: client.get("/v1/me", headers={"Cookie": f"{COOKIE}=nonsense"}),
            ]
        )
        answers = [next(wrong)() for _ in range(5)]
        assert [answer.status_code for answer in answers] == [401, 401, 429, 429, 429]
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers[2:])
        assert client.get("/v1/me", headers=good).status_code == 200
        assert client.get("/v1/me").status_code == 401, "no key is no wrong key"


@ON_SQLITE
def test_addresses_of_one_ipv6_network_are_one(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"max_requests": 5}))
    seen = []
    with TestClient(app):
        for address in (
            "2001:db8::1",
            "2001:db8::2%eth0",
            "2001:db8:0:1::1",
            "192.0.2.1",
            "192.0.2.2",
            "a:b",
            "unknown",
        ):
            answer = TestClient(app, client=(address, 1)).get("/v1/me", headers={"Authorization": "Bearer still_x"})
            seen.append(answer.status_code)
    assert seen == [401, 429, 401, 401, 401, 401, 401]


@ON_SQLITE
def test_a_client_that_asks_too_often_waits_whichever_key_it_shows(settings: Settings) -> None:
    with TestClient(create_app(settings.model_copy(update={"max_requests": 2}))) as client:
        ledger = client.app.state.services.ledger  # type: ignore[attr-defined]
        answers = [client.get("/v1/me", headers=shown(ledger, "alice")) for _ in range(3)]
        assert client.get("/v1/me", headers=shown(ledger, "bob")).status_code == 200
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["type"] == "/problems#too-many-requests"
    assert int(answers[2].headers["Retry-After"]) > 0
