"""Every method of the catalogue on the pretended GPU: a job that is stopped and goes on ends as one on the CPU does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from core import methods
from core.engine.kernels.compiled import Compiled, Shape, passes
from core.engine.kernels.trial import fault
from core.engine.keys import Key
from core.engine.networks import convnet
from core.engine.workspace import Drained
from core.recipe import Network, Recipe
from tests.engine.attempts import attempt, two_classes
from tests.engine.conftest import small
from tests.engine.pretend import NAME, pretended
from worker.engine import calibrate
from worker.protocol import JobFolder

IPC = 2
WITHIN = 1e-3
"""Share of the length of a result that may be rounding."""

DATED = {"README.md", "SHA256SUMS", "manifest.json", "metrics.parquet", "recipe.json", "report.json"}
"""Files of an artifact that say when, where and how fast it was made."""
PLACE = {"device", "seconds", "phases", "peak_memory_mib", "predicted_peak_mib"}
"""Entries of a report that say so."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_classes(tmp_path_factory.mktemp("data"))


class Stop:
    """Tells a job to stop when it asks for the n-th time, or never; counts how often it asks."""

    def __init__(self, at: int | None = None) -> None:
        self.at, self.asked = at, 0

    def __call__(self) -> bool:
        self.asked += 1
        return self.asked == self.at


@pytest.mark.parametrize("name", methods.names())
def test_a_job_that_is_stopped_on_a_gpu_ends_as_one_on_the_cpu(name: str, data: Path, tmp_path: Path) -> None:
    recipe, whole = affordable(name), Stop()
    here, there = JobFolder(tmp_path / "cpu", 1), JobFolder(tmp_path / "cuda", 1)
    expected = attempt(recipe, IPC, data, here, stopped=whole)
    with pretended():
        with pytest.raises(Drained):
            attempt(recipe, IPC, data, there, device="cuda", stopped=Stop((whole.asked + 1) // 2))
        there = JobFolder(there.root, 2)
        found = attempt(recipe, IPC, data, there, device="cuda")
    assert report(there)["device"] == NAME
    if recipe.objective.kind == "generative":  # how attention is summed is each device's own choice
        assert_close(there, here)
    else:
        assert lasting(found) == lasting(expected)
        assert lasting(report(there)) == lasting(report(here))
        assert files(there) == files(here)


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_the_written_out_passes_are_right_on_a_gpu(norm: str) -> None:
    """By the trial of compiled programs there; several students are one call of theirs."""
    with pretended() as device:
        network = convnet(Network(width=4, depth=2, norm=norm), (1, 8, 8), 2)
        two = passes(network, "bfloat16", device)

        def observe(theta: Tensor, images: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
            g, kept, _ = two.first(theta, images, labels)
            seen = two.moments(theta, kept)
            return (g, *seen.means, *seen.variances)

        def keep(theta: Tensor, images: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
            return tuple(two.first(theta, images, labels)[1].leaves)

        assert fault("keep", keep, two, 1, 3, device, WITHIN) is None
        assert fault("observe", torch.vmap(observe), two, 2, 3, device, WITHIN) is None
        assert fault("keep", lambda *given: [-leaf for leaf in keep(*given)], two, 1, 3, device, WITHIN) is not None


def test_without_a_compiler_for_the_gpu_a_kernel_is_run_as_it_is_written(tmp_path: Path) -> None:
    with pretended() as device:
        network = convnet(Network(width=4, depth=2), (1, 8, 8), 2)
        kernels = Compiled(network, frozenset({Shape(1, 3)}), folder=tmp_path)
        given = [Key(0).normal(network.size), Key(1).normal(3, 1, 8, 8), Key(2).uniform(3, 2)]
        found = kernels.gradient(*(part.to(device) for part in given))
        assert found.is_cuda
        assert torch.equal(found.cpu(), kernels.eager.gradient(*given))
        assert not kernels.stored("gradient", Shape(1, 3), device)


def test_what_a_calibration_measures_runs_on_a_gpu() -> None:
    with pretended() as device:
        for site in (calibrate._SMALL[0], calibrate._SMALL[-1]):
            for point, call in calibrate._sites(site, device):
                assert calibrate._once(call, device) > 0, point


def affordable(name: str) -> Recipe:
    """The method's recipe, with as much of a teacher's training as forty images need."""
    recipe = small(name)
    return small(name, teacher__epochs=12, teacher__batch_size=8) if recipe.teacher else recipe


def files(folder: JobFolder) -> dict[str, bytes]:
    """The images of an artifact and all that is made of them, by names."""
    found = {path.relative_to(folder.staging).as_posix(): path for path in folder.staging.rglob("*") if path.is_file()}
    assert {"dataset.safetensors", *DATED} < found.keys()
    return {name: path.read_bytes() for name, path in found.items() if name not in DATED}


def assert_close(one: JobFolder, other: JobFolder) -> None:
    """The tensors of two artifacts differ by rounding."""
    for name in ("dataset.safetensors", "generator.safetensors"):
        ours, theirs = (safetensors.torch.load_file(folder.staging / name) for folder in (one, other))
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def report(folder: JobFolder) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder.staging / "report.json").read_text("utf-8"))
    return content


def lasting(value: Any) -> Any:
    """The value without what another run may say otherwise."""
    if isinstance(value, dict):
        return {name: lasting(part) for name, part in value.items() if name not in PLACE}
    return [lasting(part) for part in value] if isinstance(value, list) else value
