"""Compiled programs do what the eager kernels do, are compiled once for all processes, and are never relied upon."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from shutil import copyfile, copytree
from typing import NoReturn

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from core.engine.kernels import TESTS, Compiled, Eager, Kernels, Precision, Shape, compile_ahead, missing_compiler
from core.engine.kernels.slices import Sliced
from core.engine.kernels.stamp import stamped
from core.engine.networks import ConvNet
from core.engine.unroll import Segment, adjoint
from core.plan import packing
from core.plan.ways import Pick
from tests.engine.steps import Given, assert_same, given, stacked
from tests.engine.verdicts import verdict_of

CPU = torch.device("cpu")
NETWORK = ConvNet((16, 8, 8), 3, 16, 1, "instance")  # shallow, so quick to compile, but wide enough for Winograd
BATCH = 6
ALONE = Shape(1, BATCH)
PROGRAMS = {("remember", ALONE), ("recall", ALONE)}
NEAR = 1e-3  # relative, in float32: says more than a cosine of 0.9999
ONE, OTHER = (given(NETWORK, BATCH, student) for student in range(2))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all programs of this module: each takes seconds to compile."""
    return tmp_path_factory.mktemp("kernels")


@pytest.fixture(scope="module")
def countdown(folder: Path) -> list[int]:
    """Two programs of the module, compiled ahead of their use; the numbers of those still to come."""
    return list(compile_ahead(Compiled(NETWORK, frozenset({ALONE}), folder=folder), PROGRAMS, CPU))


@pytest.fixture
def kernels(folder: Path, countdown: list[int], monkeypatch: pytest.MonkeyPatch) -> Compiled:
    """Kernels that cannot fall back on the eager ones."""

    def refuse(self: Compiled) -> NoReturn:
        raise AssertionError("the programs were to run, not the eager kernels")

    monkeypatch.setattr(Compiled, "eager", property(refuse))
    return Compiled(NETWORK, frozenset({ALONE}), folder=folder)


def assert_all(ours: Sequence[Tensor], truth: Sequence[Tensor], within: float = NEAR) -> None:
    for one, other in zip(ours, truth, strict=True):
        assert_same(one, other, within)


def assert_equal(ours: Sequence[Tensor], truth: Sequence[Tensor]) -> None:
    """To the bit."""
    assert all(torch.equal(one, other) for one, other in zip(ours, truth, strict=True))


compiling = pytest.mark.skipif(missing_compiler(CPU) is not None, reason="there is no compiler")


@compiling
def test_the_job_finds_what_was_compiled_ahead(kernels: Compiled, countdown: list[int], no_compiler: list[str]) -> None:
    assert countdown[-1] == 0
    assert countdown == sorted(countdown, reverse=True)
    assert all(kernels.stored(*program, CPU) for program in PROGRAMS)
    assert list(compile_ahead(kernels, PROGRAMS, CPU)) == [], "there is nothing left to do"
    theta, images, labels, u = ONE
    _, residuals = kernels.gradient_with_residuals(theta, images, labels)
    truth = Eager(NETWORK).adjoint(theta, images, labels, u)
    assert_all(kernels.adjoint_from_residuals(theta, residuals, u), truth)
    assert not no_compiler, "nothing was compiled once more"


def test_programs_equal_the_eager_kernels(kernels: Compiled) -> None:
    (theta, images, labels, u), eager = ONE, Eager(NETWORK)
    assert_same(kernels.gradient(theta, images, labels), eager.gradient(theta, images, labels), NEAR)
    truth = eager.adjoint(theta, images, labels, u)
    assert_all(kernels.adjoint(theta, images, labels, u), truth)
    g, residuals = kernels.gradient_with_residuals(theta, images, labels)
    assert_same(g, eager.gradient(theta, images, labels), NEAR)
    assert_all(kernels.adjoint_from_residuals(theta, residuals, u), truth)


def test_what_is_kept_is_foretold(kernels: Compiled) -> None:
    theta, images, labels, _ = ONE
    _, residuals = kernels.gradient_with_residuals(theta, images, labels)
    assert isinstance(residuals, Sliced)
    leaves = [leaf for kept in residuals.each for leaf in kept.leaves]
    held = {leaf.untyped_storage().data_ptr(): leaf.untyped_storage().nbytes() for leaf in leaves}
    assert kernels.kept_bytes(theta, BATCH) == sum(leaf.nbytes for leaf in leaves)
    assert sum(held.values()) == pytest.approx(kernels.kept_bytes(theta, BATCH), rel=0.01)


