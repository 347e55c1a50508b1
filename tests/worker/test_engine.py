"""The engine's process on real digits: results, refusals, drains, kills, and the life line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
import safetensors.numpy

from core.artifacts import verify
from core.data import Catalogue
from core.data.digits import digits
from core.engine.workspace import Drained
from core.request import JobRequest, fingerprint, resolve
from worker.engine import __main__ as engine
from worker.engine.attempt import run as run_job
from worker.engine.channel import open_channel
from worker.engine.job import Job
from worker.protocol import Exit, JobFolder

SMALL = {
    "network.width": 4,
    "objective.syn_steps": 3,
    "objective.max_start_epoch": 2,
    "objective.expert_epochs": 1,
    "experts.count": 2,
    "schedule.steps": 12,
    "evaluation.epochs": 5,
    "evaluation.seeds": 2,
    "evaluation.full.epochs": 1,
    "evaluation.baseline_lrs": [0.01],
}


@dataclass
class Run:
    """A job folder, and the engine's process once it is started."""

    folder: JobFolder
    messages: list[dict[str, Any]] = field(default_factory=list)
    _lines: IO[str] = field(init=False, repr=False)

    def write(self, **fields: Any) -> None:
        """job.json, of a request made of `fields`."""
        interval, cache_bytes = fields.pop("checkpoint_interval", 0.0), fields.pop("expert_cache_bytes", 2**30)
        data_dir = fields.pop("data_dir", self.folder.root / "datasets")
        request = JobRequest.model_validate(
            {"dataset": "digits", "ipc": 1, "method": "mtt", "overrides": SMALL, **fields}
        )
        there = ":" in request.dataset or Path(data_dir, f"{request.dataset}.npz").exists()
        known = request.dataset if there else "digits"
        recipe = resolve(request.model_copy(update={"dataset": known}), Catalogue(Path(data_dir)).facts(known))
        self.folder.root.mkdir(parents=True, exist_ok=True)
        self.folder.job.write_text(
            json.dumps(
                {
                    "job_id": "job_test",
                    "attempt": self.folder.attempt,
                    "request": request.model_dump(mode="json"),
                    "recipe": recipe.model_dump(mode="json"),
                    "data_dir": str(data_dir),
                    "experts_dir": str(self.folder.root.parent / "experts"),
                    "expert_cache_bytes": cache_bytes,
                    "device": "cpu",
                    "checkpoint_interval": interval,
                    "fingerprint": fingerprint(request, recipe, "sha256:x"),
                }
            )
        )

    def start(self) -> subprocess.Popen[bytes]:
        """Spawn the engine as the supervisor does."""
        ours, theirs = os.pipe()
        self._lines = os.fdopen(ours)
        process = subprocess.Popen(
            [sys.executable, "-m", "worker.engine", "--job-dir", str(self.folder.root), "--channel", str(theirs)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(theirs,),
            start_new_session=True,
        )
        os.close(theirs)
        return process

    def listen(self) -> Iterator[dict[str, Any]]:
        """Its messages, until it closes the channel; a caller that stops listening early leaves the channel open."""
        for line in self._lines:
            self.messages.append(json.loads(line))
            yield self.messages[-1]

    def finish(self) -> Exit:
        """Run to the end in this process, which has loaded all that takes; its exit status."""
        with (self.folder.root / "channel").open("w+") as said:
            status = engine.attempt(self.folder.root, open_channel(os.dup(said.fileno())), threading.Event())
            said.seek(0)
            self.messages = [json.loads(line) for line in said]
        return status

    def finish_apart(self) -> int:
        """Run to the end in a process of its own; its exit status."""
        process = self.start()
        for _ in self.listen():
            pass
        return process.wait(60)

    def until_distilling(self, steps: int) -> subprocess.Popen[bytes]:
        """Start it and return once so many outer steps are behind it."""
        process = self.start()
        for message in self.listen():
            if message["type"] == "metric" and message["name"] == "loss" and message["step"] >= steps:
                return process
        pytest.fail(f"the engine ended early: {process.stderr and process.stderr.read().decode()}")

    def tensors(self) -> dict[str, np.ndarray[Any, Any]]:
        return safetensors.numpy.load_file(self.folder.staging / "dataset.safetensors")

    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.folder.error.read_text())
        return found


def run(root: Path, attempt: int = 1, **fields: Any) -> Run:
    made = Run(JobFolder(root, attempt))
    made.write(**fields)
    return made


