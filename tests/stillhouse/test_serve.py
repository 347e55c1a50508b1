"""`stillhouse serve`: comes up whole, goes down whole, and says what is wrong when it cannot."""

from __future__ import annotations

import http.server
import os
import signal
import socket
import socketserver
import subprocess
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

import stillhouse.serve
from core.ledger import Ledger
from stillhouse.errors import ClientError
from stillhouse.serve import Address, Signals
from tests.stillhouse.running import ENDLESS, command, processes_of, serving, spawn, until


def test_ctrl_c_ends_every_process(tmp_path: Path) -> None:
    home = tmp_path / "home"
    # Somebody's own folder may hold an `api.py`; what runs is the installed service wherever it is started.
    (tmp_path / "api.py").write_text("raise SystemExit('this is not the service')")
    with serving(home, cwd=tmp_path) as service:
        until(lambda: len(processes_of(home)) >= 3, "serve, API and worker run")
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(60) == 0
        assert processes_of(home) == []


def test_a_running_job_survives_a_restart_of_the_service_and_its_sudden_death(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(home) as service, service.client() as sdk:
        assert sdk.ready()["ready"]
        job = sdk.submit("digits", ipc=1, method="mtt", overrides=ENDLESS)
        until(lambda: sdk.job(job.id).phase == "distilling", "the job distils")
    assert processes_of(home) == [], "the engine ends with its service"
    with serving(home) as service, service.client() as sdk:
        until(lambda: sdk.job(job.id).phase == "distilling", "the job goes on")
        assert sdk.job(job.id).raw["attempt"] == 2
        assert sdk.job(job.id).raw["losses"] == 0, "a drained job has lost nothing"
        service.process.kill()
        until(lambda: processes_of(home) == [], "API, worker and engine have ended")
    port = urlsplit(service.url).port
    with Ledger(f"sqlite:///{home / 'stillhouse.db'}").database.read() as session:
        row = session.execute(text("SELECT status, losses FROM jobs")).one()
    assert tuple(row) == ("queued", 0), "they ended in good order, with a checkpoint"
    assert port is not None
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


def test_the_death_of_a_part_ends_the_service_and_says_so(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(home) as service:
        # The service is ready as soon as the worker is spawned: for a moment the kernel shows no words of it yet.
        until(lambda: processes_of(home, "worker"), "the worker runs")
        os.kill(processes_of(home, "worker")[0], signal.SIGKILL)
        assert service.process.wait(60) == 1
        assert processes_of(home) == []
    assert "The worker process ended by SIGKILL" in (tmp_path / "home.log").read_text()


def test_a_port_in_use_is_a_clear_refusal(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = command("serve", "--port", port, "--home", tmp_path / "home")
    assert answer.code == 2
    assert f"Cannot listen on 127.0.0.1:{port}: Address already in use" in answer.err
    assert "--port" in answer.err
    assert not (tmp_path / "home").exists()


def test_a_foreign_address_is_a_clear_refusal(tmp_path: Path) -> None:
    answer = command("serve", "--host", "192.0.2.1", "--port", 0, "--home", tmp_path)
    assert answer.code == 2
    assert "Cannot listen on 192.0.2.1" in answer.err


def test_settings_that_contradict_each_other_stop_the_service_before_it_starts(tmp_path: Path) -> None:
    words = ("serve", "--port", 0, "--home", tmp_path / "home")
    environment = os.environ | {"STILLHOUSE_HEARTBEAT_INTERVAL": "60"}
    process = spawn(*words, stderr=subprocess.PIPE, environment=environment)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert b"STILLHOUSE_HEARTBEAT_INTERVAL (60) must be at most a third" in said
    assert processes_of(tmp_path / "home") == []


def test_a_service_that_does_not_become_ready_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unready(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503)
            self.end_headers()
            self.wfile.write(b'{"detail": "store: Read-only file system."}')

    monkeypatch.setattr(stillhouse.serve, "_START_SECONDS", 0.2)
    with socketserver.TCPServer(("127.0.0.1", 0), Unready) as server, Signals() as signals:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = Address("127.0.0.1", server.server_address[1], Path())
        with pytest.raises(ClientError, match="store: Read-only file system"):
            stillhouse.serve._becomes_ready(address, {}, signals)
        server.shutdown()


def test_a_worker_alone_works_until_it_is_told_to_stop(tmp_path: Path, sqlite_url: str) -> None:
    home = tmp_path / "home"
    variables = {"STILLHOUSE_HOME": str(home), "STILLHOUSE_DATABASE_URL": sqlite_url}
    log = tmp_path / "log"
    with log.open("wb") as output, spawn("worker", environment=variables, stderr=output, stdout=output) as worker:
        until(lambda: b"worker ready" in log.read_bytes(), "the worker is ready")
        worker.terminate()
        assert worker.wait(60) == 0
