"""The display that people see while they wait, and a terminal's words about the machine."""

from __future__ import annotations

import io
import socket
from pathlib import Path

from rich.console import Console

from api import app
from core import ledger
from stillhouse import http, jobs
from stillhouse.jobs import Job
from stillhouse.progress import Bars, Lines, display
from stillhouse.stream import Message, messages
from tests.stillhouse.running import Running, command


def job(status: str, phase: str | None = None, **progress: object) -> Job:
    raw = {
        "id": "job_1",
        "status": status,
        "phase": phase,
        "progress": {"phase": phase, **progress},
        "queue_position": 2,
        "queue_seconds": 250.0,
    }
    return Job.from_json(raw)


STORY = [
    job("queued"),
    job(
        "running",
        "training_experts",
        phases={"training_experts": {"done": 3, "total": 10, "seconds": 1.5}},
        eta_seconds=4,
    ),
    job(
        "running",
        "distilling",
        phases={
            "training_experts": {"done": 10, "total": 10, "seconds": 4.0},
            "distilling": {"done": 50, "total": 200, "seconds": 2.5},
        },
        eta_seconds=8,
    ),
    job(
        "succeeded",
        "distilling",
        phases={
            "training_experts": {"done": 10, "total": 10, "seconds": 4.0},
            "distilling": {"done": 200, "total": 200, "seconds": 9.5},
        },
    ),
]


def tell(terminal: bool) -> str:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=100, color_system=None)
    shown = display(console)
    assert isinstance(shown, Bars if terminal else Lines)
    with shown as watch:
        for chapter in STORY:
            watch(chapter)
    return text.getvalue()


def test_a_terminal_shows_a_bar_a_phase() -> None:
    last = tell(terminal=True).rsplit("\x1b[2K", 2)[-1].splitlines()
    assert [line.split()[1:3] for line in last[:1]] == [["training", "experts"]]
    assert "100 %" in last[0]
    assert "4.0 s" in last[0]
    assert "distilling" in last[1]
    assert "9.5 s" in last[1]
    assert "queued" not in "".join(last)


def test_a_file_gets_a_line_a_phase() -> None:
    assert tell(terminal=False).splitlines() == [
        "queued             place 2 in the queue, starts in about 4.2 min",
        "training experts    30 %  about 4 s left",
        "distilling          25 %  about 8 s left",
        "succeeded",
    ]


def test_what_is_left_is_said_of_the_whole_job_or_of_the_phase_and_only_while_it_runs() -> None:
    text = io.StringIO()
    with Lines(Console(file=text, width=100)) as watch:
        watch(job("queued", "distilling", eta_seconds=10, phase_eta_seconds=10))
        watch(job("running", "training_experts", eta_seconds=3600, phase_eta_seconds=4))
        watch(job("running", "distilling", phase_eta_seconds=4))
    assert text.getvalue().splitlines() == [
        "queued             place 2 in the queue, starts in about 4.2 min",
        "training experts   about 60 min left",
        "distilling         about 4 s left of this phase",
    ]


def test_server_sent_events_are_read_as_the_standard_says() -> None:
    lines = ["retry: 1000", "", ": ping", "", "id: 7", "event: log", "data: one", "data:two", "", "data: torn"]
    assert list(messages(lines)) == [Message("7", "log", "one\ntwo")]


def test_the_doctor_finds_a_healthy_machine(running: Running, tmp_path: Path) -> None:
    answer = command("doctor", "--home", tmp_path / "new", "--port", 0, "--json", STILLHOUSE_URL=running.url)
    assert answer.code == 0, answer.err
    for name in ("python", "torch", "home", "disk", "port", "service"):
        assert f'"name": "{name}", "ok": true' in answer.out
    assert not (tmp_path / "new").exists(), "looking changes nothing"


def test_the_doctor_names_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libtorch.so: cannot open shared object file')")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens, so that nobody is waited for
        port = taken.getsockname()[1]
        variables = {"STILLHOUSE_URL": f"http://127.0.0.1:{port}/", "PYTHONPATH": str(tmp_path)}
        answer = command("doctor", "--home", tmp_path, "--port", port, **variables)
    assert answer.code == 1
    assert "FAIL torch    ImportError: libtorch.so" in answer.out
    assert "make install" in answer.out
    assert f"FAIL port     127.0.0.1:{port}" in answer.out
    assert "--port" in answer.out


def test_the_client_takes_the_same_jobs_for_over_and_the_same_hosts_for_this_machine() -> None:
    """It imports nothing of the service, and says both again."""
    assert {status.value for status in ledger.ENDED} == jobs.ENDED
    for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost", "0.0.0.0", "::", "10.0.0.1", "example.org", ""):
        assert http._is_loopback(host) == app._is_loopback(host), host
