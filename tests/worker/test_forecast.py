"""The forecast against the engine: the kernel calls it makes, the networks it stacks, the bytes it leaves."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import safetensors.numpy
import torch

from core.data import Catalogue
from core.engine.kernel_plan import plan
from core.engine.kernels import Compiled, missing_compiler
from core.engine.networks import build
from core.engine.train import stack_for
from core.forecast import Forecast, Past, predict
from core.plan.build import plan as build_plan
from core.plan.cost import cost, stack_on, work
from core.plan.cost.geometry import geometry
from core.plan.cost.programs import worth_compiling
from core.plan.steps import PrepareNetworks, Search, kept_of
from core.recipe import Network
from tests.engine.kernel_calls import Calls, counting, sums
from tests.forecast.machines import facts, recipe
from tests.worker.test_engine import run
from worker.engine.attempt import run as run_job
from worker.engine.channel import open_channel
from worker.engine.job import Job

CHEAP: dict[str, Any] = {
    "network.width": 4,
    "evaluation.epochs": 3,
    "evaluation.seeds": 2,
    "evaluation.batch_size": 16,
    "evaluation.full.epochs": 2,
}
TRAJECTORY = CHEAP | {
    "objective.syn_steps": 5,
    "objective.batch_size": 8,
    "objective.min_start_epoch": 1,
    "objective.max_start_epoch": 3,
    "objective.expert_epochs": 1,
    "experts.count": 3,
    "schedule.steps": 7,
}
GRADIENTS = CHEAP | {
    "schedule.steps": 5,
    "objective.outer_loops": 3,
    "objective.inner_loops": 2,
    "objective.real_batch": 32,
}
PERFORMANCE = CHEAP | {
    "schedule.steps": 3,
    "objective.syn_steps": 7,
    "objective.batch_size": 8,
    "objective.real_batch": 700,
}
LOOKS = {"evaluation.look_every": 3, "evaluation.select": "best_validation", "evaluation.epochs": 44}
GENERATOR = {"init.width": 2, "init.meta.tasks": 2, "init.meta.inner_steps": 2, "init.steps": 3, "init.real_batch": 60}
DIFFUSION = {
    "objective.denoiser": {"width": 8, "depth": 3, "steps": 2, "batch_size": 8},
    "objective.sampler_steps": 2,
    "objective.judge.epochs": 2,
}
VIEWS = {"evaluation.batch_size": 6, "teacher.epochs": 2, "teacher.network.width": 4, "init.candidates": 20}
JOBS: dict[str, tuple[str, dict[str, Any]]] = {
    "trajectories": ("mtt", TRAJECTORY),
    "soft labels": ("mtt", TRAJECTORY | {"labels.kind": "learnable", "evaluation.full": None}),
    "looks": ("mtt", TRAJECTORY | LOOKS),
    "one rate, batch norm": ("mtt", TRAJECTORY | {"evaluation.baseline_lrs": [0.01], "network.norm": "batch"}),
    "flat experts": ("ftd", TRAJECTORY),
    "experts judge": ("datm", TRAJECTORY | {"experts.epochs": 5, "init.kind": "real"}),
    "distributions": ("dm", CHEAP | {"schedule.steps": 5, "objective.real_batch": 64}),
    "gradients": ("dsa", GRADIENTS | {"objective.student_batch": 8}),
    "gradients, trained on real images": (
        "dc",
        GRADIENTS | {"objective.inner": "real", "objective.inner_images": 100, "objective.syn_batch": 1},
    ),
    "tiles": ("idc", GRADIENTS | {"objective.inner_images": 100, "objective.syn_batch": 3}),
    "performance": ("bptt", PERFORMANCE | {"objective.window": 3}),
    "performance, adaptive": ("at-bptt", PERFORMANCE | {"objective.window": 3, "objective.batch_size": None}),
    "stages": (
        "seqmatch",
        TRAJECTORY
        | LOOKS
        | {"schedule.steps": 4, "schedule.stages.epochs": 2, "evaluation.epochs": 22, "evaluation.seeds": 1},
    ),
    "stages of gradients": (
        "seqmatch-idc",
        GRADIENTS
        | {"objective.inner_images": 100, "objective.syn_batch": 3}
        | {"schedule.stages.epochs": 2, "schedule.stages.networks": 3},
    ),
    "a diffusion": ("diffusion", CHEAP | DIFFUSION),
    "nothing": ("random", CHEAP),
    "an exact set": ("linear-exact", CHEAP),
    "regressions": ("frepo", CHEAP | {"schedule.steps": 5, "objective.real_batch": 64, "objective.pool.batch_size": 8}),
    "a generator": ("mgdd", CHEAP | GENERATOR),
    "unseen architectures": (
        "random",
        CHEAP | {"evaluation.across": [{"kind": "mlp", "width": 8}, {"width": 2}]},
    ),
    "another architecture": ("dm", CHEAP | {"schedule.steps": 5, "network.kind": "alexnet", "network.width": 4}),
    "labelled views": ("rded", CHEAP | VIEWS | {"rounds": {"count": 1, "epochs": 5}}),
    "coverage": ("random", CHEAP | {"evaluation.coverage": {"epochs": 2}, "network.norm": "batch"}),
    "forgetting": ("window", CHEAP | {"init.score.networks": 3, "init.score.epochs": 3}),
    "features": ("k-center", CHEAP | {"init.embedding.epochs": 2}),
    "windows swept": ("window", CHEAP | {"init.beta": "auto", "init.score.networks": 2, "init.score.epochs": 2}),
    "probed": (
        "mtt",
        TRAJECTORY | {"objective.max_start_epoch": "auto", "experts.epochs": 10, "schedule.steps": 40},
    ),
    "a draw": ("dual", CHEAP | {"init.score.networks": 2, "init.score.epochs": 3, "network.norm": "batch"}),
    "rounds": (
        "self-evolved",
        CHEAP | {"rounds.epochs": 2, "rounds.score.networks": 2, "rounds.score.epochs": 2},
    ),
    "errors": ("el2n", CHEAP | {"init.score.epochs": 2, "network.norm": "batch"}),
}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return counting(monkeypatch)


def distil(
    folder: Path, method: str, overrides: dict[str, Any], seed: int = 0, past: Sequence[Past] = ()
) -> tuple[Job, Forecast]:
    """Run a job in this process; its forecast, made before."""
    made = run(folder / f"job-{seed}-{len(past)}", method=method, ipc=2, overrides=overrides, seed=seed)
    job = Job.read(made.folder.root)
    forecast = predict(job.recipe, Catalogue(folder).facts("digits"), 2, method, None, past, seed=seed)
    made.folder.staging.mkdir(parents=True)
    run_job(job, made.folder, open_channel(os.open(os.devnull, os.O_WRONLY)), lambda: False)
    return job, forecast


@pytest.mark.parametrize("name", JOBS)
def test_the_engine_makes_exactly_the_calls_that_were_forecast(name: str, calls: Calls, tmp_path: Path) -> None:
    """Also of a second job with another seed, which finds what the first one left: nothing less, and nothing more."""
    job, forecast = distil(tmp_path, *JOBS[name])
    assert sums(calls) == forecast.work
    calls.clear()
    steps = [
        step
        for part in build_plan(job.recipe, Catalogue(tmp_path).facts("digits"), 2, seed=0).parts()
        for step in part.steps
    ]
    named = {file for step in steps if (kept := kept_of(step)) for file in kept.files}
    left = {path.name for path in job.experts_dir.iterdir()}
    assert named <= left
    # candidates of a search and what later stages begin with have names that nobody knows beforehand
    assert named == left or any(isinstance(step, Search | PrepareNetworks) for step in steps)
    past = Past("job_0", JOBS[name][0], {}, {}, forecast.leaves)
    _, again = distil(tmp_path, *JOBS[name], seed=1, past=[past])
    assert sums(calls) == again.work


def test_networks_on_random_images_are_found_by_a_job_of_another_method(calls: Calls, tmp_path: Path) -> None:
    """By one of the same seed and protocol, whatever its own rate is; for more seeds the others are made."""
    past, found = list[Past](), list[dict[str, Any]]()
    for method, seeds in (("dm", 2), ("random", 2), ("random", 3)):
        calls.clear()
        asked = (
            CHEAP | {"evaluation.seeds": seeds} | ({"schedule.steps": 1} if method == "dm" else {"evaluation.lr": 0.02})
        )
        _, forecast = distil(tmp_path, method, asked, past=past)
        assert sums(calls) == forecast.work
        report = json.loads((tmp_path / f"job-0-{len(past)}" / "staging" / "1" / "report.json").read_text())
        found += [line for line in report["results"] if line["name"] == "random"]
        past.append(Past(f"job_{len(past)}", method, {}, {}, forecast.leaves))
    first, second, third = found
    assert second == first
    assert third["n_seeds"] == 3
    assert third["accuracies"][:2] == first["accuracies"]
    assert third["lr"] == first["lr"]


@pytest.mark.parametrize("name", ["soft labels", "stages"])
def test_what_is_left_on_disk_is_as_large_as_forecast(name: str, tmp_path: Path) -> None:
    job, forecast = distil(tmp_path, *JOBS[name])
    experts = sum(path.stat().st_size for path in job.experts_dir.glob("*.safetensors"))
    assert experts == pytest.approx(forecast.bytes.experts, rel=0.02)
    staging = tmp_path / "job-0-0" / "staging" / "1"
    arrays = safetensors.numpy.load_file(staging / "dataset.safetensors")
    assert forecast.bytes.labels == sum(arrays[name].nbytes for name in ("labels", "soft_labels") if name in arrays)
    assert size(staging) == pytest.approx(forecast.bytes.artifact, rel=0.2)


def size(staging: Path) -> int:
    return sum(path.stat().st_size for path in staging.rglob("*") if path.is_file())


def test_the_generator_is_part_of_what_is_left(tmp_path: Path) -> None:
    wide = DIFFUSION["objective.denoiser"] | {"width": 64, "depth": 5}  # type: ignore[operator]
    _, forecast = distil(tmp_path, "diffusion", CHEAP | DIFFUSION | {"objective.denoiser": wide})
    staging = tmp_path / "job-0-0" / "staging" / "1"
    assert size(staging) == pytest.approx(forecast.bytes.artifact, rel=0.1)
    assert forecast.bytes.artifact > 4 * 268_048


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64)])
def test_as_many_networks_are_stacked_as_the_engine_stacks(shape: tuple[int, int, int]) -> None:
    for width in (4, 32, 128):
        network = Network(width=width)
        stack = stack_on(geometry(network, shape, 10), None)
        for batch in (1, 10, 100, 256):
            assert stack(batch) == stack_for(build(network, shape, 10), batch, torch.device("cpu"))


@pytest.mark.skipif(missing_compiler(torch.device("cpu")) is not None, reason="there is no compiler")
@pytest.mark.parametrize(
    ("dataset", "method", "overrides"),
    [
        ("digits", "mtt", {}),
        ("cifar10", "mtt", {"network__width": 32}),
        ("cifar10", "mtt", {"network__norm": "batch", "objective__batch_size": 7}),
        ("cifar10", "dm", {"schedule__steps": 50_000, "evaluation__full": None}),
        ("fashion-mnist", "random", {"evaluation__epochs": 3000}),
    ],
)
def test_the_engine_compiles_the_shapes_that_were_foreseen(
    dataset: str, method: str, overrides: dict[str, Any]
) -> None:
    wanted, known = recipe(method, dataset, 10, **overrides), facts(dataset)
    network = geometry(wanted.network, known.shape, known.classes)
    calls = work(cost(build_plan(wanted, known, 10), known, 10, stack_on(network, None)))
    foreseen = worth_compiling(calls, network, "cpu")
    engine = build(wanted.network, known.shape, known.classes)
    kernels = plan(wanted, known, 10, engine, torch.device("cpu"), None).kernels
    assert (kernels.shapes if isinstance(kernels, Compiled) else frozenset()) == foreseen
    assert bool(foreseen) == (dataset != "digits")
