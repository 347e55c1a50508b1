"""The engine's files between attempts survive whatever happens while they are written."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from pathlib import Path

from worker.engine import keep

WRITER = """
import sys
from pathlib import Path
from worker.engine import keep
for turn in range(10**9):
    keep.write(Path(sys.argv[1]), [turn] * 20_000)
"""


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "seconds.json"
    assert keep.read(path, {}) == {}
    keep.write(path, {"distilling": 1.5})
    assert keep.read(path, {}) == {"distilling": 1.5}
    assert [p.name for p in tmp_path.iterdir()] == ["seconds.json"]


def test_a_kill_leaves_the_old_content_or_the_new_whole(tmp_path: Path) -> None:
    path = tmp_path / "curves.json"
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        deadline = time.monotonic() + 60
        for _ in itertools.takewhile(lambda _: not path.exists(), itertools.repeat(None)):
            assert time.monotonic() < deadline
        writer.kill()
        writer.wait()
        turns = keep.read(path, None)
        assert len(turns) == 20_000
        assert len(set(turns)) == 1
        path.unlink()
