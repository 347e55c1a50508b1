"""`stillhouse key`: the first key is made beside the database, and opens the service."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.settings import Settings
from stillhouse import Client, Problem
from tests.api.serving import serving
from tests.stillhouse.running import command as stillhouse
from tests.stillhouse.running import until


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
            successor = user.create_key("phone")
        assert successor["parent_id"] == alice["id"]
        assert "alice" in stillhouse("key", "list").out
        assert stillhouse("key", "revoke", alice["id"], "--alone").code == 0
        with Client(api_key=successor["secret"]) as user:
            assert user.me()["owner"] == "alice"
        revoked = stillhouse("key", "revoke", successor["id"], "--json").json
        assert revoked == {"id": successor["id"], "alone": False, "revoked": True}
        root_id, seconds = made["id"], 1 / 86_400
        with Client() as root:
            root.create_key("brief", days=seconds)
        until(lambda: "expired" in stillhouse("key", "list").out, "a key has expired")
        states = {line.split()[0]: line.split()[-1] for line in stillhouse("key", "list").out.splitlines()[1:]}
        assert (states[alice["id"]], states[root_id]) == ("revoked", "good")
        with Client(api_key=alice["secret"]) as user, pytest.raises(Problem, match="key"):
            user.jobs()
    assert stillhouse("key", "create", "me", "--scope", "all", "--home", str(home)).code == 2
    shown = stillhouse("key", "create", "me", "--home", str(home))
    assert shown.out.startswith("still_")
    assert "STILLHOUSE_API_KEY" in shown.err
    assert "still_" not in shown.err, "nothing to copy but the key"


@pytest.mark.parametrize("url", ["http://me:passw0rd@127.0.0.1:1", "me:passw0rd@127.0.0.1:1", "ftp://me:p@ssw0rd@host"])
def test_a_password_in_the_address_is_not_said(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLHOUSE_URL", url)
    told = stillhouse("list")
    assert told.code in (2, 9)
    assert "ssw0rd" not in told.err + told.out