@pytest.fixture
def slicing(monkeypatch: pytest.MonkeyPatch) -> int:
    """Slices of as many images as the module's programs are for; a batch of two."""
    monkeypatch.setattr(packing, "_SLICE", BATCH * NETWORK.convolutions.outputs)
    return 2 * BATCH


def test_a_batch_in_slices_equals_the_whole_one(
    slicing: int, kernels: Compiled, folder: Path, no_compiler: list[str]
) -> None:
    theta, images, labels, u = given(NETWORK, slicing)
    labels = labels * torch.linspace(0.5, 2, slicing)[:, None]  # no two images weigh alike
    kernels.gradient(*ONE[:3]), kernels.adjoint(*ONE)
    sliced = Compiled(NETWORK, frozenset({Shape(1, slicing)}), folder=folder)
    g, truth = Eager(NETWORK).gradient(theta, images, labels), Eager(NETWORK).adjoint(theta, images, labels, u)
    assert_same(sliced.gradient(theta, images, labels), g, NEAR)
    assert_all(sliced.adjoint(theta, images, labels, u), truth)
    same, residuals = sliced.gradient_with_residuals(theta, images, labels)
    assert_same(same, g, NEAR)
    assert_all(sliced.adjoint_from_residuals(theta, residuals, u), truth)
    assert sliced.kept_bytes(theta, slicing) == 2 * kernels.kept_bytes(theta, BATCH)
    assert not no_compiler, "the programs are those for a batch as large as a slice"
    assert sliced.used == sliced.shapes


def test_slices_whose_program_was_given_up_are_one_eager_batch(slicing: int, tmp_path: Path) -> None:
    kernels = Compiled(NETWORK, frozenset({Shape(1, slicing)}), folder=tmp_path)
    assert kernels.give_up({("gradient", kernels.sliced(Shape(1, slicing), CPU))}, CPU) == ("gradient",)
    each = given(NETWORK, slicing)[:3]
    assert torch.equal(kernels.gradient(*each), Eager(NETWORK).gradient(*each))
    assert not kernels.used


def test_what_the_eager_kernels_keep_is_foretold_where_they_run() -> None:
    kernels, eager, theta = Compiled(NETWORK, frozenset({ALONE})), Eager(NETWORK), ONE.theta
    assert kernels.kept_bytes(theta, BATCH) != eager.kept_bytes(theta, BATCH)
    assert kernels.kept_bytes(theta, BATCH + 1) == eager.kept_bytes(theta, BATCH + 1)
    assert kernels.kept_bytes(theta.double(), BATCH) == eager.kept_bytes(theta.double(), BATCH)


def programs_in(folder: Path) -> list[Path]:
    """Beside them lies what the compiler keeps."""
    return [path for path in folder.iterdir() if path.is_file()]


def unrolled(kernels: Kernels, dtype: torch.dtype = torch.float32, residual_bytes: int = 0) -> Sequence[Tensor]:
    """Loss and cotangents of three steps, one of them on fewer images."""
    theta, images, labels, _ = (part.to(dtype) for part in given(NETWORK, 8))
    target = OTHER.theta.to(dtype)
    batches = [torch.tensor([0, 1, 2, 3, 4, 5]), torch.tensor([6, 7]), torch.tensor([7, 6, 5, 3, 2, 2])]
    step_size, views = torch.tensor(0.05, dtype=dtype), [lambda x: x.flip(3)] * 3

    def terminal(path: Sequence[Tensor]) -> tuple[Tensor, Mapping[int, Tensor]]:
        residual = path[-1] - target
        return residual.square().sum(), {len(path) - 1: 2 * residual}

    segment = Segment(kernels, theta, images, labels, step_size, batches, views, 0.5, residual_bytes)
    loss, bars = adjoint(segment, terminal)
    return loss, *bars


