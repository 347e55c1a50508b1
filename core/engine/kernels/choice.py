"""Which shapes of a job are worth compiling."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import torch

from core.engine.kernels import products
from core.engine.kernels.compiled import Compiled, Shape, multiplies_bfloat16
from core.engine.kernels.eager import Eager
from core.engine.kernels.step import Kernels
from core.engine.networks import ConvNet, Network
from core.plan import packing
from core.plan.packing import Use
from core.plan.ways import Precision, Verdict, kinds


class Chosen(NamedTuple):
    """Kernels for a job, and in words why these."""

    kernels: Kernels
    reason: str


def choose(
    network: Network,
    uses: Iterable[Use],
    device: torch.device,
    precision: Precision = "float32",
    folder: Path | None = None,
    verdict: Verdict | None = None,
) -> Chosen:
    """Compile the shapes that are worth it, by `packing.worth_compiling`; programs may lie in `folder` already.

    Args:
        verdict: of the machine that the job began on, on how to multiply out convolutions; None for the rule.
    """
    if not isinstance(network, ConvNet):
        return Chosen(Eager(network), "No kernel is compiled: only the ConvNet's passes are written out.")
    if (missing := missing_compiler(device)) is not None:
        return Chosen(Eager(network), f"The kernels are not compiled: {missing}")
    uses = list(uses)
    wanted = {Shape(*use.shape) for use in uses}
    candidate = Compiled(network, frozenset(wanted), precision, folder, verdict)
    worth = packing.worth_compiling(
        network.convolutions,
        uses,
        device.type,
        lambda program, shape: candidate.stored(program, candidate.sliced(Shape(*shape), device, program), device),
    )
    if not worth:
        return Chosen(Eager(network), "No kernel is compiled: the job is too small to gain by it.")
    shapes = frozenset(Shape(*shape) for shape in worth)
    programs = {shape: candidate.sliced(shape, device) for shape in sorted(shapes)}
    names = ", ".join(_words(shape, program) for shape, program in programs.items())
    left = f"; {len(wanted) - len(shapes)} shapes are too rare" if len(shapes) < len(wanted) else ""
    reason = f"Kernels are compiled for batches of {names}{left}."
    if device.type == "cpu" and not products.load(folder):
        reason += " Products of matrices are left to the BLAS, since the engine's own kernel of them is not to be had."
    if precision == "bfloat16" and device.type == "cpu" and not multiplies_bfloat16():
        reason += " This processor has no products of bfloat16: factors are rounded to it and multiplied in float32."
    batches = sorted({program.batch for program in programs.values() if program.students == 1})
    alone = [kind for batch in batches for kind in kinds(network.shape, network.width, network.depth, batch)]
    if verdict and device.type == "cpu" and (told := verdict.words(precision, alone)):
        reason += f" As measured on the machine that it began on, convolutions are multiplied out as {told}."
    return Chosen(Compiled(network, shapes, precision, folder, verdict), reason)


def _words(shape: Shape, program: Shape) -> str:
    slices = "" if program == shape else f" (in slices of {program.batch})"
    return f"{shape.students} x {shape.batch}{slices}"


def missing_compiler(device: torch.device) -> str | None:
    """The reason why nothing can be compiled for a device; None if it can."""
    if device.type == "cuda":
        from torch.utils._triton import has_triton

        return None if has_triton() else "Triton is not installed, or does not know this GPU."
    if device.type != "cpu":
        return f"there is no compiler for the device {device.type}."
    if shutil.which("g++"):  # torch's compiler need not be asked: it takes as long to load as all else of an engine
        return None
    from torch._inductor.cpp_builder import get_cpp_compiler

    try:
        get_cpp_compiler()
    except Exception as error:  # its own class, which moves between versions of torch
        return f"there is no C++ compiler ({str(error).splitlines()[0]}); install g++ to run several times as fast."
    return None
