"""The loop's own promises: guards, labels, checkpoints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.engine import checkpoint, distill, init
from core.engine.keys import Key
from core.engine.real import Real
from core.engine.synthetic import Gradients, Synthetic
from tests.engine.conftest import small
from tests.engine.still import states

NAMES = "images", "logits"


def test_labels_learn(real: Real) -> None:
    recipe = small("mtt", labels__kind="learnable")
    first, *_, last = states(recipe, real)
    assert not torch.equal(first.leaves.logits, last.leaves.logits)
    result = distill.finish(recipe, last, real, 2)
    assert result.soft_labels is not None
    assert torch.allclose(result.soft_labels.sum(1), torch.ones(4))


def test_the_label_gradient_is_that_of_the_softmax(real: Real) -> None:
    """The pull-back of label probabilities to logits, against autograd."""
    recipe = small("mtt", labels__kind="learnable", labels__lr=1.0, labels__momentum=0.0, labels__confidence=1.0)
    weights = Key(3).normal(4, 2)

    def linear(synthetic: Synthetic, key: Key, step: int) -> tuple[Tensor, Gradients]:
        zero = torch.zeros(())
        return (synthetic.labels * weights).sum(), Gradients(torch.zeros_like(synthetic.images), weights, zero)

    first = distill.begin(recipe, real, 2, Key(0))
    second = next(distill.distill(recipe, linear, first, Key(0)))
    logits = first.leaves.logits.clone().requires_grad_()
    (logits.softmax(1) * weights).sum().backward()
    assert torch.allclose(first.leaves.logits - second.leaves.logits, logits.grad, atol=1e-7)


def test_the_first_step_of_the_step_size_is_the_published_one(real: Real) -> None:
    recipe = small("mtt", step_size__initial=0.02, step_size__lr=1e-6, step_size__momentum=0.0)

    def slope(synthetic: Synthetic, key: Key, step: int) -> tuple[Tensor, Gradients]:
        return synthetic.step_size, Gradients(torch.zeros_like(synthetic.images), None, torch.tensor(3.0))

    first = distill.begin(recipe, real, 2, Key(0))
    second = next(distill.distill(recipe, slope, first, Key(0)))
    assert float(second.leaves.log_step_size.exp()) == pytest.approx(0.02 - 1e-6 * 3.0, rel=1e-6)


def test_the_step_size_stays_positive(real: Real) -> None:
    recipe = small("mtt", step_size__lr=1.0)

    def downhill(synthetic: Synthetic, key: Key, step: int) -> tuple[Tensor, Gradients]:
        return synthetic.step_size, Gradients(torch.zeros_like(synthetic.images), None, torch.tensor(100.0))

    for state in distill.distill(recipe, downhill, distill.begin(recipe, real, 2, Key(0)), Key(0)):
        assert float(state.leaves.log_step_size.exp()) >= 0
        assert not state.leaves.log_step_size.isnan()


def bad_at(*steps: int):  # type: ignore[no-untyped-def]
    def objective(synthetic: Synthetic, key: Key, step: int) -> tuple[Tensor, Gradients]:
        loss = torch.tensor(float("nan") if step in steps else 1.0)
        return loss, Gradients(torch.ones_like(synthetic.images), None, torch.tensor(0.0))

    return objective


def test_a_bad_step_goes_back_to_the_last_good_images(real: Real) -> None:
    recipe = small("mtt")
    first = distill.begin(recipe, real, 2, Key(0))
    s1, s2, s3, s4 = distill.distill(recipe, bad_at(2), first, Key(0))
    assert torch.equal(s3.leaves.images, s1.leaves.images), "the images of step 2 gave the NaN, those of step 1 did not"
    assert (s3.rollbacks, s3.damping) == (1, 0.5)
    assert s3.velocity.images.abs().sum() == 0
    assert not torch.equal(s4.leaves.images, s3.leaves.images), "and on it goes"
    assert [s.step for s in (s1, s2, s3, s4)] == [1, 2, 3, 4]


def test_divergence_ends_with_the_fix(real: Real) -> None:
    recipe = small("mtt", schedule__steps=100)
    with pytest.raises(distill.Diverged, match=r"schedule\.image_lr"):
        list(distill.distill(recipe, bad_at(*range(100)), distill.begin(recipe, real, 2, Key(0)), Key(0)))


def test_an_infinite_rate_never_reaches_the_images(real: Real) -> None:
    recipe = small("mtt", schedule__image_lr=1e8, schedule__steps=15)
    try:
        last = states(recipe, real)[-1]
    except distill.Diverged:
        return
    assert last.good.images.isfinite().all()


@pytest.mark.parametrize(("images", "step_size"), [(0.0, 1e6), (0.0, -1e6), (1e35, 0.0)])
def test_a_last_step_that_leads_to_no_numbers_is_taken_back(images: float, step_size: float, real: Real) -> None:
    """A step size of 0, and an infinite one, are none; no later step is there to find out."""

    def steep(synthetic: Synthetic, key: Key, step: int) -> tuple[Tensor, Gradients]:
        slope = torch.full_like(synthetic.images, images)
        return synthetic.step_size, Gradients(slope, None, torch.tensor(step_size))

    recipe = small("mtt", step_size__lr=1.0, schedule__image_lr=1e8, schedule__steps=1, schedule__ema=0.5)
    first = distill.begin(recipe, real, 2, Key(0))
    (last,) = distill.distill(recipe, steep, first, Key(0))
    result = distill.settled(last).result
    assert torch.equal(result.images, first.leaves.images)
    assert torch.equal(result.log_step_size, first.leaves.log_step_size)
    assert distill.settled(first) is first


def test_steps_above_the_threshold_are_left_out(real: Real) -> None:
    recipe = small("mtt", schedule__skip_above=0.5)
    first = distill.begin(recipe, real, 2, Key(0))
    *_, last = distill.distill(recipe, bad_at(), first, Key(0))
    assert torch.equal(last.leaves.images, first.leaves.images)
    assert last.step == 4


def test_the_running_mean_is_the_result(real: Real) -> None:
    raw = states(small("mtt", labels__kind="learnable"), real)
    recipe = small("mtt", labels__kind="learnable", schedule__ema=0.75)
    mean = raw[0].leaves
    for plain, averaged in zip(raw, states(recipe, real), strict=True):
        assert torch.equal(plain.leaves.images, averaged.leaves.images), "the mean changes no step"
        if plain.step:
            images, logits = (0.75 * getattr(mean, name) + 0.25 * getattr(plain.leaves, name) for name in NAMES)
            mean = replace(mean, images=images, logits=logits)
        result = distill.finish(recipe, averaged, real, 2)
        assert torch.allclose(result.images, mean.images, atol=1e-5)
        assert result.soft_labels is not None
        assert torch.allclose(result.soft_labels, mean.logits.softmax(1), atol=1e-5)
        assert result.step_size == float(plain.leaves.log_step_size.exp()), "the present one, as FTD evaluates with it"


def test_a_mean_without_memory_is_the_last_iterate(real: Real) -> None:
    raw, averaged = (states(small("mtt", **ema), real)[-1] for ema in ({}, {"schedule__ema": 0.0}))
    assert torch.equal(raw.leaves.images, averaged.result.images)


def test_the_mean_of_what_is_frozen_is_what_it_was(real: Real) -> None:
    first, *_, last = states(small("mtt", parameterize__update=0.5, schedule__ema=0.9), real)
    assert torch.equal(first.leaves.images[[1, 3]], last.result.images[[1, 3]])
    assert not torch.equal(first.leaves.images[[0, 2]], last.result.images[[0, 2]])


def test_a_mean_starts_anew_from_the_last_good_images(real: Real) -> None:
    recipe = small("mtt", schedule__ema=0.5)
    s1, _, s3, _ = distill.distill(recipe, bad_at(2), distill.begin(recipe, real, 2, Key(0)), Key(0))
    assert torch.equal(s3.result.images, s1.leaves.images)


def test_a_checkpoint_of_another_run_is_refused(real: Real, tmp_path: Path) -> None:
    state = distill.begin(small("mtt"), real, 2, Key(0))
    stored = tmp_path / "s.safetensors"
    stored.write_bytes(checkpoint.packed(state, "mine"))
    with pytest.raises(checkpoint.CheckpointMismatch, match="delete it"):
        checkpoint.load(stored, "yours", torch.device("cpu"))
    assert checkpoint.load(None, "mine", torch.device("cpu")) is None


def test_random_draws_are_distinct_members_of_their_class(real: Real) -> None:
    for seed in range(5):
        index = init.chosen(real, (7, 7), Key(seed))
        assert len(set(index.tolist())) == 14
        assert real.train.labels[index].tolist() == [0] * 7 + [1] * 7