@pytest.mark.parametrize("residual_bytes", [0, 10**9])
def test_an_unrolled_training_is_the_same(residual_bytes: int, folder: Path) -> None:
    ours = unrolled(Compiled(NETWORK, frozenset({ALONE}), folder=folder), residual_bytes=residual_bytes)
    truth = unrolled(Eager(NETWORK))
    assert_all(ours, truth, within=0.01)
    assert any(not torch.equal(one, other) for one, other in zip(ours, truth, strict=True))


def test_float64_is_left_to_the_eager_kernels(no_compiler: list[str]) -> None:
    kernels = Compiled(NETWORK, frozenset({ALONE}))
    assert_equal(unrolled(kernels, torch.float64), unrolled(Eager(NETWORK), torch.float64))
    assert not no_compiler


def test_other_shapes_run_eagerly_to_the_bit(no_compiler: list[str]) -> None:
    kernels, eager = Compiled(NETWORK, frozenset({ALONE})), Eager(NETWORK)
    theta, images, labels, u = given(NETWORK, 5)
    assert torch.equal(kernels.gradient(theta, images, labels), eager.gradient(theta, images, labels))
    truth = eager.adjoint(theta, images, labels, u)
    _, residuals = kernels.gradient_with_residuals(theta, images, labels)
    for ours in (kernels.adjoint(theta, images, labels, u), kernels.adjoint_from_residuals(theta, residuals, u)):
        assert_equal(ours, truth)
    both = stacked(ONE, OTHER)[:3]
    assert torch.equal(kernels.gradient(*both), eager.gradient(*both))
    assert not no_compiler


def test_bfloat16_turns_the_adjoint_little(kernels: Compiled) -> None:
    ours = replace(kernels, precision="bfloat16", _programs={}).adjoint(*ONE)
    truth = Eager(NETWORK).adjoint(*ONE)
    assert_same(ours.images, truth.images, within=0.04)  # a cosine above 0.999
    assert (ours.images - truth.images).norm() > 1e-4 * truth.images.norm(), "nothing was rounded to bfloat16"


def test_a_verdict_is_compiled(kernels: Compiled) -> None:
    verdict = verdict_of("bfloat16", Pick(forward="F(4)", rest="direct", factors="bfloat16"))
    measured = replace(kernels, precision="bfloat16", verdict=verdict, _programs={})
    name = next(iter(sorted(PROGRAMS)))[0]
    assert measured.path(name, ALONE, CPU) != replace(measured, verdict=None).path(name, ALONE, CPU)
    stacked_ones = Shape(2, BATCH)
    assert measured.path(name, stacked_ones, CPU) == replace(measured, verdict=None).path(name, stacked_ones, CPU)
    ours, truth = measured.adjoint(*ONE), Eager(NETWORK).adjoint(*ONE)
    assert_same(ours.images, truth.images, within=0.02)  # a cosine above 0.9998
    assert (ours.images - truth.images).norm() > 1e-4 * truth.images.norm(), "nothing was rounded to bfloat16"
    assert not torch.equal(ours.images, replace(measured, verdict=None, _programs={}).adjoint(*ONE).images)


def test_stacked_students_and_their_moments_equal_single_ones(kernels: Compiled, folder: Path) -> None:
    network = ConvNet((3, 8, 8), 3, 8, 1, "batch")
    students = [given(network, BATCH, student) for student in range(2)]
    kernels = Compiled(network, frozenset({Shape(2, BATCH)}), folder=folder)
    g, moments = kernels.gradient_and_batch_stats(*stacked(*students)[:3])
    for i, student in enumerate(students):
        truth, seen = Eager(network).gradient_and_batch_stats(*student[:3])
        assert_all([g[i], moments.means[0][i], moments.variances[0][i]], [truth, *seen.means, *seen.variances])


def test_a_stack_of_one_is_a_single_student(kernels: Compiled) -> None:
    alone = kernels.gradient(*ONE[:3])
    assert torch.equal(kernels.gradient(*stacked(ONE)[:3]), alone[None])


def test_norms_without_moments_show_none(kernels: Compiled) -> None:
    g, moments = kernels.gradient_and_batch_stats(*ONE[:3])
    assert moments == ((), ())
    assert torch.equal(g, kernels.gradient(*ONE[:3]))


