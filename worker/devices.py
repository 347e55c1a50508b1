"""This machine's processors and GPUs, divided between workers so that none is in another's way."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Final

ALL: Final = "all"

VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
_THREADS: Final = "OMP_NUM_THREADS"
_SECONDS: Final = 20.0


def gpus(environment: Mapping[str, str]) -> list[str]:
    """The GPUs that may be used, as CUDA_VISIBLE_DEVICES names them; none where there is no driver."""
    if VISIBLE in environment:
        return _names(environment[VISIBLE])
    program = shutil.which("nvidia-smi", path=environment.get("PATH"))
    if program is None:
        return []
    try:
        asked = [program, "--query-gpu=uuid", "--format=csv,noheader"]
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return answer.stdout.split() if answer.returncode == 0 else []


def uuid(name: str, environment: Mapping[str, str]) -> str:
    """The name by which the driver knows a GPU wherever it is shown; one that is no number is that already."""
    program = shutil.which("nvidia-smi", path=environment.get("PATH"))
    if not name.isdecimal() or program is None:
        return name
    asked = [program, "--query-gpu=uuid", "--format=csv,noheader", f"--id={name}"]
    try:
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return name
    return answer.stdout.strip() if answer.returncode == 0 and answer.stdout.strip() else name


def one_each(chosen: str, environment: Mapping[str, str]) -> list[dict[str, str]]:
    """The variables of a worker for each GPU: all that there are, or those named, with commas between them.

    Raises:
        ValueError: there is none, or one is named twice.
    """
    names = gpus(environment) if chosen == ALL else _names(chosen)
    if not names:
        raise ValueError("No GPU is to be seen: look whether nvidia-smi shows any here, or start without --gpus.")
    if len(set(names)) < len(names):
        raise ValueError(f"--gpus {chosen} names a GPU twice: a GPU has one worker.")
    threads = divided(len(names), {**environment, VISIBLE: ""}, [])
    return [own | {VISIBLE: name} for own, name in zip(threads, names, strict=True)]


def divided(
    workers: int, environment: Mapping[str, str], devices: Sequence[str] | None = None, cores: int | None = None
) -> list[dict[str, str]]:
    """The variables of each of so many workers; a worker alone has all there is, as it finds it.

    With GPUs each has one, and those that are left over compute on the CPU: no two share one. Threads are divided
    equally, so that all of them make the same bits.

    Args:
        devices: the GPUs; by default those that are found.
        cores: processors that may be used; by default this process's.
    """
    if workers == 1:
        return [{}]
    devices = gpus(environment) if devices is None else devices
    threads = max(1, (cores or len(os.sched_getaffinity(0))) // workers)
    shared = {} if _THREADS in environment else {_THREADS: str(threads)}
    if not devices or environment.get("STILLHOUSE_DEVICE") == "cpu":
        return [dict(shared) for _ in range(workers)]
    without = {VISIBLE: "", "STILLHOUSE_DEVICE": "cpu"}
    return [shared | ({VISIBLE: devices[number]} if number < len(devices) else without) for number in range(workers)]


def _names(listed: str) -> list[str]:
    return [name.strip() for name in listed.split(",") if name.strip()]
