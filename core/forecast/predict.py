"""The forecast of a job: seconds by phase with error bars, memory, bytes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from core import weight
from core.architectures import network_depth
from core.data import DatasetFacts
from core.forecast import history, memory
from core.forecast.calibration import Calibration
from core.forecast.history import ENOUGH, LEVEL, Interval, Past
from core.forecast.identity import FIELDS, ResultNames, every_step, field, leaves
from core.methods import AUTO
from core.plan import packing
from core.plan.build import plan
from core.plan.cost import Item, cost, stack_on, work
from core.plan.cost.geometry import Geometries, Geometry, geometry
from core.plan.cost.passes import Algebra, Sizes, Work
from core.plan.cost.programs import use, worth_compiling
from core.plan.packing import Batch
from core.plan.phases import PHASES
from core.plan.race import Entrants
from core.plan.steps import FullReference, Plan, keys
from core.plan.ways import kinds
from core.recipe import Compact, Network, Recipe, TwoLayer, search

_MIB = 2**20

# Seconds of what no kernel is in, measured on two CPU cores; past jobs correct them.
_READ_BYTE, _READ_IMAGE = 1e-8, 1e-5
_PUBLISH, _PUBLISH_IMAGE = 1.5, 1e-3


class Shown(BaseModel):
    """Frozen data that clients read."""

    model_config = ConfigDict(frozen=True)


class Estimate(Shown):
    """A number of seconds and where it lies in four jobs out of five."""

    expected: float
    low: float
    high: float


class PhaseEstimate(Estimate):
    """The seconds of a phase."""

    model: float = Field(description="What the calibration alone says, before past jobs correct it.")
    uncached: float = Field(description="The same for an empty cache.")


class Basis(Shown):
    """Where the error bars come from."""

    jobs: int = Field(description="Past jobs on this hardware that were looked at.")
    method_jobs: int = Field(description="Those of the same method; from three on they correct the prediction.")
    level: float = Field(default=LEVEL, description="Share of jobs the intervals are meant to hold.")
    detail: str = Field(description="The same in a sentence.")


class Reuse(Shown):
    """The results that earlier jobs on this hardware have left in the cache, taken to be there still."""

    experts: int = Field(description="Expert trajectories.")
    judges: int = Field(default=0, description="Networks that said which images to select.")
    baselines: int = Field(default=0, description="Networks on random images.")
    reference: bool = Field(description="The reference on the full training set.")
    witness: bool = Field(default=False, description="The network whose features tell what is covered.")
    teacher: bool = Field(default=False, description="The teacher.")
    windows: int = Field(default=0, description="Windows of difficulty that were judged.")
    generator: bool = Field(default=False, description="The generator that draws the images.")
    search: bool = Field(default=False, description="What probes chose, and the experts of that choice.")
    meta: bool = Field(default=False, description="The meta-trained generator that initial images pass through.")
    adapted: bool = Field(default=False, description="The same, adapted to the dataset.")
    saves_seconds: float = Field(description="What it would cost otherwise; the upper bounds include it.")
    jobs: list[str] = Field(description="The jobs that left it.")


class Memory(Shown):
    """MiB of memory: resident memory where the engine computes on a CPU, the GPU's where it computes there."""

    working_mib: float = Field(description="Of data, parameters and activations.")
    baseline_mib: float | None = Field(description="Of the process before it holds any; null before a calibration.")
    peak_mib: float | None = Field(description="Both together.")


class Bytes(Shown):
    """The bytes that the job will leave on disk."""

    experts: int = Field(description="In the worker's cache: the expert snapshots that are read.")
    labels: int = Field(description="Of the synthetic set, as they are published.")
    artifact: int = Field(description="All files of the artifact, roughly.")
    compact: int | None = Field(
        default=None,
        description="Of the compact file, with that of views' labels, to the byte; of a search the most that a winner "
        "takes, with a step size and, where labels may be soft, those. Null where the set is stored as it was "
        "optimised.",
    )


