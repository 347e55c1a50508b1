"""Programs that are compiled before a job begins: stopped, given up, and where there are none."""

from __future__ import annotations

import multiprocessing
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import torch

from core.engine.kernels import Compiled, Eager, Pace, Shape, compile_ahead, compile_within, missing_compiler
from core.engine.networks import ConvNet
from tests.engine.steps import assert_same, given

CPU = torch.device("cpu")
NETWORK = ConvNet((16, 8, 8), 3, 16, 1, "instance")
ALONE = Shape(1, 6)
PROGRAMS = {("remember", ALONE), ("recall", ALONE)}


@pytest.mark.skipif(missing_compiler(CPU) is not None, reason="there is no compiler")
def test_stopping_waits_for_no_compiler(tmp_path: Path) -> None:
    kernels = Compiled(NETWORK, frozenset({ALONE}), folder=tmp_path)
    with closing(compile_ahead(kernels, PROGRAMS, CPU)) as compiling:
        assert next(compiling) == len(PROGRAMS)
        children = multiprocessing.active_children()
        assert children
    assert not any(child.is_alive() for child in children)
    assert not list(tmp_path.glob("*.kernel"))


def test_what_is_not_compiled_in_time_is_given_up_and_run_eagerly(tmp_path: Path, no_compiler: list[str]) -> None:
    kernels, heard = Compiled(NETWORK, frozenset({ALONE}), folder=tmp_path), list[int]()
    first = sorted(PROGRAMS)[:1]
    assert compile_within(kernels, first, CPU, 0.0, heard.append) == (first[0][0],), "one alone, too"
    assert heard == [0], "none is begun in no time"
    late = compile_within(kernels, PROGRAMS, CPU, 0.0, heard.append)
    assert late == tuple(sorted(name for name, _ in PROGRAMS))
    theta, images, labels, u = given(NETWORK, ALONE.batch)
    _, residuals = kernels.gradient_with_residuals(theta, images, labels)
    truth = Eager(NETWORK).adjoint(theta, images, labels, u)
    for one, other in zip(kernels.adjoint_from_residuals(theta, residuals, u), truth, strict=True):
        assert_same(one, other, 1e-3)
    assert not no_compiler


def test_what_would_not_be_compiled_in_time_at_the_pace_so_far_is_not_begun(
    tmp_path: Path, no_compiler: list[str]
) -> None:
    kernels, heard, pace = Compiled(NETWORK, frozenset({ALONE}), folder=tmp_path), list[int](), Pace()
    ticks = count(step=10)
    late = compile_within(kernels, PROGRAMS, CPU, 25.0, heard.append, clock=lambda: float(next(ticks)), pace=pace)
    assert late == tuple(sorted(name for name, _ in PROGRAMS))
    assert heard, "one was begun"
    assert pace.slowest >= 10, "and took that long at least"
    again = list[int]()
    assert compile_within(kernels, PROGRAMS, CPU, 5.0, again.append, pace=pace) == late
    assert again == [0]
    assert not multiprocessing.active_children()
    assert not no_compiler


def test_without_a_folder_or_on_a_gpu_there_is_nothing_ahead(tmp_path: Path) -> None:
    kernels = Compiled(NETWORK, frozenset({ALONE}), folder=tmp_path)
    assert list(compile_ahead(replace(kernels, folder=None), PROGRAMS, CPU)) == []
    assert list(compile_ahead(kernels, PROGRAMS, torch.device("cuda"))) == []
    heard = list[int]()
    assert compile_within(kernels, PROGRAMS, torch.device("cuda"), 9.0, heard.append) == (), (
        "a first call compiles there"
    )
    assert compile_within(replace(kernels, folder=None), PROGRAMS, CPU, 9.0, heard.append) == ()
    assert heard == []
