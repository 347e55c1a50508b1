"""Words that cannot be taken as they are: empty ones, keys that cannot be sent, titles too long for a file system."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from api.dashboard import job_view
from api.schemas import Job
from stillhouse.results import folder_name
from tests.services import free_port
from tests.stillhouse.running import command

SIZE = ("--ipc", "1")


@pytest.mark.parametrize(
    "words",
    [
        ("distill", "", *SIZE),
        ("submit", "", *SIZE),
        ("forecast", "", *SIZE),
        ("upload", ""),
        ("distill", "digits", *SIZE, "--out", ""),
        ("distill", "digits", *SIZE, "--out=", "--lock", "stillhouse.lock"),
        ("distill", "digits", *SIZE, "--out", "small", "--lock", ""),
        ("get", "job_1", "--out", ""),
        ("verify", ""),
        ("export", ""),
        ("import", ""),
        ("export", "state", "--home", ""),
    ],
    ids=" ".join,
)
def test_an_empty_path_is_not_the_folder_that_a_script_runs_in(
    words: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("rose", "tulip"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(b"a picture")
    monkeypatch.chdir(tmp_path)
    answer = command(*words, STILLHOUSE_URL=f"http://127.0.0.1:{free_port()}")
    assert answer.code == 2, answer
    assert "empty" in answer.err
    assert sorted(each.name for each in tmp_path.iterdir()) == ["rose", "tulip"]


def test_a_path_of_another_kind_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for words, told in (
        (("get", "job_1", "--out", tmp_path / "file"), "is a file"),
        (("distill", "digits", *SIZE, "--out", tmp_path / "new", "--lock", tmp_path), "is a folder"),
        (("verify", tmp_path / "nowhere"), "There is no folder"),
    ):
        answer = command(*words)
        assert answer.code == 2
        assert told in " ".join(answer.err.replace("│", " ").split())  # it stands in a box


@pytest.mark.parametrize("key", ["still_secret…", "still_sec ret", "still_secrét", "still_a\nstill_b"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_told(key: str) -> None:
    answer = command("list", STILLHOUSE_API_KEY=key, STILLHOUSE_URL=f"http://127.0.0.1:{free_port()}")
    assert answer.code == 2
    assert "Copy it whole" in answer.err
    assert "still_" not in answer.err


def test_the_end_of_a_line_is_no_part_of_a_key() -> None:
    shown: list[str | None] = []

    class Listening(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown.append(self.headers["Authorization"])
            self.send_error(404)

        def log_message(self, *words: object) -> None:
            """Keep standard error for the command."""

    with HTTPServer(("127.0.0.1", 0), Listening) as server:
        serving = threading.Thread(target=server.handle_request)
        serving.start()
        command("list", STILLHOUSE_API_KEY="still_secret\r\n", STILLHOUSE_URL=f"http://127.0.0.1:{server.server_port}")
        serving.join()
    assert shown == ["Bearer still_secret"]


def test_nothing_to_send_again_is_said_to_be_none() -> None:
    answer = command("webhooks", "replay", "hook_1", STILLHOUSE_URL=f"http://127.0.0.1:{free_port()}")
    assert answer.code == 2
    assert "--failed" in answer.err


@pytest.mark.parametrize("title", ["花" * 100, "🌷" * 100, "a" * 100])
def test_a_folder_of_any_title_has_a_name_that_can_be_made(title: str, tmp_path: Path) -> None:
    (tmp_path / f"{folder_name(title, 'random', 10)}-job_{'0' * 26}").mkdir()
    (tmp_path / job_view.folder(Job.model_construct(dataset_title=title, method="random", ipc=10))).mkdir()
