"""A whole job on a multi-index dataset in this process: points, labels, and everything that its report says.

from core.data.multi_index import parse
from core.engine.two_layer.run import distil

done = distil(method("progressive-two-layer").recipe(task), parse("multi-index:d=32"), points=8, seed=0)
done.memory, done.theory.alignment
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, final

import numpy as np
import safetensors.numpy

from core.data.multi_index import LINKS, MultiIndex
from core.engine import stored
from core.engine.two_layer import labels, measures, points, student
from core.engine.two_layer.labels import Real
from core.engine.two_layer.points import Points
from core.engine.two_layer.student import Memory, Student
from core.engine.two_layer.sweep import Arrays, Floats, Sweeper, restored
from core.engine.workspace import Drained, InMemory, Workspace
from core.plan import two_layer as steps
from core.recipe import Recipe, TwoLayer
from core.report.theory import Reached, Theory

FRESH: Final = 5_000_000_000
"""Seeds of students from here on are nobody else's: neither a job's nor those that labels are matched for."""

_MEMORY, _POINTS, _ERRORS = "memory.safetensors", "points.safetensors", "errors.json"


@final
@dataclass(frozen=True)
class Job:
    """A job on its way, with what its steps have made so far."""

    recipe: Recipe
    choice: TwoLayer
    task: MultiIndex
    count: int
    """Points."""
    seed: int
    workspace: Workspace
    points: Points | None = None
    memory: Memory | None = None
    theory: Theory | None = None

    @property
    def real(self) -> Real:
        """The real samples that second layers are solved on."""
        return Real(self.task, min(self.choice.samples, self.task.n))


@final
@dataclass(frozen=True)
class Done:
    """The result of a job."""

    memory: Memory
    theory: Theory
    points: Points


def distil(recipe: Recipe, task: MultiIndex, points: int, seed: int, workspace: Workspace | None = None) -> Done:
    """Distil a multi-index dataset to so many points and as many labels as a student has units; measure the result.

    The same arguments give the same memory.

    Raises:
        Drained: the workspace said to stop; everything up to then is in its checkpoint.
    """
    assert isinstance(recipe.objective, TwoLayer), "a recipe of another objective distils pictures"
    job = Job(recipe, recipe.objective, task, points, seed, InMemory() if workspace is None else workspace)
    for step in steps.two_layer_steps(recipe):
        job = RUNNERS[type(step)](job, step)
    assert job.memory is not None, "every plan distils"
    assert job.theory is not None, "and judges"
    assert job.points is not None, "points first"
    return Done(job.memory, job.theory, job.points)


def _match_gradients(job: Job, step: steps.MatchGradients) -> Job:
    passes = labels.chunks(job.task.n) * (1 + step.rounds)
    job.workspace.journal.enter("distilling", passes)
    sweeper = Sweeper(job.task, job.workspace, _ticks(job.workspace, passes))
    found = _known_points(job.workspace.checkpoint(_POINTS))
    if found is None:
        found = points.distilled(sweeper, job.choice, job.count, job.seed)
        job.workspace.store(_POINTS, _packed(found))
    return replace(job, points=found)


def _match_performance(job: Job, step: steps.MatchPerformance) -> Job:
    made, choice = job.points, job.choice
    assert made is not None, "labels are of points"
    stored_points = made.points.astype(np.float32)
    job.workspace.journal.enter("relabelling", step.students)
    known = restored(job.workspace.checkpoint(_MEMORY))
    found = None if known is None else known["labels"]
    if found is None:
        seeds, tick = labels.matched_seeds(job.seed, step.students), _ticks(job.workspace, step.students)
        given = stored_points.astype(np.float64)
        found = labels.distilled(given, choice.width, seeds, job.real, choice.ridge, choice.bias, tick)
        found = found.astype(np.float32)
        job.workspace.store(_MEMORY, safetensors.numpy.save({"labels": found}))
    return replace(job, memory=Memory(stored_points, found, job.seed, choice.ridge, choice.bias))


def _judge_students(job: Job, step: steps.JudgeStudents) -> Job:
    """The errors of all lines and curves, each of which is in the checkpoint as soon as it is known."""
    made, memory, choice, workspace = job.points, job.memory, job.choice, job.workspace
    assert made is not None, "labels are of points"
    assert memory is not None, "a memory is judged once it is made"
    seeds = workspace.networks(step.students)
    works = _measurements(job, made, memory, seeds)
    workspace.journal.enter("evaluating", len(works))
    known: dict[str, float] = stored.document(workspace.checkpoint(_ERRORS), {})
    for place, (name, make) in enumerate(works.items()):
        if name not in known and (name.startswith(("own", "fresh")) or workspace.time_left() > 0):
            if workspace.should_stop():
                raise Drained
            known[name] = round(measures.error(job.task, make()), 6)
            workspace.store(_ERRORS, stored.written(known))
        workspace.journal.progress(place + 1, len(works))
    where = measures.subspace(made.points, job.task.subspace())
    theory = Theory(
        dataset=job.task.name,
        d=job.task.d,
        r=job.task.r,
        link=job.task.link,
        link_degree=LINKS[job.task.link].degree,
        samples=made.samples,
        points=len(memory.points),
        width=choice.width,
        rounds=choice.rounds,
        alignment=round(where.alignment, 6),
        angles=tuple(round(each, 3) for each in where.angles),
        singular_values=tuple(round(each, 6) for each in where.singular),
        gap=where.gap,
        errors=tuple(_reached(known)),
        by_points=_curve(known, "points"),
        by_width=_curve(known, "width"),
        by_samples=tuple(
            (count, round(measures.subspace(each, job.task.subspace()).alignment, 6)) for count, each in made.after
        ),
        floats=memory.floats,
        real_floats=job.task.n * (job.task.d + 1),
    )
    return replace(job, theory=theory)


def _measurements(job: Job, made: Points, memory: Memory, seeds: int) -> dict[str, Callable[[], Student]]:
    """The networks whose errors are told, by a name and a number."""
    choice, real, task = job.choice, job.real, job.task
    rest = choice.width, job.seed, choice.ridge, choice.bias

    def fresh(seed: int) -> Student:
        return student.train(memory, FRESH + seed)

    def raw(seed: int) -> Student:
        return measures.on_raw(task, job.count, choice.width, FRESH + seed, choice.ridge, choice.bias)

    def kept(count: int) -> Student:
        return _solved(real, made.points[:count], choice.width, job.seed, choice)

    def wide(width: int) -> Student:
        return _solved(real, made.points, width, job.seed, choice)

    widths = [width for width in _rungs(choice.width, 4) if width % 2 == 0 and width >= 8]
    return {
        "own/0": partial(student.train, memory),
        **{f"fresh/{seed}": partial(fresh, seed) for seed in range(seeds)},
        **{f"raw/{seed}": partial(raw, seed) for seed in range(seeds)},
        "real_labels/0": partial(wide, choice.width),
        "real_step/0": partial(measures.real_step, real, made.first, *rest),
        "oracle/0": partial(measures.oracle_features, real, *rest),
        "random/0": partial(measures.random_features, real, *rest),
        **{f"points/{count}": partial(kept, count) for count in _rungs(job.count)},
        **{f"width/{width}": partial(wide, width) for width in widths},
    }


def _solved(real: Real, made: Floats, width: int, seed: int, choice: TwoLayer) -> Student:
    """A student that stepped on the points, and whose second layer is solved on real data."""
    return real.solved(*student.hidden(made, width, seed, choice.bias), choice.ridge)


def _rungs(most: int, fewest: int = 8) -> list[int]:
    """A few numbers up to the most: halves of it, and small ones one by one."""
    halves = [most >> power for power in range(fewest) if most >> power]
    small = [each for each in (3, 6) if each < most <= 16]
    return sorted({*halves, *small})


def _reached(known: Mapping[str, float]) -> list[Reached]:
    found: dict[str, list[float]] = {}
    for name, error in known.items():
        line, _, _ = name.partition("/")
        if line not in ("points", "width"):
            found.setdefault(line, []).append(error)
    return [Reached(name=name, errors=tuple(each)) for name, each in found.items()]


def _curve(known: Mapping[str, float], kind: str) -> tuple[tuple[int, float], ...]:
    return tuple((int(name.partition("/")[2]), error) for name, error in known.items() if name.startswith(f"{kind}/"))


def _ticks(workspace: Workspace, total: int) -> Callable[[], None]:
    """Counts calls as progress of the phase."""
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        workspace.journal.progress(min(done, total), total)

    return tick


def _packed(made: Points) -> bytes:
    arrays: Arrays = {"points": made.points, "first": made.first, "samples": np.array([made.samples])}
    arrays |= {f"after-{count}": each for count, each in made.after}
    return safetensors.numpy.save(arrays)


def _known_points(source: stored.Source | None) -> Points | None:
    arrays = restored(source)
    if arrays is None:
        return None
    counts = sorted(int(name.removeprefix("after-")) for name in arrays if name.startswith("after-"))
    after = tuple((count, arrays[f"after-{count}"]) for count in counts)
    return Points(arrays["points"], arrays["first"], int(arrays["samples"][0]), after)


RUNNERS: Final[Mapping[type[Any], Callable[[Job, Any], Job]]] = {
    steps.MatchGradients: _match_gradients,
    steps.MatchPerformance: _match_performance,
    steps.JudgeStudents: _judge_students,
}
"""The runner of each kind of step of such a job."""
