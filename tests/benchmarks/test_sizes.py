"""The sections about any number of images, assembled from real jobs on digits that the engine runs in this process."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from benchmarks import alike, sizes
from benchmarks.claimed import CLAIMS
from benchmarks.claims import overrides
from benchmarks.jobs import Finished, Order
from tests.benchmarks.test_runs import rows
from tests.worker.test_engine import run
from worker.engine.attempt import run as run_job
from worker.engine.channel import open_channel
from worker.engine.job import Job

EVERY = ["network.width=4", "evaluation.epochs=1", "evaluation.seeds=1"]
DENOISER = '{"width": 8, "depth": 3, "heads": 2, "steps": 3, "batch_size": 8}'
DIFFUSION = [f"objective.denoiser={DENOISER}", "objective.sampler_steps=2", 'objective.judge={"epochs": 1}']
META = '{"tasks": 1, "inner_steps": 2}'
MGDD = [
    "init.width=2",
    "init.steps=4",
    f"init.meta={META}",
    "init.real_batch=40",
    "labels.networks=2",
    "labels.support=100",
]
TEACHER = ["teacher.epochs=3", "teacher.network.width=8", "schedule.steps=2", "relabel.keep=0.5"]


class Engine:
    """Answers orders as a service does, but here: the same order is the same job, and they share a cache."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.known: dict[str, Finished] = {}

    def __call__(self, order: Order) -> Finished:
        name = json.dumps([order.method, order.ipc, order.seed, order.overrides], sort_keys=True)
        if name not in self.known:
            self.known[name] = self._run(order, self.root / f"job-{len(self.known)}")
        return self.known[name]

    def _run(self, order: Order, root: Path) -> Finished:
        made = run(root, method=order.method, ipc=order.ipc, seed=order.seed, overrides=order.overrides)
        made.folder.staging.mkdir(parents=True)
        began = time.monotonic()
        with (root / "channel").open("w") as file:
            run_job(Job.read(root), made.folder, open_channel(os.dup(file.fileno())), lambda: False)
        said = [json.loads(line) for line in (root / "channel").read_text().splitlines()]
        log = [message["message"] for message in said if message["type"] == "log"]
        report = json.loads((made.folder.staging / "report.json").read_text())
        return Finished(report, time.monotonic() - began, lambda: log, lambda: made.folder.staging)


def assembled(tmp_path: Path, part: str, changes: dict[str, list[str]], *arguments: str) -> tuple[str, Engine]:
    """The section of a part."""
    settings = [f"--set={method}:{text}" for method, texts in changes.items() for text in texts]
    settings += [f"--set={text}" for text in EVERY]
    options = sizes._options(["--home", str(tmp_path), "--only", part, *settings, *arguments])
    engine = Engine(tmp_path)
    ((name, title, text),) = sizes.written(options, engine)
    assert name == f"sizes: {part}, digits"  # a section of its own for each dataset
    assert title.endswith(": digits 8x8")
    return text, engine


def test_a_diffusion_model_is_measured_at_every_size(tmp_path: Path) -> None:
    more = ["--ipcs", "1", "2", "--seeds", "2", "--write", "--pictures", str(tmp_path)]
    text, engine = assembled(tmp_path, "diffusion", {"diffusion": DIFFUSION}, *more)
    one, two = rows(text)
    assert (one[0], one[4], two[0], two[4]) == ("1", "2", "2", "2")
    reports = [job.report for job in engine.known.values()]
    assert f"{reports[0]['generator']['bytes']:,} bytes" in text
    small = [100 * job.accuracy() for job in engine.known.values() if job.report["compression"]["images_after"] == 10]
    assert one[1].startswith(f"{sum(small) / 2:.1f} ± ")
    assert "trained in" in text, "the first job trained the generator, the others found it"
    picture = Image.open(tmp_path / "diffusion-digits.png")
    assert (tmp_path / "diffusion-digits.png").stat().st_size <= 60_000
    assert picture.width > 100


def test_every_size_of_mgdd_and_its_race_with_frepo(tmp_path: Path) -> None:
    frepo = ["objective.real_batch=40"]
    more = ["--sizes", "1", "2", "--race", "1", "--adaptations", "3", "--frepo-steps", "2", "--seeds", "1"]
    text, engine = assembled(tmp_path, "mgdd", {"frepo": frepo, "mgdd": MGDD}, *more)
    first, _, second = text.partition("How soon")
    lines = rows(first) + rows(second)
    assert [line[0] for line in lines[:2]] == ["1", "2"]
    assert lines[0][6] == "-", "the only job of one image a class adapted the generator"
    assert lines[1][6] != "-"
    arms = [line[1] for line in lines[2:]]
    assert arms == [
        "FRePo, 2 steps",
        "FRePo from means, 2 steps",
        "random real images, labels solved",
        "means as they are, labels solved",
        "MGDD, 0 steps of adaptation",
        "MGDD, 3 steps of adaptation",
        "MGDD, adapted by an earlier job",
    ]
    assert "(" in lines[-2][4], "the meta-training that it starts from is told apart"
    assert len(engine.known) == 10, "jobs without a generator are those of the sizes, too"


def test_diversity_is_of_the_images_that_were_published(tmp_path: Path) -> None:
    taught = dict.fromkeys(("sre2l", "cda", "lpld", "dwa"), TEACHER)
    text, engine = assembled(tmp_path, "diversity", taught, "--recovered", "2", "--seeds", "1")
    found = rows(text)
    assert [line[0] for line in found] == ["random real images", *alike.ARMS]
    first = next(iter(engine.known.values()))
    images, labels = alike.read(first.artifact())[1]
    assert found[1][2] == f"{alike.within_class(images.flatten(1), labels):.3f}"


def test_cosines_are_of_different_images_of_a_class() -> None:
    vectors = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0], [-1.0, -1.0]])
    assert alike.within_class(vectors, torch.tensor([0, 0, 1, 1])) == pytest.approx(-0.5)
    assert alike.within_class(vectors.repeat(2, 1), torch.arange(4).repeat(2)) == pytest.approx(1.0)


def test_a_job_of_the_claims_is_found_again(tmp_path: Path) -> None:
    asked: list[Order] = []
    options = sizes._options(["--home", str(tmp_path), "--seeds", "1"])
    assert sizes.written(options, lambda order: asked.append(order)) == []
    ours = {(order.method, order.ipc, json.dumps(dict(order.overrides), sort_keys=True)) for order in asked}
    for name in ("diffusion", "mgdd", "dwa", "dwa-start", "sre2l"):
        (claim,) = [each for each in CLAIMS if each.name == f"{name}-digits-10"]
        theirs = json.dumps(overrides(claim, claim.better), sort_keys=True)
        assert (claim.better.method, claim.ipc, theirs) in ours, name
