"""One program tests a network on any number of images, as the eager kernels do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
import torch

from core.engine.kernels import TESTS, Compiled, Eager, Shape, missing_compiler
from core.engine.networks import ConvNet
from core.plan import limits, packing
from core.recipe import Norm
from tests.engine.steps import assert_same, given

CPU = torch.device("cpu")
NETWORK = ConvNet((16, 8, 8), 3, 16, 1, "instance")


@pytest.mark.skipif(missing_compiler(CPU) is not None, reason="there is no compiler")
@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_one_program_tests_on_any_number_of_images(norm: Norm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Compiled) -> NoReturn:
        raise AssertionError("the program was to run, not the eager kernels")

    monkeypatch.setattr(Compiled, "eager", property(refuse))
    monkeypatch.setattr(packing, "_SLICE", 8 * NETWORK.convolutions.outputs)
    network = replace(NETWORK, norm=norm)
    kernels = Compiled(network, frozenset({TESTS}), folder=tmp_path)
    theta, images, labels, _ = given(network, 19)
    moments = Eager(network).gradient_and_batch_stats(theta, images, labels)[1] if norm == "batch" else None
    for n in (4, 8, 19):
        assert_same(kernels.logits(theta, images[:n], moments), network.apply(theta, images[:n], moments), 1e-3)
    assert kernels.stored("logits", Shape(1, 8), CPU)


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_few_images_and_their_own_statistics_are_left_to_the_eager_kernels(norm: Norm, no_compiler: list[str]) -> None:
    network = replace(NETWORK, norm=norm)
    kernels = Compiled(network, frozenset({TESTS}))
    theta, images, _, _ = given(network, 3 if norm == "instance" else limits.TESTED)
    assert torch.equal(kernels.logits(theta, images), network.apply(theta, images))
    assert not no_compiler


@pytest.mark.parametrize(("name", "left"), [("logits", Shape(1, 16)), ("gradient", TESTS)])
def test_tests_and_steps_of_one_size_are_given_up_apart(
    name: str, left: Shape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_SLICE", 8 * NETWORK.convolutions.outputs)
    kernels = Compiled(NETWORK, frozenset({TESTS, Shape(1, 16)}), folder=tmp_path)
    assert kernels.sliced(TESTS, CPU, "logits") == kernels.sliced(Shape(1, 16), CPU) == Shape(1, 8)
    assert kernels.give_up({(name, Shape(1, 8))}, CPU) == (name,)
    assert kernels.used == {left}
