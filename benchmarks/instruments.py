"""A clock and a memory gauge for work on a CPU or a GPU, in this process."""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch

from core.engine.memory import peak_mib


def seconds(run: Callable[[], object], device: torch.device) -> float:
    """How long `run` takes, the work it left to the device included."""
    finish(device)
    started = time.perf_counter()
    run()
    finish(device)
    return time.perf_counter() - started


def finish(device: torch.device) -> None:
    """Wait for the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Gauge:
    """Peak memory from now on: of the GPU, or of the process where the device has none of its own.

    Freed memory is given back to the system and the kernel's high-water mark is set back first; where the system
    allows neither, the rise is counted from the highest mark so far.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._before = peak_mib(device)
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)
        else:
            with suppress(OSError, AttributeError):
                ctypes.CDLL(None).malloc_trim(0)
            with suppress(OSError):
                Path("/proc/self/clear_refs").write_text("5")  # Linux: sets VmHWM to what is resident now
        self._level = peak_mib(device)

    def rise(self) -> float:
        """MiB of the peak since above the level then."""
        return peak_mib(self._device) - self._level

    def whole(self) -> float:
        """MiB of the highest peak of this process's life."""
        return max(self._before, peak_mib(self._device))