def test_inputs_may_lie_in_memory_as_they_like(kernels: Compiled) -> None:
    theta, images, labels, u = ONE
    scattered = Given(
        torch.stack([theta, u], 1)[:, 0].requires_grad_(),
        images.to(memory_format=torch.channels_last),
        labels.T.contiguous().T,
        torch.stack([theta, u], 1)[:, 1],
    )
    assert not any(part.is_contiguous() for part in scattered)
    for one, other in zip(kernels.adjoint(*scattered), kernels.adjoint(*ONE), strict=True):
        assert torch.equal(one, other)
        assert not one.requires_grad
    assert torch.equal(kernels.gradient(*scattered[:3]), kernels.gradient(*ONE[:3]))


def a_step(folder: Path, threads: int) -> tuple[npt.NDArray[np.float32], set[str]]:
    """The gradient of a step by the programs, after its adjoint, and what was imported that takes seconds."""
    torch.set_num_threads(threads)
    kernels, (theta, images, labels, u) = Compiled(NETWORK, frozenset({ALONE}), folder=folder), ONE
    kernels.kept_bytes(theta, BATCH)
    g, residuals = kernels.gradient_with_residuals(theta, images, labels)
    kernels.adjoint_from_residuals(theta, residuals, u)
    return g.numpy(), {"torch._dynamo", "torch._inductor", "sympy"} & set(sys.modules)


def test_the_next_process_loads_what_was_compiled_and_no_compiler(kernels: Compiled, folder: Path) -> None:
    first, _ = kernels.gradient_with_residuals(*ONE[:3])
    before = {path: path.read_bytes() for path in programs_in(folder)}
    with ProcessPoolExecutor(1, get_context("spawn")) as processes:
        again, heavy = processes.submit(a_step, folder, torch.get_num_threads()).result()
    assert torch.equal(torch.from_numpy(again), first)
    assert not heavy
    assert {path: path.read_bytes() for path in programs_in(folder)} == before
    assert {path.suffix for path in before} == {".kernel"}


