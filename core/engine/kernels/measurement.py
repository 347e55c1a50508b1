"""The verdict of this machine, measured: the ways to multiply out convolutions of some kinds, against each other.

Only the products are run, on random tensors as the compiled passes hand them over. The compiler fuses the transforms of
tiles with what is around them: there and back they make a whole program as much slower as one plain pass over the map
takes (width 128, 100 images: 11 to 13 ms by comparison of programs, 9 ms of passes), which is timed.
Seconds are those of the busiest thread on its processor, which hardly depend on what else the machine does.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final, Literal, NamedTuple

import torch
from pydantic import ValidationError
from torch import Tensor

from core.engine.kernels import products
from core.engine.kernels.compiled import convolution_of, multiplies_bfloat16, rule
from core.engine.kernels.convolution import Convolution
from core.engine.kernels.environment import environment
from core.engine.keys import Key
from core.files import write_atomic
from core.plan.cache_names import file_name
from core.plan.ways import Factors, Finding, Kind, Pick, Precision, Verdict, Way, chosen

KINDS: Final[Sequence[Kind]] = tuple(itertools.product((128, 32), (16, 8), (64, 10)))
"""Those of the literature's ConvNet and of a narrow one on images of 32 pixels, behind one and two poolings."""
SECONDS: Final = 8.0
_LEAST, _MOST = 2, 6  # turns, of which the best counts: what others do in between makes it slower, never faster
_HALVES: Final = 2  # of the turns, each of which has to say the same
_ENOUGH: Final = 2e-3  # seconds that a call, or several in a row, are to take
_THREADS: Final = Path("/proc/self/task")
_OF_JOB: Final = "verdict.json"
_WAYS: Final[Sequence[Way]] = ("direct", "F(2)", "F(4)", "F(4) by BLAS")


class _Run(NamedTuple):
    """One thing that is timed."""

    kind: Kind
    way: Way
    bfloat16: bool
    half: Literal["forward", "back", "pass"]
    """The product to the outputs, those to the activations and to the weights, or a plain pass over the map."""


def measure(
    kinds: Sequence[Kind] = KINDS,
    before: Verdict | None = None,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.perf_counter,
    folder: Path | None = None,
) -> Verdict:
    """Measure the ways on this processor with its threads, turn about, for about so many seconds.

    Args:
        before: an earlier verdict of this machine; its choice stays unless another one is faster by a margin.
        folder: of the programs, where the kernel of products is kept, too.
    """
    products.load(folder)
    runs, over = dict(each for kind in kinds for each in _runs(kind)), clock() + seconds
    with torch.no_grad():
        first = {run: spent_by(call, 1) for run, call in runs.items()}  # it loads what it needs
        calls = {run: max(1, math.ceil(_ENOUGH / max(spent, 1e-6))) for run, spent in first.items()}
        halves = [dict.fromkeys(runs, math.inf) for _ in range(_HALVES)]
        for turn in range(_MOST):
            best = halves[turn % _HALVES]
            for run, call in runs.items():
                best[run] = min(best[run], spent_by(call, calls[run]))
            if turn + 1 >= _LEAST and clock() >= over:
                break
    precisions: tuple[Precision, ...] = ("float32", "bfloat16")
    found = [_finding(halves, kind, precision, before) for kind in kinds for precision in precisions]
    return Verdict(findings=tuple(found))


def read(folder: Path, device: torch.device) -> Verdict | None:
    """The verdict on this machine, with its threads and by these sources, that lies in a folder of programs."""
    path = _path(folder, device)
    try:
        found = Verdict.model_validate_json(path.read_bytes())
        path.touch()  # a cache is trimmed by when things were used last
    except (FileNotFoundError, ValidationError):
        return None
    return found


def write(folder: Path, device: torch.device, verdict: Verdict) -> None:
    """Keep a verdict beside the programs, where the jobs of this machine find it and those of another kind do not."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(_path(folder, device), verdict.model_dump_json().encode())


def of_job(checkpoint: Path, programs: Path, device: torch.device) -> Verdict:
    """The verdict that a job goes by from its first attempt on, kept in the folder of its checkpoint.

    It is that of the machine which began the job, wherever it goes on: what is rounded where depends on it. A job that
    was begun before there were verdicts has none.
    """
    path = checkpoint / _OF_JOB
    if path.exists():
        return Verdict.model_validate_json(path.read_bytes())
    begun = any(checkpoint.iterdir())
    verdict = (None if begun else read(programs, device)) or Verdict()
    write_atomic(path, verdict.model_dump_json().encode())
    return verdict


def _path(folder: Path, device: torch.device) -> Path:
    return folder / file_name({"environment": environment(device), "measured": _measured_by()}, ".verdict")


@cache
def _measured_by() -> str:
    """The sum of this module: a verdict that another version of it gave is not found, and measured anew."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def spent_by(call: Callable[[], object], calls: int) -> float:
    """Seconds of one of several calls in a row."""
    began, before = time.perf_counter(), _busy()
    for _ in range(calls):
        call()
    after = _busy()
    if not after:
        return (time.perf_counter() - began) / calls
    return max(spent - before.get(thread, 0) for thread, spent in after.items()) / 1e9 / calls


