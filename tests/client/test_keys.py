"""`stillhouse key`: the first key is made beside the database, and opens the service."""

from __future__ import annotations

from pathlib import Path

import pytest

from client import Client, Problem
from core.settings import Settings
from tests.api.serving import serving
from tests.client.running import command as stillhouse


def test_the_first_key_opens_a_service_that_asks_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    made = stillhouse("key", "create", "me", "--admin", "--home", str(home), "--json").json
    with serving(Settings(home=home, port=0, auth="keys"), tmp_path) as server:
        monkeypatch.setenv("STILLHOUSE_URL", server.url)
        refused = stillhouse("list")
        assert refused.code == 6
        assert "stillhouse key create" in refused.err
        monkeypatch.setenv("STILLHOUSE_API_KEY", made["secret"])
        with Client() as root:
            assert root.me()["owner"] == "me"
            alice = root.create_key("laptop", owner="alice", days=1)
            assert root.submit("digits", ipc=1, method="random").raw["owner"] == "me"
        with Client(api_key=alice["secret"]) as user:
            assert user.jobs() == []
            (listed,) = user.keys()
            assert listed["name"] == "laptop"
        assert "alice" in stillhouse("key", "list").out
        assert stillhouse("key", "revoke", alice["id"]).code == 0
        with Client(api_key=alice["secret"]) as user, pytest.raises(Problem, match="key"):
            user.jobs()
    assert stillhouse("key", "create", "me", "--scope", "all", "--home", str(home)).code == 2
