"""A service without keys answers to its own names: another's, made to resolve to this machine, opens nothing."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from core.settings import Settings
from tests.api.workshop import ON_SQLITE, request

OWN = [
    *("localhost", "localhost:8000", "127.0.0.1", "127.0.0.1:8000", "[::1]", "[::1]:8000", "10.0.0.7", "api:8000"),
    *("a.localhost", "LOCALHOST.", "", "stillhouse.example.org", "Data.Example.org:443"),
]
FOREIGN = [
    *("evil.example", "evil.example:8000", "evil.example.", "127.0.0.1.evil.example", "localhost.evil.example"),
    *("127.0.0.1@evil.example", "[::1].evil.example", "example.org", "a.stillhouse.example.org", "127.1"),
]


@ON_SQLITE
def test_a_name_that_a_stranger_can_own_opens_nothing(settings: Settings) -> None:
    named = settings.model_copy(update={"host_names": "stillhouse.example.org, data.example.org"})
    with TestClient(create_app(named)) as client:
        for host in OWN:
            assert client.get("/v1/jobs", headers={"Host": host}).status_code == 200, host
        for host in FOREIGN:
            page = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
            answers = [
                client.get("/v1/jobs", headers={"Host": host}),
                client.get("/", headers={"Host": host, "Accept": "text/html"}),
                client.post("/v1/jobs", json=request(), headers=page),
            ]
            assert [answer.status_code for answer in answers] == [421] * 3, host
        assert answers[0].json()["type"] == "/problems#misdirected"
        assert "STILLHOUSE_HOST_NAMES" in answers[0].json()["hint"]
        assert client.get("/v1/jobs").json()["items"] == []


@ON_SQLITE
@pytest.mark.parametrize("host", ["stillhouse.example.org", "evil.example"])
def test_with_keys_the_name_gives_nothing_away(settings: Settings, host: str) -> None:
    with TestClient(create_app(settings.model_copy(update={"auth": "keys"}))) as client:
        assert client.get("/v1/jobs", headers={"Host": host}).status_code == 401
        assert client.get("/login", headers={"Host": host}).status_code == 200
