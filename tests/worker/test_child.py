"""The engine's process, by itself: what it sees, and that nothing of it is left."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.worker.service import is_alive, until
from worker.child import Child, Message, environment


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that `-m child_under_test` runs."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "child_under_test.py"


def spawn(module: Path, program: str, heard: list[Message] | None = None) -> Child:
    """Starts a child that runs a program, in which `channel` is a file."""
    prologue = (
        "import os, sys, json, time, signal\nchannel = os.fdopen(int(sys.argv[sys.argv.index('--channel') + 1]), 'w')\n"
    )
    module.write_text(prologue + program)
    return Child.spawn(module.stem, module.parent, (heard if heard is not None else []).append)


def test_it_sees_an_allow_list_of_the_environment(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLHOUSE_DATABASE_URL", "postgresql://user:secret@db/ledger")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    heard: list[Message] = []
    with spawn(module, "print(json.dumps(dict(os.environ)), file=channel)", heard) as child:
        assert child.wait(60) == 0
    assert heard[0].keys() <= environment(os.environ).keys() | {"LC_CTYPE"}
    assert heard[0]["CUDA_VISIBLE_DEVICES"] == "3"
    assert "secret" not in str(heard)


def test_how_numbers_are_computed_is_for_whoever_started_the_worker_to_say() -> None:
    said = {"ATEN_CPU_CAPABILITY": "avx2", "CXX": "g++-14", "DNNL_MAX_CPU_ISA": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
    assert said.items() <= environment(said | {"DATABASE_PASSWORD": "secret"}).items()


def test_it_inherits_no_other_descriptor(module: Path) -> None:
    heard: list[Message] = []
    with spawn(module, "print(json.dumps({'fds': os.listdir('/proc/self/fd')}), file=channel)", heard) as child:
        assert child.wait(60) == 0
    assert len(heard[0]["fds"]) == 5  # input, output, error, channel, and the listing's own


def test_messages_arrive_in_order_and_nonsense_is_skipped(module: Path) -> None:
    heard: list[Message] = []
    program = """
for n in range(1000):
    print(json.dumps({"n": n}), file=channel)
print("{oops", file=channel)
print("[1]", file=channel)
"""
    with spawn(module, program, heard) as child:
        assert child.wait(60) == 0
    assert [message["n"] for message in heard] == list(range(1000))


def test_its_last_words_are_kept_without_passwords(module: Path) -> None:
    program = "for n in range(100): print(n)\nsys.exit('no route to https://me:hunter2@example.org/x')"
    with spawn(module, program) as child:
        assert child.wait(60) == 1
    assert child.last_words()[-2:] == ["99", "no route to https://me:***@example.org/x"]
    assert len(child.last_words()) == 40


def test_killing_it_ends_its_children_too(module: Path) -> None:
    heard: list[Message] = []
    program = """
import subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(json.dumps({"pid": grandchild.pid}), file=channel, flush=True)
time.sleep(600)
"""
    with spawn(module, program, heard) as child:
        until(lambda: heard, "the child has spoken")
        child.terminate()
        assert child.wait(0.3) is None
        child.kill()
        assert child.wait(60) == -9
    assert child.killed
    until(lambda: not is_alive(heard[0]["pid"]), "the grandchild has ended")


def test_what_it_leaves_running_is_ended(module: Path) -> None:
    heard: list[Message] = []
    program = """
import subprocess
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(json.dumps({"pid": grandchild.pid}), file=channel, flush=True)
"""
    with spawn(module, program, heard) as child:
        assert child.wait(60) == 0
    assert not child.killed
    until(lambda: not is_alive(heard[0]["pid"]), "the grandchild has ended")


def test_its_life_line_closes_with_its_parent(module: Path, tmp_path: Path) -> None:
    module.write_text("import os\nos.read(0, 1)\n")
    parent = f"""
import sys, time
from pathlib import Path
from worker.child import Child
child = Child.spawn("child_under_test", Path({str(tmp_path)!r}), print)
print(child.pid, flush=True)
time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    assert is_alive(pid)
    process.kill()
    process.wait()
    process.stdout.close()
    until(lambda: not is_alive(pid), "the child has ended with its parent")


def descriptors_open() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_it_leaves_no_thread_and_no_descriptor(module: Path) -> None:
    threads, descriptors = threading.active_count(), descriptors_open()
    with spawn(module, "time.sleep(600)"):
        assert threading.active_count() == threads + 2
    assert threading.active_count() == threads
    assert descriptors_open() == descriptors
