"""Programs compiled before they are needed, as many at once as there are processors, and given up when told to."""

from __future__ import annotations

import math
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Collection, Generator
from contextlib import closing
from dataclasses import replace
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess

import torch

from core.engine.kernels.compiled import Compiled, Shape

Program = tuple[str, Shape]
"""Its name, and the shape it is for."""

_LOOK = 0.5  # seconds between two chances to give up


def compile_ahead(
    kernels: Compiled, programs: Collection[Program], device: torch.device, *, alone: bool = False
) -> Generator[int, None, None]:
    """Compile into the kernels' folder what it lacks; yields how many are still to come, every half second.

    Each program has a process of its own, since the compiler holds the interpreter for half of its time. Closing the
    iterator ends them. Whatever they fail to do is done, or said, where the program is first called. Only on a CPU: on
    a GPU the first call compiles. A program that is `alone` is compiled sooner here, where everything is imported; in a
    process of its own it can be given up.
    """
    if kernels.folder is None or device.type != "cpu":
        return
    missing = [program for program in sorted(programs) if not kernels.stored(*program, device)]
    if len(missing) < (1 if alone else 2):
        return
    context, running = multiprocessing.get_context("spawn"), list[SpawnProcess]()
    fresh, processors = replace(kernels, _programs={}), len(os.sched_getaffinity(0))
    try:
        while missing or running:
            while missing and len(running) < processors:
                arguments = (fresh, *missing.pop(), torch.get_num_threads())
                running.append(context.Process(target=_compile, args=arguments, daemon=True))
                running[-1].start()
            wait([process.sentinel for process in running], _LOOK)
            running = [process for process in running if process.is_alive()]
            yield len(missing) + len(running)
    finally:
        for process in running:
            process.kill()
            process.join()


def compile_within(
    kernels: Compiled,
    programs: Collection[Program],
    device: torch.device,
    seconds: float,
    say: Callable[[int], None],
    clock: Callable[[], float] = time.monotonic,
) -> tuple[str, ...]:
    """Compile ahead for so many seconds; what is not there by then is run eagerly, and named.

    Args:
        seconds: infinite where nothing is ever given up.
        say: hears how many are still to come; what it raises ends the compilers.
    """
    over = clock() + seconds
    with closing(compile_ahead(kernels, programs, device, alone=seconds < math.inf)) as compiling:
        for left in compiling:
            say(left)
            if clock() >= over:
                return kernels.give_up(programs, device)
    return ()


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
