"""One description of the machine: what forecast, report, card and benchmarks call it."""

from __future__ import annotations

import platform
from pathlib import Path


def processor() -> str:
    """The processor's name, as it calls itself."""
    path = Path("/proc/cpuinfo")
    for line in path.read_text().splitlines() if path.exists() else []:
        if line.startswith("model name"):
            return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()


def described(threads: int, gpu: str | None = None) -> str:
    """The GPU's name where there is one, else the processor's with the number of threads that compute."""
    return gpu or f"{processor()}, {threads} threads"
