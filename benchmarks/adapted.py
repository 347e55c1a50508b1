"""MGDD: every size from one adapted generator, and how soon it is as good as FRePo from scratch."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from benchmarks.jobs import Ask, Finished, Setting, collect
from benchmarks.rows import percent, spread, table

TITLE: Final = "Any number of images from one adapted generator, and how soon"

_ADAPTED = "The generator, adapted to this dataset, was in the cache."  # says the engine
_RATE = {"evaluation.baseline_lrs": [0.01]}
# What a generator gives that is the identity, as each is at first.
_MEANS = {"init": {"kind": "generated", "given": "means", "meta": None, "steps": 0}}
_REAL = {"init": {"kind": "real"}}
_SIZES = ["images a class", "MGDD", "means as they are", "random images, labels solved", "hard labels", "n"]
_SIZES += ["images and labels, s", "the engine until then, s", "the whole job, s"]
_RACE = ["images a class", "arm", "accuracy", "n", "seconds", "FRePo's seconds over these"]


@dataclass(frozen=True)
class Arm:
    """Some way to make the set; `seconds` of making it are one a job, or that of training the generator they share."""

    name: str
    jobs: Sequence[Finished]
    seconds: Sequence[float]

    @property
    def accuracy(self) -> float:
        """Mean over the jobs."""
        return statistics.fmean(job.accuracy() for job in self.jobs)


def sizes(setting: Setting, ask: Ask, ipcs: Sequence[int]) -> str | None:
    """The table of sizes; None without all three jobs of some size."""
    found: dict[int, list[list[Finished]]] = {ipc: [] for ipc in ipcs}
    for seed in range(setting.seeds):
        for ipc in ipcs:
            orders = [
                setting.order(f"mgdd, {ipc} a class", "mgdd", ipc, seed, _RATE | own) for own in ({}, _MEANS, _REAL)
            ]
            jobs = collect(ask, orders)
            if len(jobs) == len(orders):
                found[ipc].append(jobs)
    known = {ipc: each for ipc, each in found.items() if each}
    if not known:
        return None
    means = [statistics.fmean(own.accuracy() for own, *_ in each) for each in known.values()]
    falls = [f"from {a} to {b}" for (a, b), (x, y) in zip(pairwise(known), pairwise(means), strict=True) if y < x]
    text = (
        f"{setting.told}; method `mgdd`. One generator, adapted once, whatever the ipc and the seed; labels are solved "
        "for each set. Beside it labels solved for the means of clusters that the generator is given, as they are, and "
        "for random real images; and these with hard labels. ± is over draws and networks. Accuracy "
        f"{'falls ' + ', '.join(falls) if falls else 'rises with every size'}. Seconds are medians of jobs after the "
        "first, which found the generator adapted (least-most): of images and labels, of the engine until the set was "
        "there, of the whole job with its evaluation, from the order to its end."
    )
    return "\n\n".join([text, table(_SIZES, [_size(ipc, each) for ipc, each in known.items()])])


def race(
    setting: Setting, ask: Ask, ipcs: Sequence[int], adaptations: Sequence[int], steps: Sequence[int]
) -> str | None:
    """The table of seconds: FRePo after so many steps, and generators adapted in so many; None without any job."""
    rows = [row for ipc in ipcs for row in _race(setting, ask, ipc, adaptations, steps)]
    if not rows:
        return None
    text = (
        "How soon a set is as good as FRePo's, made from scratch. Seconds of FRePo are of its outer steps, medians "
        "(least-most) of the jobs; those of MGDD are of adapting the one generator of the row and of the set itself, "
        "in brackets with the meta-training that it starts from, which earlier jobs have done; in the last row of the "
        "set alone. The last column is there where the mean accuracy reaches that of a FRePo from random images."
    )
    return "\n\n".join([text, table(_RACE, rows)])


def _size(ipc: int, found: Sequence[Sequence[Finished]]) -> list[str]:
    own, means, images = ([jobs[place] for jobs in found] for place in range(3))
    later = [job for job in own if _ADAPTED in job.log()]
    return [
        str(ipc),
        percent([job.accuracy() for job in own]),
        percent([job.accuracy() for job in means]),
        percent([job.accuracy() for job in images]),
        percent([job.accuracy("random") for job in own]),
        str(len(found)),
        spread([job.phases["distilling"] for job in later]),
        spread([job.making for job in later]),
        spread([job.wall for job in later]),
    ]


def _race(
    setting: Setting, ask: Ask, ipc: int, adaptations: Sequence[int], steps: Sequence[int]
) -> Iterator[list[str]]:
    scratch = [arm for n in steps if (arm := _frepo(setting, ask, ipc, "FRePo", n, {})) is not None]
    yield from ([str(ipc), arm.name, *_cells(arm), "1"] for arm in scratch)
    for n in steps:
        if (arm := _frepo(setting, ask, ipc, "FRePo from means", n, _MEANS)) is not None:
            yield [str(ipc), arm.name, *_cells(arm), "-"]
    for name, start in (("random real images, labels solved", _REAL), ("means as they are, labels solved", _MEANS)):
        if (plain := _arm(setting, ask, "mgdd", ipc, name, start)) is not None:
            yield [str(ipc), plain.name, *_cells(plain), _ratios(scratch, plain, statistics.median(plain.seconds))]
    before = None
    for n in sorted({0, *adaptations}):  # the first meta-trains what the others start from
        arm = _arm(setting, ask, "mgdd", ipc, f"MGDD, {n} steps of adaptation", {"init.steps": n})
        if arm is None:
            continue
        own = [seconds for job, seconds in zip(arm.jobs, arm.seconds, strict=True) if _ADAPTED not in job.log()]
        if n == 0:
            before = max(own, default=None)
        if not own and n:  # adapted by another benchmark: nobody knows in which seconds
            yield [str(ipc), arm.name, percent([job.accuracy() for job in arm.jobs]), str(len(arm.jobs)), "-", "-"]
            continue
        seconds = own[0] if n else statistics.median(arm.seconds)
        behind = "" if before is None else f" ({seconds + before if n else before:.1f})"
        cells = [percent([job.accuracy() for job in arm.jobs]), str(len(arm.jobs)), f"{seconds:.2f}{behind}"]
        yield [str(ipc), arm.name, *cells, _ratios(scratch, arm, seconds)]
    if (arm := _arm(setting, ask, "mgdd", ipc, "MGDD, adapted by an earlier job", {})) is not None:
        known = [seconds for job, seconds in zip(arm.jobs, arm.seconds, strict=True) if _ADAPTED in job.log()]
        cells = [percent([job.accuracy() for job in arm.jobs]), str(len(arm.jobs)), spread(known)]
        yield [str(ipc), arm.name, *cells, _ratios(scratch, arm, statistics.median(known)) if known else "-"]


def _frepo(setting: Setting, ask: Ask, ipc: int, name: str, steps: int, start: Mapping[str, Any]) -> Arm | None:
    return _arm(setting, ask, "frepo", ipc, f"{name}, {steps} steps", {"schedule.steps": steps, **start})


def _arm(setting: Setting, ask: Ask, method: str, ipc: int, name: str, overrides: Mapping[str, Any]) -> Arm | None:
    told = f"{name}, {ipc} a class"
    jobs = collect(
        ask, (setting.order(told, method, ipc, seed, _RATE | dict(overrides)) for seed in range(setting.seeds))
    )
    return Arm(name, jobs, [job.phases["distilling"] for job in jobs]) if jobs else None


def _cells(arm: Arm) -> list[str]:
    return [percent([job.accuracy() for job in arm.jobs]), str(len(arm.jobs)), spread(arm.seconds)]


def _ratios(scratch: Sequence[Arm], arm: Arm, seconds: float) -> str:
    reached = [each for each in scratch if arm.accuracy >= each.accuracy]
    return ", ".join(f"{statistics.median(e.seconds) / seconds:.1f} ({e.name})" for e in reached) or "not reached"
