"""A regression memory: exact start, aligned points, labels that serve students of any seed, and the case that fails."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from core.data.multi_index import parse
from core.engine.journal import Journal
from core.engine.two_layer import points, student
from core.engine.two_layer.measures import subspace
from core.engine.two_layer.run import Done, distil
from core.engine.two_layer.sweep import Sweeper
from core.engine.workspace import Drained, InMemory
from core.methods import Task, method
from core.overrides import override
from core.recipe import Recipe, TwoLayer

TASK = parse("multi-index:d=24,r=2,n=32768,seed=1")


def recipe(**choice: object) -> Recipe:
    """The method's recipe with a network that is quick to judge."""
    task = Task(TASK.name, 8, (1, 1, TASK.d), 1, mirror=False)
    small = {"width": 256, "samples": 8192, "students": 4} | choice
    return override(
        method("progressive-two-layer").recipe(task),
        {"evaluation.seeds": 3} | {f"objective.{name}": value for name, value in small.items()},
    )


@pytest.fixture(scope="module")
def done() -> Done:
    return distil(recipe(), TASK, 8, 0)


def test_a_network_answers_exactly_nothing_at_the_start() -> None:
    first, second = student.start(128, TASK.d, seed=3)
    x, _ = next(TASK.chunks("test"))
    assert not student.answers(x, first, second).any()
    assert np.allclose(np.linalg.norm(first, axis=1), 1)


def test_points_lie_in_the_subspace_and_their_labels_serve_any_seed(done: Done) -> None:
    theory, errors = done.theory, done.theory.lines
    assert theory.alignment >= 0.85
    assert theory.aligned
    assert theory.gap == TASK.r
    assert max(theory.angles) < 20
    own, fresh = errors["own"].measure, errors["fresh"].measure
    assert own.value <= 0.15
    assert fresh.value <= 0.15
    assert abs(own.value - fresh.value) <= 0.03, "the memory knows no seed of its own"
    assert errors["oracle"].measure.value < errors["real_labels"].measure.value <= own.value + 0.01
    assert errors["random"].measure.value > 0.5
    assert errors["raw"].measure.value > 0.8
    assert theory.floats == 8 * TASK.d + 256 == done.memory.floats


def test_curves_fall_with_points_and_units_and_rise_with_samples(done: Done) -> None:
    theory = done.theory
    for curve in (theory.by_points, theory.by_width):
        assert curve[-1][1] < curve[0][1] / 1.5
    assert theory.by_samples[-1] == (TASK.n, theory.alignment)
    assert theory.by_samples[0][1] < theory.alignment
    assert all(chart.chart is not None for chart in theory.sections()[1:])


def test_third_degree_alone_is_not_seen_and_the_report_says_why() -> None:
    task = parse("multi-index:d=24,r=2,link=he3,n=32768,seed=0")
    found = distil(recipe(width=64, samples=2048, students=1), task, 8, 0).theory
    assert found.alignment < 3 * task.r / task.d
    assert not found.aligned
    assert found.lines["own"].measure.value > 0.9
    assert "no part of second degree" in " ".join(found.sections()[0].words)


def test_another_round_draws_the_points_nearer() -> None:
    task = parse("multi-index:d=24,r=1,link=relu,n=16384")
    sweeper, truth = (lambda: Sweeper(task, InMemory(), lambda: None)), task.subspace()
    once, twice = (points.distilled(sweeper(), TwoLayer(width=64, rounds=rounds), 4, 0).points for rounds in (1, 2))
    assert subspace(twice, truth).alignment > subspace(once, truth).alignment


def test_it_goes_on_where_it_was_stopped_to_the_bit(done: Done) -> None:
    calls = 0

    def stop() -> bool:
        nonlocal calls
        calls += 1
        return calls % 4 == 0

    workspace = InMemory(Journal(), should_stop=stop, interval=0)
    for _ in range(40):
        try:
            again = distil(recipe(), TASK, 8, 0, workspace)
            break
        except Drained:
            continue
    assert calls > 12, "it was stopped"
    assert again.memory.points.tobytes() == done.memory.points.tobytes()
    assert again.memory.labels.tobytes() == done.memory.labels.tobytes()
    assert again.theory == done.theory


def test_without_time_it_makes_what_the_samples_so_far_give() -> None:
    workspace = InMemory(Journal(), time_left=lambda: 0.0, networks=lambda asked: 2)
    found = distil(recipe(), TASK, 8, 0, workspace).theory
    assert found.samples == 16_384 < TASK.n, "one chunk"
    assert set(found.lines) == {"own", "fresh"}
    assert len(found.lines["fresh"].errors) == 2


def test_files_alone_train_a_student(done: Done, tmp_path: Path) -> None:
    memory = done.memory
    metadata = {"stillhouse": f'{{"seed": {memory.seed}, "ridge": {memory.ridge}, "bias": {memory.bias}}}'}
    arrays = {"points": memory.points, "labels": memory.labels}
    safetensors.numpy.save_file(arrays, tmp_path / student.FILE, metadata)
    (tmp_path / "student.py").write_text(Path(student.__file__).read_text("utf-8"), "utf-8")
    code = "from student import load, train; import numpy; numpy.save('out', train(load(), 9)(numpy.eye(24)))"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=60)
    assert np.array_equal(np.load(tmp_path / "out.npy"), student.train(memory, 9)(np.eye(24)))
    other = replace(memory, seed=memory.seed + 1)
    assert not np.array_equal(student.train(other)(np.eye(24)), student.train(memory)(np.eye(24)))
