"""No two workers have one GPU, whoever started them; and a worker takes the jobs it can."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from core.ledger import Needs, Status
from tests.worker.service import ROOT, Service, over, until
from worker import gpu
from worker.drain import Drain

TWO = ("0", "1")


def held(folder: Path, *names: str, drain: Drain | None = None) -> tuple[gpu.Hold | None, dict[str, str]]:
    """The hold of a worker that may use these, and its environment."""
    environment: dict[str, str] = {}
    hold = gpu.take(folder, "auto", environment, drain or Drain(), 0.01, lambda _: names)
    return hold, environment


def test_each_worker_takes_another_gpu_and_shows_its_engine_no_other(tmp_path: Path) -> None:
    (first, seen), (second, also) = held(tmp_path, *TWO), held(tmp_path, *TWO)
    assert first is not None
    assert second is not None
    assert (first.name, second.name) == TWO
    assert (seen["CUDA_VISIBLE_DEVICES"], also["CUDA_VISIBLE_DEVICES"]) == TWO
    first.release()
    third, _ = held(tmp_path, *TWO)
    assert third is not None
    assert third.name == "0"


def test_a_worker_without_a_free_gpu_waits_and_says_so(tmp_path: Path) -> None:
    first, _ = held(tmp_path, "0")
    assert first is not None
    drain, found = Drain(), list[gpu.Hold | None]()
    with capture_logs() as told:
        waiting = threading.Thread(target=lambda: found.append(held(tmp_path, "0", drain=drain)[0]))
        waiting.start()
        until(lambda: told, "it says something")
        assert not found
        first.release()
        waiting.join()
    assert "STILLHOUSE_DEVICE=cpu" in told[0]["fix"]
    assert found[0] is not None
    drain.set()
    assert held(tmp_path, "0", drain=drain) == (None, {}), "told to stop while it waits"


def test_a_worker_that_computes_on_its_processors_takes_none(tmp_path: Path) -> None:
    assert gpu.take(tmp_path, "cpu", {}, Drain(), known=lambda _: TWO) is None
    assert held(tmp_path)[0] is None
    assert not list(tmp_path.iterdir())


def test_the_gpu_of_a_worker_that_was_killed_is_free_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from worker import gpu; from worker.drain import Drain; "
        "gpu.take(pathlib.Path(sys.argv[1]), 'auto', {}, Drain(), known=lambda _: ['0']); print(flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        until(lambda: other.stdout and other.stdout.readline().strip() == b"", "it has the GPU")
        drain = Drain()
        drain.set()
        assert held(tmp_path, "0", drain=drain)[0] is None
        with pytest.raises(BlockingIOError):
            _lock(next(tmp_path.iterdir()))
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert held(tmp_path, "0")[0] is not None


def _lock(path: Path) -> None:
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_gpu_by_its_number_is_the_one_by_its_name(tmp_path: Path) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho GPU-a\n")
    tool.chmod(0o755)
    locks = tmp_path / "locks"
    locks.mkdir()
    by_number = {"PATH": str(tmp_path)}
    first = gpu.take(locks, "auto", by_number, Drain(), 0.01, lambda _: ["0"])
    assert first is not None
    assert by_number["CUDA_VISIBLE_DEVICES"] == "0"
    assert [path.name for path in locks.iterdir()] == ["stillhouse-gpu-GPU-a"]


@over((("poller", "sqlite"),), "service")
def test_two_workers_started_by_hand_share_no_gpu(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a")
    locks = tmp_path / "locks"
    locks.mkdir()
    first = service.start_worker(gpu_locks=locks)
    service.start_worker(waits=True, gpu_locks=locks)
    until(lambda: "waiting for a GPU" in service.describe(), "the second one waits")
    (own,) = service.ledger.workers()
    assert own.worker_id.split(":")[1] == str(first.pid)
    play = service.submit(needs=Needs(device="gpu"))
    assert play.wait_for_end().status is Status.SUCCEEDED
    first.kill()
    until(lambda: len(service.ledger.workers()) == 2, "the second one has it")
    assert service.submit(needs=Needs(device="gpu")).wait_for_end().status is Status.SUCCEEDED


@over((("poller", "sqlite"), ("celery", "postgresql")), "service")
def test_a_worker_with_little_memory_leaves_a_large_job_to_another(service: Service) -> None:
    service.start_worker(job_memory=1.0)
    large = service.submit(needs=Needs(memory_bytes=2 * 2**30))
    small = service.submit(needs=Needs(memory_bytes=2**30))
    assert small.wait_for_end().status is Status.SUCCEEDED
    assert large.job.status is Status.QUEUED
    assert "2.0 GiB" in str(large.job.waits_for)
    service.start_worker(job_memory=4.0)
    assert large.wait_for_end().status is Status.SUCCEEDED
    assert large.job.attempt == 1