def test_a_damaged_program_is_compiled_anew(
    kernels: Compiled, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    args = ONE[:3]
    first = kernels.gradient(*args)
    copytree(folder, tmp_path, dirs_exist_ok=True)
    for path in programs_in(tmp_path):
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    sizes = {path.name: path.stat().st_size for path in programs_in(tmp_path)}
    assert torch.equal(Compiled(NETWORK, kernels.shapes, folder=tmp_path).gradient(*args), first)
    assert "A stored kernel is compiled anew" in caplog.text
    changed = [path for path in programs_in(tmp_path) if path.stat().st_size != sizes[path.name]]
    assert len(changed) == 1, "the program that was needed, and no other"


@pytest.mark.parametrize(
    ("network", "batch", "why"),
    [
        (
            ConvNet((16, 8, 8), 3, 16, 1, "batch"),
            BATCH,
            "the compiled program is wrong: its gradient (conv0.weight) is off by",
        ),
        (NETWORK, BATCH - 1, "it is for arguments"),
    ],
)
def test_a_program_that_is_another_ones_is_thrown_away(
    network: ConvNet,
    batch: int,
    why: str,
    kernels: Compiled,
    monkeypatch: pytest.MonkeyPatch,
    no_compiler: list[str],
    folder: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    kernels.gradient(*ONE[:3])
    planted, args = Compiled(network, frozenset({Shape(1, batch)}), folder=tmp_path), given(network, batch)[:3]
    monkeypatch.setattr(Compiled, "eager", property(lambda self: Eager(self.network)))
    target = planted.path("gradient", Shape(1, batch), CPU)
    source = kernels.path("gradient", ALONE, CPU)
    assert target is not None
    assert source is not None
    copyfile(source, target)
    assert torch.equal(planted.gradient(*args), Eager(network).gradient(*args))
    assert "A stored kernel is compiled anew: the file is damaged, or another program's." in caplog.text

    target.write_bytes(stamped(target, source.read_bytes().partition(b"\n")[2]))
    planted = replace(planted, _programs={})
    assert planted.stored("gradient", Shape(1, batch), CPU)
    assert torch.equal(planted.gradient(*args), Eager(network).gradient(*args))
    assert f"A stored kernel is thrown away, and compiled anew: {why}" in caplog.text
    assert len(no_compiler) == 2, "each time it was to be compiled anew"
    assert not planted.stored("gradient", Shape(1, batch), CPU)


@pytest.mark.parametrize("wrong", [float("nan"), 1.002])
def test_what_a_compiler_makes_wrong_is_neither_used_nor_kept(
    wrong: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made: list[Callable[..., Sequence[Tensor]]] = []

    def compile_wrongly(function: Callable[..., Sequence[Tensor]], *args: object) -> bytes:
        made.append(function)
        return b""

    def run(tensors: list[Tensor]) -> list[Tensor]:
        return [wrong * result for result in made[-1](*tensors)]

    monkeypatch.setattr("core.engine.kernels.program._compiled", compile_wrongly)
    monkeypatch.setattr("core.engine.kernels.program._opened", lambda *args: run)
    kernels, eager = Compiled(NETWORK, frozenset({ALONE}), folder=tmp_path), Eager(NETWORK)
    for _ in range(2):
        assert torch.equal(kernels.gradient(*ONE[:3]), eager.gradient(*ONE[:3]))
    assert_equal(kernels.adjoint(*ONE), eager.adjoint(*ONE))
    monkeypatch.setattr(packing, "_SLICE", 8 * NETWORK.convolutions.outputs)
    tested = Compiled(NETWORK, frozenset({TESTS}), folder=tmp_path)
    assert torch.equal(tested.logits(ONE.theta, ONE.images), eager.logits(ONE.theta, ONE.images))
    assert len(made) == 3, "each was tried once"
    assert "The kernel gradient is not compiled, and slower: the compiled program is wrong" in caplog.text
    assert not any(kernels.stored(name, ALONE, CPU) for name in ("gradient", "keep"))
    assert not tested.stored("logits", tested.sliced(TESTS, CPU, "logits"), CPU)


def test_without_a_compiler_everything_still_works(
    no_compiler: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kernels, eager = Compiled(NETWORK, frozenset({ALONE}), folder=tmp_path / "kernels"), Eager(NETWORK)
    theta, images, labels, u = ONE
    for _ in range(2):
        assert torch.equal(kernels.gradient(theta, images, labels), eager.gradient(theta, images, labels))
    assert len(no_compiler) == 1, "what failed is not tried again"
    assert "The kernel gradient is not compiled, and slower: no C++ compiler" in caplog.text
    assert "long story" not in caplog.text
    truth = eager.adjoint(theta, images, labels, u)
    _, residuals = kernels.gradient_with_residuals(theta, images, labels)
    for ours in (kernels.adjoint(theta, images, labels, u), kernels.adjoint_from_residuals(theta, residuals, u)):
        assert_equal(ours, truth)
    assert not list(tmp_path.rglob("*.*"))


def test_what_was_remembered_can_be_recalled_uncompiled(kernels: Compiled, no_compiler: list[str]) -> None:
    theta, images, labels, u = ONE
    _, residuals = kernels.gradient_with_residuals(theta, images, labels)
    failing = Compiled(NETWORK, kernels.shapes)
    assert_all(failing.adjoint_from_residuals(theta, residuals, u), Eager(NETWORK).adjoint(theta, images, labels, u))
    assert no_compiler


def test_a_program_is_stored_for_one_network_shape_and_precision(kernels: Compiled, folder: Path) -> None:
    kernels.gradient(*ONE[:3])

    def stored(
        network: ConvNet = NETWORK, shape: Shape = ALONE, precision: Precision = "float32", name: str = "gradient"
    ) -> bool:
        return Compiled(network, frozenset({shape}), precision, folder).stored(name, shape, CPU)

    assert stored()
    assert not stored(network=ConvNet((16, 8, 8), 3, 16, 1, "none"))
    assert not stored(network=ConvNet((16, 8, 8), 4, 16, 1, "instance"))
    assert not stored(shape=Shape(1, BATCH + 1))
    assert not stored(shape=Shape(BATCH, 1))
    assert not stored(precision="bfloat16")
    assert not stored(name="no such program")
    assert not Compiled(NETWORK, frozenset({ALONE})).stored("gradient", ALONE, CPU)
