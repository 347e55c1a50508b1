"""A file is whole under its name, whatever happens while it is written."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.files import draft, is_orphan, write_atomic

WRITER = """
import sys
from pathlib import Path
from core.files import write_atomic
for turn in range(10**9):
    write_atomic(Path(sys.argv[1]), turn.to_bytes(4, "big") * 200_000)
"""


def test_a_file_is_replaced_and_nothing_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "seconds.json"
    for content in (b"old", b"new"):
        write_atomic(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_draft_that_fails_leaves_the_old_content_alone(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    write_atomic(path, b"old")
    with pytest.raises(TypeError), draft(path) as file:
        file.write("no bytes")  # type: ignore[arg-type]
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"old", [path])


def test_a_kill_leaves_the_old_content_or_the_new_whole(tmp_path: Path) -> None:
    path = tmp_path / "curves.json"
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        deadline = time.monotonic() + 60
        for _ in itertools.takewhile(lambda _: not path.exists(), itertools.repeat(None)):
            assert time.monotonic() < deadline
        writer.kill()
        writer.wait()
        content = path.read_bytes()
        assert content == content[:4] * 200_000
        path.unlink()
        for part in _parts(tmp_path):
            assert is_orphan(part)
            part.unlink()


def _parts(folder: Path) -> list[Path]:
    return list(folder.glob("*.part"))
