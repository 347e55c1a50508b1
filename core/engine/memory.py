"""How much memory this process has used at most."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch


def free_bytes(device: torch.device) -> int:
    """Memory that could be taken now: the device's own, or what the machine and its control group have left."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return 0
    line = next(line for line in meminfo.read_text().splitlines() if line.startswith("MemAvailable"))
    free = int(line.split()[1]) * 1024
    group = Path("/sys/fs/cgroup")
    if (group / "memory.max").exists() and (most := (group / "memory.max").read_text().strip()) != "max":
        free = min(free, int(most) - int((group / "memory.current").read_text()))
    return max(0, free)


def peak_mib(device: torch.device | None = None) -> float:
    """MiB: of the device's memory where it has its own, else of the process's resident memory."""
    if device is not None and device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the parent had when it forked
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