class Within(Shown):
    """The time a job was fitted into, and what its recipe gave up for that."""

    seconds: int = Field(description="The time that was asked for.")
    given_up: tuple[str, ...] = Field(description="A phrase each, by the path of the recipe's field.")
    phases: dict[str, float] = Field(
        description="Seconds by phase that the fit rests on, without the reference on the full training set."
    )
    reference: float = Field(default=0.0, description="Seconds of the reference on the full training set.")
    steps: int = Field(default=0, description="Outer steps of the fit; 0 of a search, which has a time instead.")
    most_steps: int = Field(
        default=0, description="Outer steps that it goes on to while there is time; 0 if it ends with those of the fit."
    )


class Cheaper(Shown):
    """The same request within a time: what it would take, and what its recipe would give up."""

    within: str = Field(description="The `within` to ask for.")
    seconds: float = Field(description="Seconds of the whole job, rather too many than too few.")
    given_up: tuple[str, ...] = Field(description="A phrase each, by the path of the recipe's field.")


class Forecast(Shown):
    """The cost of a job before it runs."""

    object: Literal["forecast"] = "forecast"
    hardware: str | None = Field(description="The worker hardware it speaks of; null before a worker has calibrated.")
    conditions: str | None = Field(
        description="Hardware, engine and kernels; forecasts under equal conditions are comparable."
    )
    calibration: str | None = Field(default=None, description="Name of the measurement that priced it.")
    seconds: Estimate | None = Field(description="Of the whole job, waiting aside; null before a calibration.")
    phases: dict[str, PhaseEstimate] = Field(description="By phase.")
    basis: Basis
    reuse: Reuse | None = Field(description="Null where nothing is known to be there.")
    memory: Memory
    bytes: Bytes
    work: dict[str, dict[str, int]] = Field(description="Kernel calls by phase and kernel, a network at a time.")
    leaves: ResultNames = Field(description="Names of what it leaves in the cache for later jobs.")
    reference: Estimate | None = Field(
        default=None,
        description="Those of `seconds` that are the reference's on the full training set, which is trained once a "
        "dataset and network; null where it is left out, or an earlier job has left it.",
    )
    within: Within | None = Field(default=None, description="Of a request within a time: how it was fitted.")
    cheaper: Cheaper | None = Field(
        default=None,
        description="Of a job that takes more than an hour: a time to ask for, and what would be given up.",
    )


def predict(
    recipe: Recipe,
    facts: DatasetFacts,
    ipc: int,
    method: str,
    calibration: Calibration | None,
    past: Sequence[Past] = (),
    entrants: Entrants | None = None,
    seed: int | None = None,
) -> Forecast:
    """The forecast of a job.

    Args:
        recipe, facts, ipc, method: the job.
        calibration: of the hardware it will run on; None when nobody has measured yet.
        past: jobs that succeeded under the calibration's conditions.
        entrants: those that race, where the recipe is what they share.
        seed: the job's; of results that depend on one that is not known none is taken to be there.
    """
    network = geometry(recipe.network, facts.shape, facts.classes)
    planned = plan(recipe, facts, ipc, entrants, seed, shared=method == AUTO)
    sizes = Sizes.of(facts, ipc * recipe.parameterize.formation)
    named = leaves(planned, facts)
    found, makers = history.there(past, planned, named)
    stack = stack_on(network, calibration.device_bytes if calibration else None)
    whole = cost(planned, facts, ipc, stack, frozenset())
    left = cost(planned, facts, ipc, stack, found) if found else whole
    compiled = (
        worth_compiling(work(whole), network, calibration.device)
        if calibration and calibration.compiled
        else frozenset()
    )
    counted = search.largest(recipe)
    stored = memory.stored_bytes(counted, network, sizes)
    free = calibration.free_bytes if calibration else 0
    working = memory.peak_bytes(counted, network, sizes, work(whole), free, compiled) / _MIB
    for candidate in entrants.candidates if entrants else ():
        work_of = work(cost(plan(candidate.recipe, facts, ipc), facts, ipc, stack))
        shapes = worth_compiling(work_of, network, calibration.device) if compiled and calibration else frozenset()
        found_by = memory.peak_bytes(search.largest(candidate.recipe), network, sizes, work_of, free, shapes)
        working = max(working, found_by / _MIB)
    phases: dict[str, PhaseEstimate] = {}
    seconds = reuse = baseline = None
    if calibration is not None:
        baseline = calibration.baseline_mib
        uncached = _price(calibration, recipe, network, sizes, whole, compiled)
        model = _price(calibration, recipe, network, sizes, left, compiled) if found else uncached
        phases = _corrected(uncached, model, past, method)
        saved = sum(uncached.values()) - sum(model.values())
        if saved > 0:
            reuse = Reuse(
                **_reused(planned, found),
                saves_seconds=_rounded(saved),
                jobs=list(makers),
            )
        seconds = _total(phases, past, method, saved)
    return Forecast(
        hardware=calibration.hardware if calibration else None,
        conditions=calibration.key if calibration else None,
        calibration=calibration.name if calibration else None,
        seconds=seconds,
        phases=phases,
        basis=_basis(calibration, past, method),
        reuse=reuse,
        memory=Memory(
            working_mib=round(working, 1),
            baseline_mib=baseline,
            peak_mib=None if baseline is None else round(baseline + working, 1),
        ),
        bytes=_bytes(counted, facts, ipc, stored),
        work=_sums(work(left)),
        leaves=named,
    )


