"""Views by policy: replay from keys, a transform for each image, and real images treated as real ones are."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from core.engine import evaluate
from core.engine.augment import dsa, views_each
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import ConvNet
from core.engine.real import Real
from core.engine.train import Protocol, sgd, shared
from core.recipe import Augment, Evaluation, Policy

POLICIES: tuple[Policy, ...] = ("batch", "sample", "simple", "combined")
KEYS = [Key(3), Key(1), Key(4)]
IMAGES = Key(1).normal(3, 40, 3, 16, 16)
REAL = Key(2).uniform(3, 40) < 0.5


@pytest.mark.parametrize("policy", POLICIES)
def test_the_same_key_gives_the_same_view(policy: Policy) -> None:
    view = views_each(IMAGES, Augment(), policy, KEYS, REAL)
    assert torch.equal(view, views_each(IMAGES, Augment(), policy, KEYS, REAL))
    assert not torch.equal(view, views_each(IMAGES, Augment(), policy, [Key(9), *KEYS[1:]], REAL))


@pytest.mark.parametrize("policy", POLICIES)
def test_a_stack_of_batches_sees_what_each_would_alone(policy: Policy) -> None:
    together = views_each(IMAGES, Augment(), policy, KEYS, REAL)
    for batch, key, real, view in zip(IMAGES, KEYS, REAL, together, strict=True):
        assert torch.equal(view, views_each(batch[None], Augment(), policy, [key], real[None])[0])


def test_by_batch_is_dsa() -> None:
    for batch, key, view in zip(IMAGES, KEYS, views_each(IMAGES, Augment(), "batch", KEYS, REAL), strict=True):
        assert torch.equal(view, dsa(batch, Augment(), key))


def kinds(policy: Policy, key: Key) -> set[str]:
    """The transforms that images of a batch went through, told apart by what they do to a bright picture."""
    ones = torch.ones(1, 64, 1, 16, 16)
    found = set()
    for view in views_each(ones, Augment(transforms=("color", "crop", "cutout")), policy, [key])[0]:
        black = int((view == 0).sum())
        edges = view[0, [0, -1], :].sum() + view[0, :, [0, -1]].sum()
        found.add("color" if not black and view[0, 0, 0] != 1 else "cutout" if black and edges > 40 else "other")
    return found


def test_by_sample_one_batch_sees_every_transform_and_by_batch_one() -> None:
    assert all({"color", "cutout"} <= kinds("sample", Key(seed)) for seed in range(3))
    assert not any({"color", "cutout"} <= kinds("batch", Key(seed)) for seed in range(20))


def test_twins_differ_within_a_batch() -> None:
    twins = IMAGES[:, :1].expand_as(IMAGES)
    view = views_each(twins, Augment(), "sample", KEYS)[0]
    assert len({one.numpy().tobytes() for one in view}) > 30


def test_simple_views_are_shifted_and_half_of_them_mirrored() -> None:
    column = torch.arange(16.0).expand(1, 200, 1, 16, 16) + 1
    view = views_each(column, Augment(), "simple", [Key(0)])[0, :, 0, 8]
    steps = view[:, 8] - view[:, 7]
    assert set(steps.tolist()) == {1.0, -1.0}
    assert 70 < int((steps < 0).sum()) < 130
    shifts = {int((row == 0).sum()) for row in view}
    assert shifts == {0, 1, 2}, "an eighth of the side at most"
    unmirrored = views_each(column, Augment(transforms=("color", "crop")), "simple", [Key(0)])[0, :, 0, 8]
    assert set((unmirrored[:, 8] - unmirrored[:, 7]).tolist()) == {1.0}, "a digit stays a digit"


def test_combined_is_simple_for_real_images_and_by_sample_for_the_others() -> None:
    combined, simple, sample = (views_each(IMAGES, Augment(), p, KEYS, REAL) for p in ("combined", "simple", "sample"))
    assert torch.equal(combined[REAL], simple[REAL])
    assert torch.equal(combined[~REAL], sample[~REAL])
    assert torch.equal(views_each(IMAGES, Augment(), "combined", KEYS), sample), "where none is real"


@pytest.mark.parametrize("policy", POLICIES)
def test_without_transforms_images_stay_as_they_are(policy: Policy) -> None:
    assert views_each(IMAGES, Augment(transforms=()), policy, KEYS, REAL) is IMAGES


def test_training_follows_the_policy(real: Real) -> None:
    """The marks of real images go with the images, whatever order a network sees them in."""
    network, augment = ConvNet((1, 8, 8), 2, 4, 1, "instance"), Augment(transforms=("crop", "scale", "rotate"))
    images, labels = real.train.take(torch.arange(20)), torch.eye(2)[real.train.labels[:20]]
    marks = torch.arange(20) % 2 == 0
    combined = evaluate.on_synthetic(Evaluation(epochs=2, batch_size=8, policy="combined"), augment, 0.1, marks)

    def ends(protocol: Protocol) -> torch.Tensor:
        return list(sgd(Eager(network), shared(images), labels, protocol, [Key(5)]))[-1].theta

    assert torch.equal(ends(combined), ends(combined))
    assert torch.equal(ends(replace(combined, real=None)), ends(replace(combined, policy="sample")))
    assert torch.equal(ends(replace(combined, real=marks | True)), ends(replace(combined, policy="simple")))
    assert len({ends(p).numpy().tobytes() for p in (combined, replace(combined, real=~marks))}) == 2
