"""The operations counted are the operations computed."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.arithmetic import done, work
from benchmarks.rows import ratio, spread, table
from core.engine.kernels import Adjoint, Compiled, Eager, Shape
from core.engine.kernels.convolution import Convolution, Direct, Winograd
from core.engine.kernels.passes import Passes
from core.engine.keys import Key
from core.engine.networks import ConvNet

NETWORKS = [ConvNet((3, 16, 16), 5, 6, 3, "instance"), ConvNet((1, 28, 28), 3, 4, 3, "batch")]


def given(network: ConvNet) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    images, labels = Key(1).normal(4, *network.shape), F.one_hot(torch.arange(4) % 3, network.classes).float()
    return network.init(Key(0)), images, labels, network.init(Key(2))


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_the_definition_counts_what_autograd_computes(network: ConvNet) -> None:
    assert done("gradient", Eager(network), *given(network)) == work("gradient", network, 4)


@dataclass(frozen=True)
class Written(Eager):
    """The passes as they are written, one convolution for all blocks."""

    convolution: Convolution = field(kw_only=True)

    @property
    def passes(self) -> Passes:
        return Passes(self.network, (self.convolution,) * self.network.depth)

    def adjoint(self, theta: Tensor, images: Tensor, labels: Tensor, u: Tensor) -> Adjoint:
        return self.passes.second(theta, self.passes.first(theta, images, labels)[1], u)[0]


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_an_adjoint_is_eight_passes_and_autograd_does_more(network: ConvNet) -> None:
    least, forward = work("adjoint", network, 4), work("gradient", network, 4) / 3
    assert 7 * forward < least < 10 * forward  # the first block needs less, and more of the gradient's third
    assert done("adjoint", Written(network, convolution=Direct()), *given(network)) == least
    assert done("adjoint", Eager(network), *given(network)) > least


def test_fewer_multiplications_are_seen() -> None:
    network = ConvNet((8, 32, 32), 5, 8, 2, "instance")
    two = (Written(network, convolution=convolution) for convolution in (Direct(), Winograd(4)))
    direct, winograd = (done("adjoint", kernels, *given(network)) for kernels in two)
    assert 0.25 < winograd / direct < 0.27  # 36 products for 144, and the linear layer


def test_what_is_compiled_is_counted_as_it_is_written() -> None:
    network = NETWORKS[0]
    kernels = Compiled(network, frozenset({Shape(1, 4)}))
    for kernel in ("gradient", "adjoint"):
        assert done(kernel, kernels, *given(network)) <= work(kernel, network, 4)


def test_a_spread_is_the_median_between_the_extremes() -> None:
    assert spread([3.0, 1.0, 2.0], 1) == "2.0 (1.0-3.0)"
    assert spread([]) == "-"


def test_a_ratio_is_taken_round_by_round() -> None:
    assert ratio([2.0, 20.0, 9.0], [1.0, 5.0, 3.0]) == "3.00 (2.00-4.00)"
    assert ratio([], [1.0]) == "-"


def test_a_table_is_markdown() -> None:
    assert table(["arm", "s"], [["eager", "1"]]) == "| arm | s |\n| --- | ---: |\n| eager | 1 |"
