"""Faults in the real processes, with a key, a session and passwords in every address: none of them is in a log."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from core.ledger import Ledger
from tests.services import free_port

PATIENCE = 60.0
BROKER = "redis://me:broker-passw0rd@127.0.0.1:1/0"  # nobody listens there


@contextmanager
def running(home: Path, module: str, form: str, until: str, **variables: str) -> Iterator[Path]:
    """A process of the service and the file of all it says; the block begins once it has said this."""
    own = {"HOME": str(home), "LOG_FORMAT": form, "CALIBRATE": "never", "BROKER_URL": BROKER, **variables}
    given = {name: value for name, value in os.environ.items() if not name.startswith("STILLHOUSE_")}
    given |= {f"STILLHOUSE_{name}": value for name, value in own.items()} | {"AWS_SECRET_ACCESS_KEY": "s3-passw0rd"}
    log = home / f"{module}.log"
    with log.open("wb") as said:
        process = subprocess.Popen([sys.executable, "-P", "-m", module], env=given, stdout=said, stderr=said)
        try:
            deadline = time.monotonic() + PATIENCE
            while until not in log.read_text():
                assert time.monotonic() < deadline, log.read_text()
                assert process.poll() is None, log.read_text()
                time.sleep(0.05)
            yield log
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home where neither uploads nor jobs can be kept: files lie in the places of their folders."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'stillhouse.db'}")
    ledger.migrate()
    ledger.close()
    for name in ("uploads", "jobs"):
        (tmp_path / name).write_text("")
    return tmp_path


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_fault_in_the_api_tells_neither_key_nor_session(home: Path, form: str) -> None:
    ledger = Ledger(f"sqlite:///{home / 'stillhouse.db'}")
    _, secret = ledger.keys.create("alice", "test")
    ledger.close()
    port = str(free_port())
    (home / "uploads").unlink()  # looked at when the service starts
    with (
        running(home, "api", form, "Stillhouse API: ", AUTH="keys", PORT=port) as log,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=PATIENCE) as client,
    ):
        (home / "uploads").write_text("")
        page = {"Origin": str(client.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
        entered = client.post("/login", data={"key": secret}, headers=page)
        session = re.search(r"stillhouse_session=([\w-]+)", entered.headers["Set-Cookie"])
        assert session is not None
        sent = {"params": {"name": "x"}, "content": b"PK"}
        zipped = {"Content-Type": "application/zip"}
        for shown in (page, {"Authorization": f"Bearer {secret}"}):
            assert client.post("/v1/datasets", headers=zipped | shown, **sent).status_code == 500
            client.cookies.clear()
        client.get(f"/{secret}", headers={"Accept": "application/json"})
        said = log.read_text()
    assert said.count("request failed") == 2
    for hidden in (secret, session[1], "passw0rd", '"locals"'):
        assert hidden not in said


@pytest.mark.parametrize(
    ("module", "form"), [("worker", "console"), ("worker.poller", "json"), ("worker.sweeper", "console")]
)
def test_a_fault_in_a_worker_tells_no_password(home: Path, module: str, form: str) -> None:
    store = f"file://{home}/store?secret=store-passw0rd"
    with running(home, module, form, "sweeping failed", STORE_URL=store) as log:
        said = log.read_text()
    assert "NotADirectoryError" in said
    assert "passw0rd" not in said
