"""Programs compiled ahead are found by the process that needs them, and no compiler outlives a stop."""

from __future__ import annotations

import multiprocessing
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.engine.kernels import Compiled, Eager, Shape, compile_ahead, missing_compiler
from core.engine.networks import ConvNet
from tests.engine.steps import assert_same, given

CPU = torch.device("cpu")
NETWORK = ConvNet((3, 8, 8), 3, 4, 1, "instance")
ALONE = Shape(1, 4)
PROGRAMS = {("remember", ALONE), ("recall", ALONE)}

pytestmark = pytest.mark.skipif(missing_compiler(CPU) is not None, reason="there is no compiler")


def test_the_job_finds_what_was_compiled_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = Compiled(NETWORK, frozenset({ALONE}), folder=tmp_path)
    left = list(compile_ahead(kernels, PROGRAMS, CPU))
    assert left[-1] == 0
    assert left == sorted(left, reverse=True)
    assert all(kernels.stored(*program, CPU) for program in PROGRAMS)
    assert list(compile_ahead(kernels, PROGRAMS, CPU)) == [], "there is nothing left to do"

    def fail(*args: object, **kwargs: object) -> None:
        raise AssertionError("compiled once more")

    monkeypatch.setattr("torch._inductor.standalone_compile", fail)
    theta, images, labels, u = given(NETWORK, 4)
    _, residuals = kernels.gradient_with_residuals(theta, images, labels)
    ours, truth = kernels.adjoint_from_residuals(theta, residuals, u), Eager(NETWORK).adjoint(theta, images, labels, u)
    for one, other in zip(ours, truth, strict=True):
        assert_same(one, other, within=1e-3)


def test_stopping_waits_for_no_compiler(tmp_path: Path) -> None:
    kernels = Compiled(NETWORK, frozenset({ALONE}), folder=tmp_path)
    with closing(compile_ahead(kernels, PROGRAMS, CPU)) as compiling:
        assert next(compiling) == len(PROGRAMS)
        children = multiprocessing.active_children()
        assert children
    assert not any(child.is_alive() for child in children)
    assert not list(tmp_path.glob("*.kernel"))


def test_without_a_folder_or_on_a_gpu_there_is_nothing_ahead(tmp_path: Path) -> None:
    kernels = Compiled(NETWORK, frozenset({ALONE}), folder=tmp_path)
    assert list(compile_ahead(replace(kernels, folder=None), PROGRAMS, CPU)) == []
    assert list(compile_ahead(kernels, PROGRAMS, torch.device("cuda"))) == []
