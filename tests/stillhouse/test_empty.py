"""Words that cannot be taken as they are: empty ones, keys that cannot be sent, titles too long for a file system."""

from __future__ import annotations

from pathlib import Path

import pytest

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
