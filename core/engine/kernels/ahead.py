"""Programs compiled before they are needed, as many at once as there are processors, and given up when told to."""

from __future__ import annotations

import math
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Collection, Generator
from contextlib import closing
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import final

import torch

from core.engine.kernels.compiled import Compiled, Shape

Program = tuple[str, Shape]
"""Its name, and the shape it is for."""

_LOOK = 0.5  # seconds between two chances to give up


@final
@dataclass
class Pace:
    """Seconds that a program takes to compile, at least, by those that were compiled: on a busy machine ever more."""

    slowest: float = 0.0


def compile_ahead(
    kernels: Compiled,
    programs: Collection[Program],
    device: torch.device,
    *,
    alone: bool = False,
    pace: Pace | None = None,
    over: float = math.inf,
    clock: Callable[[], float] = time.monotonic,
) -> Generator[int, None, None]:
    """Compile into the kernels' folder what it lacks; yields how many are still to come, every half second.

    Each program has a process of its own, since the compiler holds the interpreter for half of its time. Closing the
    iterator ends them. Whatever they fail to do is done, or said, where the program is first called. Only on a CPU: on
    a GPU the first call compiles. A program that is `alone` is compiled sooner here, where everything is imported; in a
    process of its own it can be given up. None is begun that at the `pace`, which this keeps, would not be there when
    it is `over` by the clock.
    """
    pace = pace or Pace()
    if not _goes_ahead(kernels, device):
        return
    missing = [program for program in sorted(programs) if not kernels.stored(*program, device)]
    if len(missing) < (1 if alone else 2):
        return
    context, running = multiprocessing.get_context("spawn"), list[tuple[float, SpawnProcess]]()
    fresh, processors = replace(kernels, _programs={}), len(os.sched_getaffinity(0))
    try:
        while missing or running:
            while missing and len(running) < processors:
                if clock() + pace.slowest > over:
                    missing.clear()
                    break
                arguments = (fresh, *missing.pop(), torch.get_num_threads())
                process = context.Process(target=_compile, args=arguments, daemon=True)
                process.start()
                running.append((clock(), process))
            wait([process.sentinel for _, process in running], _LOOK)
            pace.slowest = max(pace.slowest, *(clock() - began for began, _ in running), 0.0)
            running = [(began, process) for began, process in running if process.is_alive()]
            yield len(missing) + len(running)
    finally:
        for _, process in running:
            process.kill()
            process.join()


def compile_within(
    kernels: Compiled,
    programs: Collection[Program],
    device: torch.device,
    seconds: float,
    say: Callable[[int], None],
    clock: Callable[[], float] = time.monotonic,
    pace: Pace | None = None,
) -> tuple[str, ...]:
    """Compile ahead for so many seconds; what is not there by then is run eagerly, and named.

    Args:
        seconds: infinite where nothing is ever given up.
        say: hears how many are still to come; what it raises ends the compilers.
        pace: of earlier compilers of the job; what would not be there in time by it is not begun.
    """
    timed, over = seconds < math.inf, clock() + seconds
    ahead = compile_ahead(kernels, programs, device, alone=timed, pace=pace, over=over, clock=clock)
    with closing(ahead) as compiling:
        for left in compiling:
            say(left)
            if clock() >= over:
                break
    return kernels.give_up(programs, device) if timed and _goes_ahead(kernels, device) else ()


def _goes_ahead(kernels: Compiled, device: torch.device) -> bool:
    """Whether programs are compiled ahead: only into a folder, and on a CPU."""
    return kernels.folder is not None and device.type == "cpu"


def _compile(kernels: Compiled, name: str, shape: Shape, threads: int) -> None:
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    torch.set_num_threads(threads)  # which a program is compiled for
    kernels.build(name, shape)


def _leave_with_parent() -> None:
    """End this process when the one it compiles for is gone: a killed engine cannot end it."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "this runs in a process of its own"
    parent.join()
    os._exit(1)
