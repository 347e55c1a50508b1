"""A machine that nobody has measured, so that a job can be fitted into a time before a worker has calibrated.

Two virtual cores without a GPU, rather slow than fast; the costs of a call are near what workers measured on such
machines ("Results" of benchmarks/RESULTS.md names them). A job that runs on a faster one ends before its time.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from core.forecast.calibration import Calibration, Load, Point, load
from core.plan.cost.geometry import geometry
from core.plan.cost.passes import Kernel
from core.recipe import Network

_COSTS: Final[dict[Kernel, Load]] = {
    "forward": Load(1e-4, 0.0, 6e-12, 6e-10),
    "gradient": Load(1e-4, 3e-4, 2e-11, 2.5e-9),
    "adjoint": Load(6e-4, 0.0, 5e-11, 5e-9),
    "data": Load(1e-4, 1e-4, 0.0, 2e-9),
}
"""Seconds a call, a network, an operation, a float."""

_IMAGES: Final = ((1, 8, 8), 2, 2.0), ((3, 32, 32), 3, 1.0)
"""Small images and others: their shape, the depth of a network, and how much dearer a call is."""

_SIZES: Final = (32, 8, 1), (32, 64, 1), (128, 8, 1), (128, 32, 1), (32, 8, 4)


@cache
def assumed(engine: str) -> Calibration:
    """The measurement that such a machine would make."""
    points = []
    for shape, depth, dearer in _IMAGES:
        for width, batch, networks in _SIZES:
            network = Network(width=width, depth=depth)
            for kernel, costs in _COSTS.items():
                amounts = load(kernel, geometry(network, shape, 10), batch, networks)
                seconds = dearer * sum(cost * amount for cost, amount in zip(costs, amounts, strict=True))
                points.append(
                    Point(
                        kernel=kernel,
                        network=network,
                        shape=shape,
                        classes=10,
                        batch=batch,
                        networks=networks,
                        seconds=seconds,
                    )
                )
    return Calibration(
        hardware="two cores, assumed",
        engine=engine,
        kernels="eager",
        torch="",
        baseline_mib=500.0,
        startup=5.0,
        seconds=0.0,
        points=tuple(points),
    )
