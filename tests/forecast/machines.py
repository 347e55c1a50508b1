"""A machine that obeys the cost model exactly, and jobs to price on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.data import Catalogue, DatasetFacts
from core.forecast import Calibration, Forecast, Past, Point, predict
from core.forecast.calibration import load
from core.plan.cost.geometry import geometry
from core.plan.cost.passes import Kernel
from core.recipe import Network, Recipe
from core.request import ENGINE_VERSION, JobRequest, resolve

COSTS: dict[Kernel, tuple[float, float, float, float]] = {
    "forward": (1e-4, 0.0, 1e-11, 1e-9),
    "gradient": (1e-4, 3e-4, 3e-11, 4e-9),
    "adjoint": (1e-3, 0.0, 9e-11, 9e-9),
    "data": (1e-4, 1e-4, 0.0, 2e-9),
}
"""Seconds a call, a network, an operation, a float."""

SHAPES = ((1, 8, 8), 2), ((3, 32, 32), 3)
SIZES = (32, 8, 1), (32, 64, 1), (128, 8, 1), (128, 32, 1), (32, 8, 4)


def machine(hardware: str = "Pentium, 1 threads", slower: float = 1.0) -> Calibration:
    """The calibration that a machine of this speed would measure."""
    points = []
    for shape, depth in SHAPES:
        for width, batch, networks in SIZES:
            network = Network(width=width, depth=depth)
            for kernel, costs in COSTS.items():
                amounts = load(kernel, geometry(network, shape, 10), batch, networks)
                seconds = slower * sum(cost * amount for cost, amount in zip(costs, amounts, strict=True))
                point = {"kernel": kernel, "network": network, "shape": shape, "classes": 10, "batch": batch}
                points.append(Point(**point, networks=networks, seconds=seconds))
    return Calibration(
        hardware=hardware,
        engine=ENGINE_VERSION,
        kernels="eager",
        torch="2",
        baseline_mib=500.0,
        startup=2.0,
        seconds=9.0,
        points=tuple(points),
    )


def compiler(hardware: str = "Pentium, 1 threads") -> Calibration:
    """The same machine with a compiler."""
    more = {"kernels": "compiled", "compiled": {"gradient": 0.5, "adjoint": 0.25}, "compiling": 20.0}
    return machine(hardware).model_copy(update=more)


def facts(dataset: str = "digits") -> DatasetFacts:
    """The facts of a dataset, without its arrays."""
    return Catalogue(Path("nowhere")).facts(dataset)


def recipe(method: str = "mtt", dataset: str = "digits", ipc: int = 1, **overrides: Any) -> Recipe:
    """A method's recipe; keyword `a__b` is the path `a.b`."""
    changes = {path.replace("__", "."): value for path, value in overrides.items()}
    return resolve(JobRequest(dataset=dataset, ipc=ipc, method=method, overrides=changes), facts(dataset))


def forecast(
    method: str = "mtt",
    dataset: str = "digits",
    ipc: int = 1,
    past: tuple[Past, ...] = (),
    seed: int | None = None,
    **overrides: Any,
) -> Forecast:
    """The forecast of a job on that machine."""
    return predict(recipe(method, dataset, ipc, **overrides), facts(dataset), ipc, method, machine(), past, seed=seed)
