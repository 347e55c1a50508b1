"""The benchmark of experts trained in bfloat16 throughout: what it calls so is so, and its table pairs seeds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks import throughout
from core.engine.kernels import Eager
from core.engine.networks import build
from core.recipe import Network
from tests.benchmarks.test_store import table

MAPS = ("convolution", "relu", "avg_pool2d", "threshold_backward")


class Maps(TorchDispatchMode):
    """Takes down the types of what convolutions, ReLUs and pools put out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, set[torch.dtype]] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        """Carries out an operation."""
        made = func(*args, **(kwargs or {}))
        name = str(func).split(".")[1]
        if name in MAPS:
            self.found.setdefault(name, set()).add(made.dtype)
        return made


def test_all_maps_are_of_bfloat16_and_parameters_are_not() -> None:
    network = build(Network(width=8), (3, 32, 32), 10)
    draw = torch.Generator().manual_seed(0)
    theta = 0.1 * torch.randn(network.size, generator=draw)
    images, labels = torch.randn(20, 3, 32, 32, generator=draw), torch.eye(10).repeat(2, 1)
    with Maps() as maps:
        rounded = throughout.Autocast(network).gradient(theta, images, labels)
    assert maps.found == {name: {torch.bfloat16} for name in MAPS}
    exact = Eager(network).gradient(theta, images, labels)
    assert rounded.dtype == torch.float32
    assert 0.9 < float(torch.cosine_similarity(rounded, exact, 0)) < 0.99999


def test_its_table_compares_the_two_kinds_seed_by_seed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    least = "--width 8 --window 3 --experts 1 --seeds 2 --steps 2 --syn-steps 2 --evaluation-epochs 2 --threads 1"
    throughout.main([*least.split(), "--eager", "--data-dir", str(tmp_path)])
    told = capsys.readouterr().out
    rows = table(told, "| experts trained in")
    assert [*rows] == list(throughout.ARMS)
    assert all("±" in accuracy and n == "2" for _, accuracy, _, n in rows.values())
    assert ", p = " in rows[throughout.ARMS[1]][2]
    assert told.count("seed ") >= 2
