"""What is counted is what is computed."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.arithmetic import done, work
from benchmarks.rows import ratio, spread, table
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import ConvNet

NETWORKS = [ConvNet((3, 16, 16), 5, 6, 3, "instance"), ConvNet((1, 28, 28), 3, 4, 3, "batch")]


def given(network: ConvNet) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    images, labels = Key(1).normal(4, *network.shape), F.one_hot(torch.arange(4) % 3, network.classes).float()
    return network.init(Key(0)), images, labels, network.init(Key(2))


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_the_definition_counts_what_autograd_computes(network: ConvNet) -> None:
    assert done("gradient", Eager(network), *given(network)) == work("gradient", network, 4)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_an_adjoint_is_eight_passes_and_autograd_does_more(network: ConvNet) -> None:
    least, forward = work("adjoint", network, 4), work("gradient", network, 4) / 3
    assert 7 * forward < least < 10 * forward  # the first block needs less, and more of the gradient's third
    assert done("adjoint", Eager(network), *given(network)) > least


def test_a_spread_is_the_median_between_the_extremes() -> None:
    assert spread([3.0, 1.0, 2.0], 1) == "2.0 (1.0-3.0)"
    assert spread([]) == "-"


def test_a_ratio_is_taken_round_by_round() -> None:
    assert ratio([2.0, 20.0, 9.0], [1.0, 5.0, 3.0]) == "3.00 (2.00-4.00)"
    assert ratio([], [1.0]) == "-"


def test_a_table_is_markdown() -> None:
    assert table(["arm", "s"], [["eager", "1"]]) == "| arm | s |\n| --- | ---: |\n| eager | 1 |"
