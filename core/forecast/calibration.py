"""A model of a machine from measured points: time = overheads + arithmetic / rate + memory traffic / bandwidth.

The points are measured by the worker's calibration, in the engine's own process; here they become a model by which any
number of kernel calls on any network is priced. Small images are a machine of their own: the engine takes one thread
for them, and overhead is most of what they cost.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, NamedTuple, Self, final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from core.plan.cost.geometry import Geometry, geometry
from core.plan.cost.passes import Kernel
from core.plan.ways import Kind, Precision, Verdict, kinds, relative
from core.recipe import Architecture

QUIET = 0.15
"""Share of the processors up to which others may be busy while a measurement is one of this machine."""
SMALL = 256
"""Pixels up to which an image is small."""

_MEASURED: Final[tuple[Precision, list[Kind]]] = "float32", kinds((3, 32, 32), 32, 3, 64)
"""Where a calibration compares compiled kernels with others."""
_PRODUCTS: Final = 0.7
"""Share of a compiled kernel's time that is convolutions, at width 128."""


class Load(NamedTuple):
    """The quantities that take time in a call of a kernel."""

    calls: float
    networks: float
    operations: float
    floats: float


@final
class Point(BaseModel):
    """One measurement: a kernel for `networks` networks on `batch` images each, in seconds."""

    model_config = ConfigDict(frozen=True)

    kernel: Kernel
    network: Architecture
    shape: tuple[int, int, int]
    classes: int
    batch: int
    networks: int = 1
    seconds: float = Field(gt=0)

    @property
    def load(self) -> Load:
        """The quantities in which the model is linear."""
        return load(self.kernel, geometry(self.network, self.shape, self.classes), self.batch, self.networks)


