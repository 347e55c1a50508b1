"""The environment of a compiled program, beside its function: these sources, torch, the processor, the threads."""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import torch

_SOURCES = ("convolution.py", "passes.py", "quads.py", "compiled.py", "program.py", "products.py", "product.cpp")


def environment(device: torch.device) -> tuple[str, ...]:
    """Programs made where any of this is different are not used here.

    A program is C++ written for one width of vectors and one number of threads, which the machine that uses it
    translates with all instructions that its own processor has. The compiler is no part of it: where it changes, what
    an older one translated is as right as before.
    """
    return (*_fixed(), str(torch.get_num_threads()), str(device), _name(device))


def capabilities() -> Mapping[str, object]:
    """The processor's capabilities, whatever torch was told to use of them; empty in older versions of torch."""
    found: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return found


@cache
def _fixed() -> tuple[str, ...]:
    sources = hashlib.sha256(b"".join((Path(__file__).parent / name).read_bytes() for name in _SOURCES))
    has = [name for name, value in sorted(capabilities().items()) if value is True] or [platform.processor()]
    versions = (torch.__version__, str(torch.version.git_version), str(sys.implementation.cache_tag))
    return sources.hexdigest(), *versions, platform.machine(), torch.backends.cpu.get_cpu_capability(), *has


@cache
def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else ""
