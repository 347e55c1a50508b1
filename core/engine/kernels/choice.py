"""Which shapes of a job are worth compiling."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

import torch

from core.engine.kernels.compiled import Compiled, Precision, Shape
from core.engine.kernels.eager import Eager
from core.engine.kernels.step import Kernels
from core.engine.networks import ConvNet

_PROGRAMS = {"gradient": ("gradient",), "observe": ("observe",), "adjoint": ("gradient", "keep", "recall")}
_PASSES = {"gradient": 3, "observe": 3, "adjoint": 8}  # forward passes a call takes
_COMPILING = 15.0  # seconds a program takes on two cores
_EAGER = {"cpu": 1 / 120e9, "cuda": 1 / 20e12}  # seconds an operation takes longer when it is not compiled
_CALL = {"gradient": 5e-4, "observe": 5e-4, "adjoint": 2e-3}  # seconds a call takes longer, however small


class Use(NamedTuple):
    """So many calls of a kernel with one shape."""

    kernel: Literal["gradient", "observe", "adjoint"]
    shape: Shape
    calls: int


class Chosen(NamedTuple):
    """Kernels for a job, and in words why these."""

    kernels: Kernels
    reason: str


def choose(
    network: ConvNet,
    uses: Iterable[Use],
    device: torch.device,
    precision: Precision = "float32",
    folder: Path | None = None,
) -> Chosen:
    """Compile the shapes that save more than compiling costs, and those whose programs lie in `folder` already.

    What an operation and a call save was measured once and for all machines; an error of a factor of two costs seconds.
    """
    if (missing := _missing(device)) is not None:
        return Chosen(Eager(network), f"The kernels are not compiled: {missing}")
    wanted: dict[Shape, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for use in uses:
        wanted[use.shape][use.kernel] += use.calls
    candidate = Compiled(network, frozenset(wanted), precision, folder)
    shapes = frozenset(
        shape
        for shape, calls in wanted.items()
        if _saved(network, shape, calls, device) > _cost(candidate, shape, calls, device)
    )
    if not shapes:
        return Chosen(Eager(network), "No kernel is compiled: the job is too small to gain by it.")
    names = ", ".join(f"{shape.students} x {shape.batch}" for shape in sorted(shapes))
    left = f"; {len(wanted) - len(shapes)} shapes are too rare" if len(shapes) < len(wanted) else ""
    return Chosen(Compiled(network, shapes, precision, folder), f"Kernels are compiled for batches of {names}{left}.")


def _saved(network: ConvNet, shape: Shape, calls: dict[str, int], device: torch.device) -> float:
    """Seconds."""
    positions, operations = 0, 0
    channels, height, width = network.shape
    for _ in range(network.depth):
        positions = height * width
        operations += 2 * 9 * channels * network.width * positions
        channels, height, width = network.width, height // 2, width // 2
    work = operations * math.prod(shape) * _EAGER[device.type]
    return sum(count * (_PASSES[kernel] * work + _CALL[kernel] * shape.students) for kernel, count in calls.items())


def _cost(candidate: Compiled, shape: Shape, calls: dict[str, int], device: torch.device) -> float:
    """Seconds to compile what is not stored."""
    programs = {program for kernel in calls for program in _PROGRAMS[kernel]}
    return _COMPILING * sum(not candidate.stored(program, shape, device) for program in programs)


def _missing(device: torch.device) -> str | None:
    """What stands in the way of compiling for a device."""
    if device.type == "cuda":
        from torch.utils._triton import has_triton

        return None if has_triton() else "Triton is not installed, or does not know this GPU."
    if device.type != "cpu":
        return f"there is no compiler for the device {device.type}."
    from torch._inductor.cpp_builder import get_cpp_compiler

    try:
        get_cpp_compiler()
    except Exception as error:  # its own class, which moves between versions of torch
        return f"there is no C++ compiler ({str(error).splitlines()[0]}); install g++ to run several times as fast."
    return None
