"""Trajectory matching's choices: which step is compared, how the window grows, what a penalty adds."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch

from core.engine import sdc
from core.engine.objectives.trajectory import closest, start_epochs_end
from core.engine.real import Real
from core.engine.state import State
from core.recipe import Growth, Sdc, Trajectory
from tests.engine.conftest import small
from tests.engine.still import states


def same(one: list[State], other: list[State]) -> bool:
    """Whether two runs are, bit for bit: losses and leaves."""
    return all(
        (a.loss == b.loss or (math.isnan(a.loss) and math.isnan(b.loss)))
        and all(torch.equal(x, y) for x, y in zip(vars(a.leaves).values(), vars(b.leaves).values(), strict=True))
        for a, b in zip(one, other, strict=True)
    )


def test_the_closest_step_is_the_nearest_in_l1_and_the_last_of_equals() -> None:
    target = torch.zeros(2)
    path = [torch.tensor(p) for p in ([0.0, 0.0], [3.0, 0.0], [1.2, 1.2], [2.0, 0.0], [0.0, -2.0], [0.0, 9.0])]
    assert closest(path, target) == 4, "the start does not count; (1.2, 1.2) is closer in L2 alone"
    assert closest([*path, torch.tensor([float("nan"), 0.0])], target) == 4
    assert closest(path[:2], target) == 1


def test_a_student_is_compared_where_it_is_closest(real: Real) -> None:
    """With a step size that overshoots, somewhere before its last step."""
    fields = {"objective__syn_steps": 6, "step_size__initial": 0.2, "step_size__lr": 0.0, "schedule__steps": 6}
    last, near = (states(small("mtt", objective__select=kind, **fields), real) for kind in ("last", "closest"))
    chosen = [state.curves["student_steps"] for state in near[1:]]
    assert any(steps < 6 for steps in chosen)
    assert "student_steps" not in last[-1].curves
    assert near[1].loss < last[1].loss
    # the first loss is that of a student that takes no more steps than those
    shorter = small("mtt", **fields | {"objective__syn_steps": int(chosen[0])})
    assert states(shorter, real)[1].loss == near[1].loss
    assert same(states(shorter, real)[:2], near[:2]), "nor do the others change its gradient"


def test_att_that_compares_the_last_step_is_mtt(real: Real) -> None:
    last = small("att", objective__select="last")
    assert same(states(last, real), states(small("mtt"), real))
    assert not same(states(small("att"), real), states(small("mtt"), real))


def test_a_student_that_stands_still_is_as_far_as_it_was(real: Real) -> None:
    still = small("mtt", step_size__initial=1e-12, step_size__lr=0.0, schedule__steps=1)
    assert states(still, real)[-1].loss == pytest.approx(1, abs=1e-6)


def test_no_weight_is_no_penalty(real: Real) -> None:
    host = states(small("mtt"), real)
    assert same(host, states(small("mtt", sdc__weight=0.0), real))
    assert same(host[:2], states(small("mtt", sdc__weight=0.1, sdc__schedule="log"), real)[:2])


@pytest.mark.parametrize("steps", ["first", "last", "mean"])
def test_a_penalty_makes_the_images_easier(real: Real, steps: str) -> None:
    fields = {"schedule__steps": 12, "step_size__lr": 0.0, "augment__transforms": []}
    host, easier = (states(small("mtt", sdc__weight=weight, sdc__steps=steps, **fields), real) for weight in (0.0, 3.0))
    added = [penalised.loss - alone.loss for alone, penalised in zip(host[1:], easier[1:], strict=True)]
    assert added[0] > 0
    assert sum(added[-4:]) < sum(added[:4])


def test_a_growing_weight_starts_at_nothing_and_ends_at_its_own() -> None:
    growing = Sdc(weight=0.5, schedule="log")
    weights = [sdc.strength(growing, step, 50) for step in range(50)]
    assert (weights[0], weights[-1]) == (0.0, 0.5)
    assert all(one < other for one, other in pairwise(weights))
    assert sdc.strength(growing, 0, 1) == 0.5
    assert {sdc.strength(Sdc(weight=0.5), step, 50) for step in range(50)} == {0.5}


def test_the_weight_is_divided_among_the_steps() -> None:
    assert sdc.shares(Sdc(steps="first"), 0.4, 5) == {0: 0.4}
    assert sdc.shares(Sdc(steps="last"), 0.4, 5) == {4: 0.4}
    assert sdc.shares(Sdc(steps="mean"), 0.4, 5) == dict.fromkeys(range(5), 0.08)
    assert sdc.shares(Sdc(), 0.0, 5) == {}


def test_the_truncated_gradient_is_exact_for_one_step_alone(real: Real) -> None:
    def both(steps: int) -> bool:
        ways = [small("mtt", objective__gradient=way, objective__syn_steps=steps) for way in ("exact", "tesla")]
        return same(*(states(recipe, real) for recipe in ways))

    assert both(1)
    assert not both(2)


def test_the_window_grows_from_its_start_to_its_end() -> None:
    growing = Trajectory(max_start_epoch=20, growth=Growth(start=10, steps=1000))
    ends = [start_epochs_end(growing, step) for step in range(1500)]
    assert (ends[0], ends[99], ends[100], ends[999], ends[1000], ends[-1]) == (10, 10, 11, 19, 20, 20)
    assert all(after - before in (0, 1) for before, after in pairwise(ends))
    assert start_epochs_end(Trajectory(max_start_epoch=20), 0) == 20


def test_a_window_that_grows_from_its_end_does_not_grow(real: Real) -> None:
    fixed = states(small("mtt"), real)
    assert same(fixed, states(small("mtt", objective__growth={"start": 2, "steps": 3}), real))


def test_datm_without_its_own_choices_is_mtt_on_its_experts(real: Real) -> None:
    back = {"labels__kind": "hard", "init__kind": "real", "objective__growth": None, "schedule__skip_above": None}
    plain = {"experts__optimiser": {"kind": "gsam", "rho": 0.01, "alpha": 0.3}, "objective__syn_steps": 3}
    assert same(states(small("datm", **back), real), states(small("mtt", **plain), real))