def _bytes(recipe: Recipe, facts: DatasetFacts, ipc: int, stored: memory.Bytes) -> Bytes:
    """The bytes that are left; where there is a compact file, with its own."""
    if not isinstance(recipe.storage, Compact):
        return Bytes(**stored._asdict())
    parts = weight.parts(recipe, facts, ipc)
    size = sum(parts.values())
    return Bytes(experts=stored.experts, labels=parts["labels"], artifact=stored.artifact + size, compact=size)


def with_winner(forecast: Forecast, winners: Iterable[Recipe], facts: DatasetFacts, ipc: int) -> Forecast:
    """The forecast of a search with the bytes of the heaviest of the `winners` that it may have."""
    told = forecast.bytes
    if told.compact is None:
        return forecast
    heaviest = max((weight.parts(each, facts, ipc) for each in winners), key=lambda parts: sum(parts.values()))
    size, labels = sum(heaviest.values()), heaviest["labels"]
    found = {"compact": size, "artifact": told.artifact - told.compact + size, "labels": labels}
    return forecast.model_copy(update={"bytes": told.model_copy(update=found)})


def _price(
    calibration: Calibration,
    recipe: Recipe,
    network: Geometry,
    sizes: Sizes,
    items: Sequence[Item],
    compiled: Collection[Batch],
) -> dict[str, float]:
    """Seconds by phase; compiling counts where a program is first needed, as if no earlier job had left it."""
    seconds = {"preparing": _preparing(calibration, recipe, network, sizes)}
    each = packing.COMPILING if calibration.compiling is None else calibration.compiling
    made, operation = set[tuple[str, Batch]](), _operation(calibration)
    geometries = Geometries.of(recipe, network.shape, network.classes)
    for item in items:
        if isinstance(item, Algebra):
            price = item.seconds + item.operations * operation
            if not price:
                continue
        else:
            found, shape = use(item, network.norm), (item.networks, item.images)
            if quick := found is not None and found.shape in compiled:
                shape = packing.sliced(
                    network.convolutions, network.norm, found.shape, calibration.device, found.kernel
                )
            price = item.calls * calibration.price(
                item.kernel, geometries.behind(item), item.images, item.networks, compiled=quick
            )
            if quick and item.networks == 1 and isinstance(recipe.network, Network):
                of, pixels = recipe.network, network.shape
                alike = kinds(pixels, of.width, network_depth(of, pixels), shape[1])
                price *= calibration.convolved(recipe.precision, alike)
            if found and quick and item.calls:
                programs = {(program, shape) for program in packing.PROGRAMS[found.kernel]} - made
                made |= programs
                price += each * len(programs)
        seconds[item.phase] = seconds.get(item.phase, 0.0) + price
    seconds["publishing"] = _PUBLISH + _PUBLISH_IMAGE * sizes.synthetic
    return {phase: seconds[phase] for phase in PHASES if phase in seconds}


