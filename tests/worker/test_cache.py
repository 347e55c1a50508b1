"""The cache of experts: held to its limit, whatever crashes and whoever else reads or writes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from core.engine import trajectories
from core.engine.experts import Window
from worker.engine.cache import Cache, Freed


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "experts", 1000)


def filled(cache: Cache, *sizes: int) -> list[Path]:
    """Files of so many bytes, each used later than the one before."""
    paths = []
    for age, size in enumerate(sizes):
        path = cache.path({"index": age}, ".safetensors")
        cache.write(path, bytes(size))
        os.utime(path, (1000 + age, 1000 + age))
        paths.append(path)
    return paths


def there(cache: Cache) -> set[Path]:
    return set(cache.folder.iterdir())


def test_what_is_written_is_read(cache: Cache) -> None:
    path = cache.path({"a": 1}, ".json")
    assert cache.write(path, b"old") == Freed(0, 0)
    assert cache.write(path, b"new") == Freed(0, 0)
    assert path.read_bytes() == b"new"
    assert there(cache) == {path}


def test_the_files_used_longest_ago_make_room_for_a_new_one(cache: Cache) -> None:
    first, second, third = filled(cache, 300, 300, 300)
    cache.path({"index": 0}, ".safetensors")  # used again
    new = cache.path({"index": 3}, ".safetensors")
    assert cache.write(new, bytes(400)) == Freed(1, 300)
    assert there(cache) == {first, third, new}
    assert not second.exists()


def test_the_limit_holds_before_the_file_is_whole(cache: Cache) -> None:
    filled(cache, 500, 500)
    path = cache.path({"index": 9}, ".safetensors")
    seen: list[int] = []

    class Watched(bytes):
        def __len__(self) -> int:
            seen.append(sum(each.stat().st_size for each in cache.folder.iterdir()))
            return super().__len__()

    cache.write(path, Watched(600))
    assert seen[-1] <= 400, "room was made before the new file was begun"
    assert there(cache) == {path}


def test_files_in_use_stay(cache: Cache) -> None:
    first, second = filled(cache, 600, 300)
    new = cache.path({"index": 3}, ".safetensors")
    assert cache.write(new, bytes(400), keep=frozenset({first})) == Freed(1, 300)
    assert there(cache) == {first, new}
    assert not second.exists()


def test_a_file_written_anew_does_not_count_twice(cache: Cache) -> None:
    first, second = filled(cache, 400, 500)
    assert cache.write(second, bytes(550)) == Freed(0, 0)
    assert there(cache) == {first, second}


def test_what_is_larger_than_the_limit_lives_until_the_next_trim(cache: Cache) -> None:
    (large,) = filled(cache, 5000)
    assert large.exists()
    assert cache.trim() == Freed(1, 5000)


WRITER = """
import sys, time
from pathlib import Path
from worker.engine.cache import Cache

cache = Cache(Path(sys.argv[1]), 1000)
part, file = cache._part(cache.path({"index": "theirs"}, ".safetensors"))
file.truncate(700)
print(part, flush=True)
time.sleep(60)
"""


def test_what_another_engine_writes_counts_and_what_it_left_in_a_crash_does_not(cache: Cache) -> None:
    (old,) = filled(cache, 200)
    with subprocess.Popen([sys.executable, "-c", WRITER, cache.folder], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        part = Path(writer.stdout.readline().strip())
        assert cache.trim() == Freed(0, 0)
        assert part.exists(), "its writer lives"
        mine = cache.path({"index": 1}, ".safetensors")
        assert cache.write(mine, bytes(200)) == Freed(1, 200), "200 + 700 and 200 more are too many"
        assert not old.exists()
        writer.send_signal(signal.SIGKILL)
        writer.wait(10)
    other = cache.path({"index": 2}, ".safetensors")
    assert cache.write(other, bytes(750)) == Freed(0, 0), "700 bytes nobody will ever finish took no room"
    assert there(cache) == {mine, other}


READER = """
import sys
from pathlib import Path
import torch
from core.engine import trajectories
from core.engine.experts import Window

expert = trajectories.read(Path(sys.argv[1]), Window(0, 2), torch.device("cpu"))
print("mapped", flush=True)
sys.stdin.readline()
print(float(expert.snapshot(2).sum()), flush=True)
"""


def test_a_trajectory_that_another_engine_reads_survives_its_eviction(cache: Cache) -> None:
    thetas = [torch.full((100_000,), float(epoch)) for epoch in (0, 1, 2)]
    path = cache.path({"index": 0}, ".safetensors")
    cache.write(path, trajectories.pack(thetas, 0))
    with subprocess.Popen(
        [sys.executable, "-c", READER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        assert reader.stdout.readline() == "mapped\n"
        assert cache.trim().files == 1
        assert trajectories.read(path, Window(0, 2), torch.device("cpu")) is None
        reader.stdin.write("\n")
        reader.stdin.flush()
        assert float(reader.stdout.readline()) == pytest.approx(200_000, rel=0.01)