@final
class Calibration(BaseModel):
    """A worker's hardware, measured. Hardware, engine and kernels together say what may be compared with what."""

    model_config = ConfigDict(frozen=True)

    hardware: str
    """The processor or GPU by name, with the threads that are used."""
    engine: str
    """Version of the engine that was measured."""
    kernels: str
    """Which kernels its jobs run: `compiled` also before what that gains is measured."""
    torch: str
    device_bytes: int | None = None
    """Memory of the GPU; None where the engine computes on a CPU."""
    baseline_mib: float = Field(ge=0)
    """Memory the engine's process takes before it holds any data."""
    startup: float = Field(ge=0)
    """Seconds until the engine's process has loaded what it needs."""
    seconds: float = Field(ge=0)
    """How long the calibration took."""
    points: tuple[Point, ...]
    """Measured points of eager kernels."""
    compiled: dict[Literal["gradient", "adjoint"], Annotated[float, Field(gt=0)]] | None = None
    """Seconds of a kernel that is compiled, over those of the same when it is not; None where jobs compile none."""
    verdict: Verdict | None = None
    """The fastest ways to multiply out convolutions; None where nothing is compiled, or on a GPU."""
    compiling: float | None = Field(default=None, ge=0)
    """Seconds that compiling a program took; None where none was compiled, or all were there already."""
    free_bytes: int = Field(default=0, ge=0)
    """Memory that could be taken while nothing ran; 0 where nobody looked."""
    others: float | None = Field(default=None, ge=0, le=1)
    """Share of the processors that others took meanwhile; None where the system does not say."""

    @property
    def device(self) -> Literal["cpu", "cuda"]:
        """Kind of the device."""
        return "cpu" if self.device_bytes is None else "cuda"

    @property
    def key(self) -> str:
        """Jobs with equal keys ran under comparable conditions."""
        return f"{self.hardware}, engine {self.engine}, {self.kernels} kernels"

    @property
    def quiet(self) -> bool:
        """Whether it is of this machine, as far as is known, and not of what else ran there."""
        return self.others is None or self.others <= QUIET

    @functools.cached_property
    def name(self) -> str:
        """Equal for equal prices."""
        fields = {"hardware", "engine", "torch", "startup", "points", "compiled"}
        priced = self.model_dump_json(include=fields if self.verdict is None else fields | {"verdict"})
        return hashlib.sha256(priced.encode()).hexdigest()[:16]

    @functools.cached_property
    def costs(self) -> Mapping[tuple[Kernel, bool], tuple[float, ...]]:
        """Seconds a call, a network, an operation and a float, for each kernel and kind of image."""
        return _fit(self.points)  # looked up by all its points, which takes longer than a price

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other values; what follows from them is not copied."""
        copy = super().model_copy(update=update, deep=deep)
        for derived in ("name", "costs"):
            copy.__dict__.pop(derived, None)
        return copy

    def convolved(self, precision: Precision, kinds: Sequence[Kind]) -> float:
        """Time of a compiled kernel with convolutions of these kinds over what `price` takes it to be.

        It was measured at one network; by the verdict others gain more or less by another way, or by bfloat16.
        """
        target, here = (
            1 - _PRODUCTS + _PRODUCTS * relative(self.verdict, *pair) for pair in ((precision, kinds), _MEASURED)
        )
        return target / here

    def better_of(self, new: Calibration) -> Calibration:
        """The new measurement, with the best of both where the other one was faster: others only make it slower."""
        before = {point.model_copy(update={"seconds": 1.0}): point.seconds for point in self.points}
        points = tuple(
            point.model_copy(
                update={"seconds": min(point.seconds, before.get(point.model_copy(update={"seconds": 1.0}), math.inf))}
            )
            for point in new.points
        )
        quieter = self if (self.others or 0.0) < (new.others or 0.0) else new
        compiled = quieter.compiled or new.compiled or self.compiled
        return new.model_copy(
            update={
                "points": points,
                "compiled": compiled,
                "compiling": min((c for c in (self.compiling, new.compiling) if c is not None), default=None),
                "startup": min(self.startup, new.startup),
                "others": quieter.others,
            }
        )

    def price(
        self, kernel: Kernel, network: Geometry, batch: int, networks: int = 1, *, compiled: bool = False
    ) -> float:
        """Seconds of one call of a kernel. What a compiled one gains is taken to be the same for every shape."""
        if compiled and self.compiled and kernel != "data":  # a pass forwards gains about what a gradient does
            gained = self.compiled["gradient" if kernel == "forward" else kernel]
            return gained * self.price(kernel, network, batch, networks)
        costs = self.costs[kernel, _small(network.shape)]
        return sum(cost * amount for cost, amount in zip(costs, load(kernel, network, batch, networks), strict=True))


def load(kernel: Kernel, network: Geometry, batch: int, networks: int) -> Load:
    """One call; a gradient's three passes are part of its rate."""
    if kernel == "data":
        return Load(1.0, networks, 0.0, networks * (batch * network.pixels + network.parameters))
    floats = batch * network.activations + network.parameters
    return Load(1.0, networks, float(networks * batch * network.forward_flops), networks * floats)


@functools.lru_cache(maxsize=32)
def _fit(points: tuple[Point, ...]) -> dict[tuple[Kernel, bool], tuple[float, ...]]:
    """Seconds a call, a network, an operation and a float, for each kernel and kind of image."""
    found: dict[tuple[Kernel, bool], list[Point]] = {}
    for point in points:
        found.setdefault((point.kernel, _small(point.shape)), []).append(point)
    return {kind: _least_squares(same) for kind, same in found.items()}


def _least_squares(points: Sequence[Point]) -> tuple[float, ...]:
    """The costs, none negative, with the least relative errors."""
    from scipy.optimize import nnls  # here, since only a forecast needs it and it takes a while to import

    seconds = np.array([point.seconds for point in points])
    loads = np.array([point.load for point in points]) / seconds[:, None]
    scale = loads.max(0).clip(min=np.finfo(float).tiny)
    costs, _ = nnls(loads / scale, np.ones(len(points)))
    return tuple(float(cost) for cost in costs / scale)


def _small(shape: tuple[int, int, int]) -> bool:
    return shape[1] * shape[2] <= SMALL