def _reused(planned: Plan, there: Collection[str]) -> dict[str, int]:
    """How many results of each kind are there, by the names of `Reuse`'s fields."""
    counts = dict.fromkeys(FIELDS, 0)
    for step in every_step(planned):
        if (name := field(step)) is not None:
            counts[name] = max(counts[name], sum(key in there for key in keys(step)))
            if isinstance(step, FullReference):  # a line of the report: all of it or not
                counts[name] //= step.seeds
    return counts


def _preparing(calibration: Calibration, recipe: Recipe, network: Geometry, sizes: Sizes) -> float:
    if isinstance(recipe.objective, TwoLayer):  # whose samples are made as they are used
        return calibration.startup
    images = sizes.train + sizes.validation + sizes.test
    seconds = calibration.startup + images * (_READ_IMAGE + _READ_BYTE * network.pixels)
    if recipe.preprocess.mixes_pixels:
        # a covariance in double precision, its eigenvectors, and every image multiplied by the result
        operations = network.pixels**2 * (4 * sizes.train + 25 * network.pixels + 2 * images)
        seconds += operations * _operation(calibration)
    return seconds


def _operation(calibration: Calibration) -> float:
    """Seconds of an operation in a forward pass."""
    probe = geometry(Network(), (3, 32, 32), 10)
    return calibration.price("forward", probe, 32) / (32 * probe.forward_flops)


def _corrected(
    uncached: Mapping[str, float], model: Mapping[str, float], past: Sequence[Past], method: str
) -> dict[str, PhaseEstimate]:
    phases = {}
    for phase, alone in uncached.items():
        factor, cost = history.of_phase(past, method, phase), model.get(phase, 0.0)
        high = max(cost * factor.high, alone * factor.expected)
        phases[phase] = PhaseEstimate(
            **_bounds(cost, Interval(factor.expected, factor.low, high / cost)) if cost else _bounds_of_nothing(high),
            model=_rounded(cost),
            uncached=_rounded(alone),
        )
    return phases


def _total(phases: Mapping[str, PhaseEstimate], past: Sequence[Past], method: str, saved: float) -> Estimate:
    corrections = {name: phase.expected / phase.model for name, phase in phases.items() if phase.model}
    expected = sum(phase.expected for phase in phases.values())
    factor = history.of_total(past, method, corrections)
    return Estimate(
        expected=_rounded(expected),
        low=_rounded(expected * factor.low),
        high=_rounded(max(expected * factor.high, expected + saved)),
    )


def _bounds(seconds: float, factor: Interval) -> dict[str, float]:
    return {name: _rounded(seconds * value) for name, value in factor._asdict().items()}


def _bounds_of_nothing(high: float) -> dict[str, float]:
    return {"expected": 0.0, "low": 0.0, "high": _rounded(high)}


def _basis(calibration: Calibration | None, past: Sequence[Past], method: str) -> Basis:
    same = sum(job.method == method for job in past)
    if calibration is None:
        detail = "No worker has calibrated yet: start one (`stillhouse serve`) and ask again once it has been idle."
    elif same >= ENOUGH:
        detail = f"{same} past jobs of this method on this hardware correct the calibration."
    elif len(past) >= ENOUGH:
        detail = (
            f"{len(past)} past jobs on this hardware, fewer than {ENOUGH} of this method: only the spread is theirs."
        )
    else:
        detail = f"Calibration only ({len(past)} past jobs on this hardware): a factor of two either way is assumed."
    return Basis(jobs=len(past), method_jobs=same, detail=detail)


def _sums(calls: Sequence[Work]) -> dict[str, dict[str, int]]:
    sums: dict[str, dict[str, int]] = {}
    for call in calls:
        if call.kernel != "data" and call.total:
            phase = sums.setdefault(call.phase, {})
            phase[call.kernel] = phase.get(call.kernel, 0) + call.total
    return sums


def _rounded(seconds: float) -> float:
    return round(seconds, 3)