def _busy() -> dict[str, int]:
    """Nanoseconds that each thread has spent on a processor, by its own clock; nothing where the system has none.

    What /proc itself says of a running thread is behind by up to a tick of 4 ms, longer than what is timed here.
    """
    spent = {}
    with suppress(OSError):
        for task in _THREADS.iterdir():
            with suppress(OSError):  # it has ended since
                spent[task.name] = time.clock_gettime_ns(_clock(int(task.name)))
    return spent


def _clock(thread: int) -> int:
    """Linux's number for the processor clock of a thread; pthread_getcpuclockid makes it of those it started alone."""
    return (~thread << 3) | 0b110


def _runs(kind: Kind) -> Iterator[tuple[_Run, Callable[[], object]]]:
    channels, side, batch = kind
    key = Key(0)
    x = key.fold("x").normal(batch, side, side, channels)
    w = key.fold("w").normal(channels, channels, 3, 3)
    yield _Run(kind, "direct", bfloat16=False, half="pass"), lambda: x + 1.0
    for name in _WAYS:
        convolution = convolution_of(name, "no")
        exact = convolution.lift(x), convolution.weigh(convolution.arrange(w)), convolution.raise_(x)
        for coarse in (False, True) if multiplies_bfloat16() and not convolution.by_blas else (False,):
            lifted, kernel, cotangent = [part.to(torch.bfloat16) if coarse else part for part in exact]

            def forward(lifted: Tensor = lifted, kernel: Tensor = kernel, by: Convolution = convolution) -> object:
                return by.multiply((lifted, kernel))

            def back(
                lifted: Tensor = lifted,
                kernel: Tensor = kernel,
                cotangent: Tensor = cotangent,
                by: Convolution = convolution,
            ) -> object:
                return by.back((cotangent, kernel)), by.correlate((lifted, cotangent))

            yield _Run(kind, name, coarse, "forward"), forward
            yield _Run(kind, name, coarse, "back"), back


def _finding(
    halves: Sequence[Mapping[_Run, float]], kind: Kind, precision: Precision, before: Verdict | None
) -> Finding:
    allowed: tuple[Factors, ...] = ("float32",)
    if precision == "bfloat16":
        allowed = ("bfloat16", "rounded") if multiplies_bfloat16() else ("rounded",)
    picks = [
        Pick(forward=forward, rest=rest, factors=factors)
        for forward, rest, factors in itertools.product(_WAYS, _WAYS, allowed)
        if factors != "bfloat16" or not convolution_of(rest, "no").by_blas  # which are the BLAS's either way
    ]
    taken, usual = [{pick: _step(best, kind, pick) for pick in picks} for best in halves], rule(precision)
    channels, side, batch = kind
    known = before and before.of(precision, *kind)
    return Finding(
        precision=precision,
        channels=channels,
        side=side,
        batch=batch,
        pick=chosen(taken, usual, known.pick if known else None),
        rule=usual,
        seconds={str(pick): round(min(half[pick] for half in taken), 7) for pick in picks},
    )


def _step(best: Mapping[_Run, float], kind: Kind, pick: Pick) -> float:
    """Seconds of a step's gradient and of its adjoint, where the step's maps are kept.

    The gradient multiplies forwards once, the adjoint twice, for two tangents; both go back, the adjoint twice.
    """
    coarse, moved = pick.factors == "bfloat16", best[_Run(kind, "direct", False, "pass")]
    deciding = best[_Run(kind, pick.forward, False, "forward")]
    forward, back = (best[_Run(kind, pick.rest, coarse, half)] for half in ("forward", "back"))
    transforms = moved * ((pick.forward != "direct") + 3 * (pick.rest != "direct"))
    again = moved / 2 if pick.forward != pick.rest else 0.0  # what goes back is lifted a second time
    return deciding + 2 * forward + 3 * back + transforms + again
