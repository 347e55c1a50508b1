"""Which calls of a job are those of kernels, and which of their shapes are worth compiling."""

from __future__ import annotations

from collections.abc import Iterable

from core.plan import packing
from core.plan.cost.geometry import Geometry
from core.plan.cost.passes import Work
from core.plan.packing import Batch, Use


def use(call: Work, norm: str) -> Use | None:
    """The call as `core.engine.kernels` sees it; None where the engine makes it by other means."""
    if not call.by_kernels or call.kernel == "data":
        return None
    if call.kernel == "forward":
        return Use("logits", packing.TESTS, call.calls) if call.tests else None
    kernel: packing.Kernel = "adjoint" if call.kernel == "adjoint" else "observe" if norm == "batch" else "gradient"
    return Use(kernel, (call.networks, call.images), call.calls)


def worth_compiling(calls: Iterable[Work], network: Geometry, device: str) -> frozenset[Batch]:
    """The shapes a job runs as compiled programs on a kind of device that has a compiler, but no programs yet."""
    if not network.compiles:
        return frozenset()
    uses = [found for call in calls if (found := use(call, network.norm))]
    return packing.worth_compiling(network.convolutions, uses, device)