def here(root: Path, stop_after: int | None = None, **fields: Any) -> Run:
    """A job run in this process, or drained at the so-manieth place where it may be."""
    made = run(root, **fields)
    made.folder.staging.mkdir(parents=True)
    asked = 0

    def stopped() -> bool:
        nonlocal asked
        asked += 1
        return asked == stop_after

    drained = nullcontext() if stop_after is None else pytest.raises(Drained)
    with (root / "channel").open("w") as file, drained:
        run_job(Job.read(root), made.folder, open_channel(os.dup(file.fileno())), stopped)
    made.messages = [json.loads(line) for line in (root / "channel").read_text().splitlines()]
    return made


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that nothing ever stopped."""
    made = run(tmp_path_factory.mktemp("undisturbed") / "job")
    assert made.finish_apart() == Exit.DONE
    return made


def assert_same_result(one: Run, other: Run) -> None:
    mine, theirs = one.tensors(), other.tensors()
    assert mine.keys() == theirs.keys()
    for name, array in mine.items():
        assert np.array_equal(array, theirs[name]), name


def test_a_run_leaves_a_verified_artifact_and_metrics(undisturbed: Run) -> None:
    assert verify(undisturbed.folder.staging) == []
    metrics = json.loads(undisturbed.folder.result.read_text())["metrics"]
    assert set(metrics["results"]) == {"distilled", "distilled_8bit", "random", "full"}
    report = json.loads((undisturbed.folder.staging / "report.json").read_text())
    assert [line["n_seeds"] for line in report["results"]] == [2, 2, 2, 2]
    assert report["selection"] == "last iterate"
    assert report["peak_memory_mib"] > 0
    assert set(report["phases"]) >= {"preparing", "training_experts", "distilling", "evaluating"}
    assert any("Only 2 evaluation seeds" in warning for warning in report["warnings"])
    assert report["gap_closed"] is None, "two networks after five epochs measure no gap"
    assert (metrics["gap_reason"], metrics["majority"]) == (report["gap_reason"], report["majority"])
    assert 1 / 10 < report["majority"]["share"] < 0.11
    assert not report["majority"]["unequal"]
    for line in report["results"]:
        assert line["balanced_accuracy_mean"] == pytest.approx(np.mean(line["per_class_mean"]))
    assert {m["name"] for m in undisturbed.messages if m["type"] == "metric"} >= {"loss", "step_size"}


def uneven(folder: Path) -> Path:
    """A folder with the data set `uneven`: 150 images of 9 x 7 pixels, nine of ten bright, three of them twice."""
    folder.mkdir()
    labels = (np.arange(150) % 10 > 0).astype(np.int64)
    pixels = np.random.default_rng(7).normal(80 + 80 * labels[:, None, None], 30, (150, 9, 7)).clip(0, 255)
    x, names = pixels.astype(np.uint8), np.array(["dark", "bright"])
    x[100:103] = x[:3]
    train = {"x_train": x[:100], "y_train": labels[:100]}
    np.savez(folder / "uneven.npz", **train, x_test=x[100:], y_test=labels[100:], class_names=names)
    return folder


def test_a_method_that_quietly_is_another_one_says_so(tmp_path: Path) -> None:
    """Where sides are odd `idc` has no tiles: its report says so, and its card describes no half-sized images."""
    few = {name: value for name, value in SMALL.items() if not name.startswith(("objective", "experts"))}
    few |= {"objective.outer_loops": 2, "objective.inner_loops": 1, "objective.inner_images": 20, "schedule.steps": 2}
    data = uneven(tmp_path / "data")
    made = here(tmp_path / "job", dataset="uneven", method="idc", overrides=few, data_dir=data)
    report = json.loads((made.folder.staging / "report.json").read_text())
    assert any("without tiles, since the sides are odd (9 x 7)" in warning for warning in report["warnings"])
    card = (made.folder.staging / "README.md").read_text()
    assert "Here without tiles" in card
    assert "half the side" not in card
    assert card.index("without tiles, since") < card.index("| Trained on |")
    assert report["majority"] == {"class": "bright", "share": 0.9, "unequal": True}
    assert any("3 of 50 test images are equal to a training image" in warning for warning in report["warnings"])
    assert "3 of 50 test images" in card
    assert "| Balanced |" in card
    assert not [m for m in made.messages if m["type"] == "metric" and m["name"] == "step_size"], "it learns none"


def test_what_blew_up_says_so(tmp_path: Path) -> None:
    """Images beyond all pixels, and networks beyond all numbers."""
    wild = {"init.kind": "noise", "schedule.image_lr": 1e5, "evaluation.lr": 10.0, "evaluation.baseline_lrs": [10.0]}
    made = here(tmp_path / "job", overrides=SMALL | wild | {"network.norm": "none", "evaluation.full.lr": 0.001})
    report = json.loads((made.folder.staging / "report.json").read_text())
    assert "trained on these images answer one class" in report["warnings"][0]
    assert report["clipped"] > 0.5
    assert any("of the pixel values lie outside 0 to 255" in warning for warning in report["warnings"])


def test_the_report_says_what_is_taken_for_what_and_what_the_images_are_near(undisturbed: Run) -> None:
    staging = undisturbed.folder.staging
    report = json.loads((staging / "report.json").read_text())
    tested = np.bincount(digits().test.labels, minlength=10)
    assert [sum(row) for row in report["confusion"]] == (2 * tested).tolist()
    right = [row[c] / sum(row) for c, row in enumerate(report["confusion"])]
    assert right == pytest.approx(list(report["per_class"].values()), abs=1e-6)

    near, train = report["neighbours"], Catalogue(Path("nowhere")).load("digits").train
    assert (near["images"], near["of"], len(near["pairs"])) == (10, 10, 10)
    bundle = np.load(staging / "dataset.npz")
    for place, pair in enumerate(near["pairs"]):
        assert (pair["class"], pair["nearest_class"]) == (str(place), str(train.labels[pair["nearest"]]))
        apart = train.images.astype(float)[:, 0] - bundle["x_train"][pair["image"]]
        distances = np.sqrt((apart**2).mean((1, 2))) / train.images.std()
        assert distances.argmin() == pair["nearest"]
        assert pair["distance"] == pytest.approx(distances.min(), abs=1e-4)
    assert near["words"] in (staging / "README.md").read_text()
    (told,) = (m for m in undisturbed.messages if m["type"] == "neighbours")
    assert (undisturbed.folder.pictures / told["path"]).exists(), "and beside the artifact, which shows no real image"
    assert not list(staging.glob("neighbours*"))


def test_every_phase_reports_its_progress(undisturbed: Run) -> None:
    ends: dict[str, tuple[int, int]] = {}
    for message in undisturbed.messages:
        if message["type"] == "progress":
            assert 0 <= message["done"] <= message["total"]
            ends[message["phase"]] = (message["done"], message["total"])
    assert list(ends) == ["preparing", "training_experts", "distilling", "evaluating", "publishing"]
    assert all(done == total for done, total in ends.values())
    losses = [m for m in undisturbed.messages if m["type"] == "metric" and m["name"] == "loss"]
    assert [m["step"] for m in losses] == list(range(1, 13))


def test_a_drained_run_resumes_to_the_same_bits(undisturbed: Run, tmp_path: Path) -> None:
    first = run(tmp_path / "job", checkpoint_interval=1000.0)
    process = first.until_distilling(4)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == Exit.DRAINED
    second = run(tmp_path / "job", attempt=2)
    assert second.finish() == Exit.DONE
    resumed = [m["message"] for m in second.messages if m["type"] == "log" and "Resumed" in m["message"]]
    assert resumed, "it did not begin again"
    assert_same_result(second, undisturbed)


def test_a_killed_run_resumes_from_its_checkpoint_to_the_same_bits(undisturbed: Run, tmp_path: Path) -> None:
    first = run(tmp_path / "job")  # a checkpoint after every step
    process = first.until_distilling(5)
    process.kill()
    assert process.wait(60) == -signal.SIGKILL
    second = run(tmp_path / "job", attempt=2)
    assert second.finish() == Exit.DONE
    (message,) = [m["message"] for m in second.messages if m["type"] == "log" and "Resumed" in m["message"]]
    assert int(message.rstrip(".").split()[-1]) >= 4
    assert_same_result(second, undisturbed)


def test_a_run_drained_while_evaluating_repeats_one_line_at_most(undisturbed: Run, tmp_path: Path) -> None:
    slow = SMALL | {"evaluation.epochs": 150}
    first = run(tmp_path / "job", overrides=slow)
    process = first.start()
    for message in first.listen():
        if (message["type"], message.get("phase")) == ("progress", "evaluating") and message["done"] > 2:
            break
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == Exit.DRAINED
    kept = json.loads((first.folder.checkpoint / "rows.json").read_text())
    assert "distilled" in kept
    second = run(tmp_path / "job", attempt=2, overrides=slow)
    assert second.finish() == Exit.DONE
    report = json.loads((second.folder.staging / "report.json").read_text())
    assert [line["name"] for line in report["results"]] == ["distilled", "distilled_8bit", "random", "full"]
    assert report["confusion"] == kept["distilled"].pop("confusion")
    assert report["results"][: len(kept)] == list(kept.values()), "seconds and all: they weren't trained again"


def test_later_jobs_share_the_experts(undisturbed: Run) -> None:
    later = here(undisturbed.folder.root.parent / "later", seed=5)
    assert "2 of 2 expert trajectories were in the cache." in [m.get("message") for m in later.messages]


def test_the_cache_of_experts_is_held_to_its_limit(tmp_path: Path) -> None:
    """By experts of one width for those of another, and never below what a job needs."""
    limit = 8000
    for width, evicts in ((4, False), (6, True)):
        changes = {"network.width": width, "schedule.steps": 1}
        made = here(tmp_path / str(width), overrides=SMALL | changes, expert_cache_bytes=limit)
        told = [m["message"] for m in made.messages if m["type"] == "log" and m["message"].startswith("Evicted")]
        assert bool(told) is evicts
        files = list((tmp_path / "experts").glob("*.safetensors"))
        assert len(files) == 2
        assert sum(file.stat().st_size for file in files) <= limit


def test_it_dies_with_its_life_line(tmp_path: Path) -> None:
    process = run(tmp_path / "job").until_distilling(1)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(60) == 1


def test_zca_learned_labels_and_selection_on_validation(tmp_path: Path) -> None:
    changes = {
        "preprocess.kind": "zca",
        "labels.kind": "learnable",
        "evaluation.look_every": 4,
        "evaluation.select": "best_validation",
        "evaluation.baseline_lrs": [1e-6, 0.3],
    }
    made = here(tmp_path / "job", overrides=SMALL | changes)
    assert verify(made.folder.staging) == []
    looks = [m for m in made.messages if m["type"] == "metric" and m["name"] == "validation_accuracy"]
    assert [look["step"] for look in looks] == [4, 8, 12]
    report = json.loads((made.folder.staging / "report.json").read_text())
    assert report["selection"].startswith("best of the looks on the validation split")
    (random,) = [line for line in report["results"] if line["name"] == "random"]
    assert random["lr"] == 0.3, "a rate at which nothing moves is not the best"
    assert made.tensors()["soft_labels"].shape == (10, 10)


def test_a_hopeless_look_is_given_up_and_not_selected(tmp_path: Path) -> None:
    """Hopeless because the best look so far is said to have been perfect half way."""
    changes = SMALL | {"evaluation.look_every": 2, "evaluation.select": "best_validation", "evaluation.epochs": 40}
    first = run(tmp_path / "job", overrides=changes)
    process = first.until_distilling(5)
    process.kill()
    process.wait(60)
    best = first.folder.checkpoint / "best.json"
    score = json.loads(best.read_text())
    assert len(score["rungs"]) == 1
    best.write_text(json.dumps(score | {"rungs": [1.0]}))
    second = run(tmp_path / "job", attempt=2, overrides=changes)
    assert second.finish() == Exit.DONE
    told = [m["message"] for m in second.messages if m["type"] == "log" and "given up" in m["message"]]
    assert "The look at step 12 was given up" in told[-1]
    assert not [m for m in second.messages if m["type"] == "metric" and m["name"] == "validation_accuracy"]
    report = json.loads((second.folder.staging / "report.json").read_text())
    assert report["selection"].endswith(f"step {score['step']}")


def test_a_dataset_that_is_not_there_says_which_file_to_put_where(tmp_path: Path) -> None:
    made = run(tmp_path / "job", dataset="cifar10", data_dir=tmp_path / "data")
    assert made.finish() == Exit.FAILED
    error = made.error()
    assert (error["code"], error["phase"]) == ("dataset_unavailable", "preparing")
    assert str(tmp_path / "data" / "cifar10.npz") in error["message"]
    assert error["hint"]


def test_a_dataset_too_small_for_the_request_is_refused(tmp_path: Path) -> None:
    """Possible when the dataset was not on disk at submission."""
    made = run(tmp_path / "job")
    content = json.loads(made.folder.job.read_text())
    content["request"]["ipc"] = 5000
    made.folder.job.write_text(json.dumps(content))
    assert made.finish() == Exit.FAILED
    assert made.error()["code"] == "invalid_dataset"
    assert "Set ipc to at most" in made.error()["message"]


def test_divergence_is_told_with_the_fix(tmp_path: Path) -> None:
    made = run(
        tmp_path / "job", overrides=SMALL | {"step_size.initial": 10.0, "network.norm": "none", "schedule.steps": 40}
    )
    assert made.finish() == Exit.FAILED
    assert made.error()["code"] == "numerical_divergence"
    assert "step_size.initial" in made.error()["message"]
