"""The choice of kernels worth compiling, in numbers alone."""

from __future__ import annotations

import pytest

from core.plan import packing
from core.plan.packing import Convolutions, Use, worth_compiling

NETWORK = Convolutions.of((3, 32, 32), 32, 3)
SHAPE = (1, 10)
FEW = Use("adjoint", SHAPE, 10)  # hundredths of a second


def test_what_saves_less_than_compiling_costs_is_left_alone() -> None:
    assert not worth_compiling(NETWORK, [FEW], "cpu")
    assert worth_compiling(NETWORK, [FEW._replace(calls=10**6)], "cpu") == {SHAPE}


@pytest.mark.parametrize("programs", [packing.PROGRAMS["adjoint"], packing.KEEPING])
def test_programs_that_lie_there_cost_nothing_whichever_way_the_steps_were_taken(programs: frozenset[str]) -> None:
    assert worth_compiling(NETWORK, [FEW], "cpu", lambda program, shape: program in programs) == {SHAPE}
    for missing in programs:
        lying = programs - {missing}
        assert not worth_compiling(NETWORK, [FEW], "cpu", lambda program, shape, lying=lying: program in lying)


def test_another_use_of_the_shape_needs_its_own_program() -> None:
    uses = [FEW, Use("gradient", SHAPE, 10)]
    assert not worth_compiling(NETWORK, uses, "cpu", lambda program, shape: program in packing.KEEPING)


@pytest.mark.parametrize(
    ("width", "batch", "size"),
    [
        (128, 100, 25),
        (128, 256, 32),
        (128, 34, 34),  # as many as one slice may have
        (128, 37, 37),  # a prime number has no equal parts
        (128, 74, 74),  # two images a slice would be thin
        (128, 500, 25),
        (32, 100, 100),
        (32, 256, 128),
    ],
)
def test_a_batch_is_done_in_equal_slices_that_fit_the_cache(width: int, batch: int, size: int) -> None:
    network = Convolutions.of((3, 32, 32), width, 3)
    assert packing.sliced(network, "instance", (1, batch), "cpu") == (1, size)
    assert packing.sliced(network, "instance", (1, size), "cpu") == (1, size), "a slice is not cut again"


def test_a_map_larger_than_the_cache_is_a_slice_of_one() -> None:
    assert packing.sliced(Convolutions.of((3, 512, 512), 128, 3), "none", (1, 10), "cpu") == (1, 1)


@pytest.mark.parametrize(
    ("norm", "shape", "device"),
    [("batch", (1, 256), "cpu"), ("instance", (2, 256), "cpu"), ("instance", (1, 256), "cuda")],
)
def test_norms_over_the_batch_stacks_and_gpus_have_no_slices(norm: str, shape: packing.Batch, device: str) -> None:
    assert packing.sliced(Convolutions.of((3, 32, 32), 128, 3), norm, shape, device) == shape


@pytest.mark.parametrize(("width", "size"), [(128, 32), (32, 128)])
@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_tests_are_done_in_slices_whatever_the_norm(width: int, size: int, norm: str) -> None:
    network = Convolutions.of((3, 32, 32), width, 3)
    assert packing.sliced(network, norm, packing.TESTS, "cpu", "logits") == (1, size)


def test_tests_are_compiled_where_enough_images_are_seen() -> None:
    few, many = (Use("logits", packing.TESTS, calls) for calls in (100, 1000))
    assert not worth_compiling(NETWORK, [few], "cpu")
    assert worth_compiling(NETWORK, [many], "cpu") == {packing.TESTS}
