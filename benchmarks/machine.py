"""The facts that a benchmark row must say about where it was measured."""

from __future__ import annotations

import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import torch

from core.engine.kernels.environment import capabilities
from core.hardware import processor

_SAID = ("avx2", "avx512_f", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_fp16")


def describe(*private: Path | None) -> str:
    """One line: processor with its vector instructions, threads, memory, device, versions, commit, date, command.

    Paths that are `private`, such as where the user keeps a checkout, are written as PATH.
    """
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    command = shlex.join(["python", "-m", _module(), *sys.argv[1:]])
    for path in private:
        command = command if path is None else command.replace(str(path), "PATH")
    return (
        f"{processor()}{instructions()}, {torch.get_num_threads()} threads, {_memory_gib():.0f} GiB, {device}; "
        f"Python {platform.python_version()}, torch {torch.__version__}; commit {commit()}; "
        f"{datetime.now(UTC):%Y-%m-%d}; `{command}`"
    )


def instructions() -> str:
    """The instruction sets on which the speed of products depends, in brackets; empty where torch names none."""
    has = [name for name in _SAID if capabilities().get(name)]
    return f" ({', '.join(has)})" if has else ""


@cache
def commit() -> str:
    """The commit that is checked out, `+` if the code that is measured differs from it."""

    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--", "core", "worker", "benchmarks/*.py")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")


def _memory_gib() -> float:
    info = Path("/proc/meminfo")
    return int(info.read_text().split()[1]) / 2**20 if info.exists() else float("nan")


def _module() -> str:
    spec = sys.modules["__main__"].__spec__
    return spec.name if spec else Path(sys.argv[0]).name
