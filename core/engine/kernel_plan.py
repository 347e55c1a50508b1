"""How a job is to be computed: which kernels are compiled, and how much of the student's steps is kept in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import torch

from core.data import DatasetFacts
from core.engine.context import KernelPlan
from core.engine.kernels import Chosen, Compiled, Eager, Kernels, Program, Shape, choose
from core.engine.memory import free_bytes, peak_mib
from core.engine.networks import Network
from core.engine.train import stack_for
from core.plan import build, packing
from core.plan.cost import cost, work
from core.plan.cost.passes import Sizes
from core.plan.cost.programs import use
from core.plan.cost.students import path_vectors, student_batch, unrolled_steps
from core.plan.packing import Use
from core.plan.ways import Verdict
from core.recipe import Recipe


def plan(
    recipe: Recipe,
    facts: DatasetFacts,
    ipc: int,
    network: Network,
    device: torch.device,
    folder: Path | None,
    *,
    compiles: bool = True,
    verdict: Verdict | None = None,
) -> KernelPlan:
    """Decide before anything is computed. Compiled programs are looked for, and kept, in `folder`.

    Args:
        verdict: of the machine that the job began on, see `core.plan.ways`; None for the rule.
    """
    sizes = Sizes.of(facts, ipc * recipe.parameterize.formation)
    planned = build.plan(recipe, facts, ipc)
    calls = work(cost(planned, facts, ipc, lambda batch: stack_for(network, batch, device)))
    uses = [found for call in calls if (found := use(call, network.norm))]
    kernels, reason = (
        choose(network, uses, device, recipe.precision, folder, verdict)
        if compiles
        else Chosen(Eager(network), "The kernels are not compiled: the setting STILLHOUSE_COMPILE forbids it.")
    )
    steps = unrolled_steps(recipe)
    if not steps:  # what has adjoints without student steps, matches gradients: it keeps each for a moment
        return KernelPlan(kernels, reason, 0, {}, _programs(kernels, uses, packing.KEEPING, device))
    theta, batch = torch.empty(network.size), student_batch(recipe, sizes)
    each, path = kernels.kept_bytes(theta, batch), path_vectors(recipe) * theta.nbytes
    kept = packing.kept_steps(recipe.schedule.memory, steps, path, each, free_bytes(device))
    # beside what is kept: the path, and one step's own memory, its tangents and its cotangents
    peak = peak_mib(device) + (path + (kept + 3) * each) / 2**20
    strategy = "keep" if kept == steps else "keep the last steps" if kept else "recompute"
    memory = {"strategy": strategy, "kept_steps": kept, "steps": steps, "predicted_peak_mib": round(peak, 1)}
    adjoints = frozenset(packing.KEEPING if kept else ()) | (packing.PROGRAMS["adjoint"] if kept < steps else set())
    return KernelPlan(kernels, reason, kept * each, memory, _programs(kernels, uses, adjoints, device))


def _programs(
    kernels: Kernels, uses: Iterable[Use], adjoints: Collection[str], device: torch.device
) -> frozenset[Program]:
    """The programs that are compiled for these uses, where an adjoint takes the programs given."""
    if not isinstance(kernels, Compiled):
        return frozenset()
    found = ((name, Shape(*use.shape)) for use in uses for name in _names(use, adjoints))
    return frozenset((name, kernels.sliced(shape, device, name)) for name, shape in found if shape in kernels.shapes)


def _names(use: Use, adjoints: Collection[str]) -> Collection[str]:
    return adjoints if use.kernel == "adjoint" else packing.PROGRAMS[use.kernel]
