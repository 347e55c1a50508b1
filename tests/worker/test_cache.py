"""The cache of experts: held to its limit, whatever crashes and however many others read or write."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from core.engine import trajectories
from core.engine.cache import Cache, Freed
from core.engine.kernels import trim_programs
from core.plan.steps import Snapshots


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "experts", 1000)


def silent(message: str) -> None:
    pytest.fail(f"nothing had to go, yet: {message}")


def filled(cache: Cache, *sizes: int) -> list[Path]:
    """Files of so many bytes, each used later than the one before."""
    paths = []
    for age, size in enumerate(sizes):
        path = cache.path(f"{age}.safetensors")
        cache.write(path, bytes(size), silent)
        os.utime(path, (1000 + age, 1000 + age))
        paths.append(path)
    return paths


def there(cache: Cache) -> set[Path]:
    return set(cache.folder.iterdir())


def test_what_is_written_is_read(cache: Cache) -> None:
    path = cache.path("a.json")
    cache.write(path, b"old", silent)
    cache.write(path, b"new", silent)
    assert path.read_bytes() == b"new"
    assert there(cache) == {path}


def test_the_files_used_longest_ago_make_room_for_a_new_one(cache: Cache) -> None:
    first, second, third = filled(cache, 300, 300, 300)
    cache.path("0.safetensors")  # used again
    new = cache.path("3.safetensors")
    told: list[str] = []
    cache.write(new, bytes(400), told.append)
    assert there(cache) == {first, third, new}
    assert not second.exists()
    (message,) = told
    assert message.startswith("Evicted 300 bytes in 1 file(s)")
    assert "1,000 bytes" in message


def test_room_is_made_before_the_file_is_begun(cache: Cache) -> None:
    filled(cache, 500, 500)
    path = cache.path("9.safetensors")
    seen: list[set[Path]] = []
    cache.write(path, bytes(600), lambda _: seen.append(there(cache)))
    assert seen == [set()]
    assert there(cache) == {path}


def test_files_in_use_stay(cache: Cache) -> None:
    first, second = filled(cache, 600, 300)
    new = cache.path("3.safetensors")
    cache.write(new, bytes(400), lambda _: None, keep=frozenset({first}))
    assert there(cache) == {first, new}
    assert not second.exists()


def test_a_file_written_anew_does_not_count_twice(cache: Cache) -> None:
    first, second = filled(cache, 400, 500)
    cache.write(second, bytes(550), silent)
    assert there(cache) == {first, second}


def test_a_folder_in_the_cache_is_let_alone(cache: Cache) -> None:
    (only,) = filled(cache, 5000)
    kept = cache.folder / "inductor" / "kept"
    kept.mkdir(parents=True)
    assert cache.trim() == Freed(1, 5000)
    assert kept.exists()
    assert not only.exists()


def test_what_a_killed_compiler_left_goes_an_hour_later(cache: Cache) -> None:
    inductor = cache.folder / "inductor"
    for name in ("left", "begun"):
        (inductor / name).mkdir(parents=True)
        (inductor / name / "a.so").touch()
    os.utime(inductor / "left", (1000, 1000))
    trim_programs(cache.folder)
    assert [path.name for path in inductor.iterdir()] == ["begun"]


def test_what_is_larger_than_the_limit_lives_until_the_next_trim(cache: Cache) -> None:
    (large,) = filled(cache, 5000)
    assert large.exists()
    assert cache.trim() == Freed(1, 5000)


WRITER = """
import sys, time
from pathlib import Path
from core.files import draft

with draft(Path(sys.argv[1], "theirs.safetensors")) as file:
    file.truncate(700)
    print(file.name, flush=True)
    time.sleep(60)
"""


def test_what_another_engine_writes_counts_and_what_it_left_in_a_crash_does_not(cache: Cache) -> None:
    (old,) = filled(cache, 200)
    with subprocess.Popen([sys.executable, "-c", WRITER, cache.folder], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        part = Path(writer.stdout.readline().strip())
        assert cache.trim() == Freed(0, 0)
        assert part.exists(), "its writer lives"
        mine = cache.path("1.safetensors")
        cache.write(mine, bytes(200), lambda _: None)
        assert not old.exists(), "200 + 700 and 200 more are too many"
        writer.send_signal(signal.SIGKILL)
        writer.wait(60)
    other = cache.path("2.safetensors")
    cache.write(other, bytes(750), silent)  # 700 bytes nobody will ever finish take no room
    assert there(cache) == {mine, other}


READER = """
import sys
from pathlib import Path
import torch
from core.engine import trajectories
from core.plan.steps import Snapshots
from core.engine.kernels import trim_programs

expert = trajectories.read(Path(sys.argv[1]), Snapshots(0, 2), torch.device("cpu"))
print("mapped", flush=True)
sys.stdin.readline()
print(float(expert.snapshot(2).sum()), flush=True)
"""


def test_a_trajectory_that_another_engine_reads_survives_its_eviction(cache: Cache) -> None:
    thetas = [torch.full((100_000,), float(epoch)) for epoch in (0, 1, 2)]
    path = cache.path("0.safetensors")
    cache.write(path, trajectories.pack(thetas, 0), lambda _: None)
    with subprocess.Popen(
        [sys.executable, "-c", READER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        assert reader.stdout.readline() == "mapped\n"
        assert cache.trim().files == 1
        assert trajectories.read(path, Snapshots(0, 2), torch.device("cpu")) is None
        reader.stdin.write("\n")
        reader.stdin.flush()
        assert float(reader.stdout.readline()) == pytest.approx(200_000, rel=0.01)
