"""Views by policy: replay from keys, a transform for each image, real images treated as real ones are; CutMix."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from core.engine import evaluate, report
from core.engine.augment import cutmix, dsa, views_each
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import ConvNet
from core.engine.real import Real
from core.engine.train import Protocol, sgd, shared
from core.recipe import Augment, CutMix, Evaluation, Policy
from tests.engine.conftest import small

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


def flat_batches(*levels: float) -> tuple[torch.Tensor, torch.Tensor]:
    """For each of two networks an image a level, [2, n, 3, 8, 8], and a class of its own for each, [2, n, n]."""
    images = torch.tensor(levels).view(1, -1, 1, 1, 1).expand(2, -1, 3, 8, 8).contiguous()
    return images, torch.eye(len(levels)).expand(2, -1, -1).contiguous()


@pytest.mark.parametrize("seed", range(8))
def test_labels_are_mixed_as_pixels_are(seed: int) -> None:
    images, labels = flat_batches(0.0, 1.0, 2.0, 3.0)
    keys = [Key(seed), Key(seed + 100)]
    mixed, told = cutmix(images, labels, CutMix(), keys)
    for network in range(2):
        for image in range(4):
            shares = [float((mixed[network, image] == level).float().mean()) for level in range(4)]
            torch.testing.assert_close(told[network, image], torch.tensor(shares))
    alone = cutmix(images[1:], labels[1:], CutMix(), keys[1:])
    assert torch.equal(mixed[1], alone[0][0])
    assert torch.equal(told[1], alone[1][0])


def test_boxes_are_of_every_size_and_as_many_batches_are_mixed_as_asked() -> None:
    images, labels = flat_batches(0.0, 1.0)
    largest = []
    for seed in range(200):
        _, told = cutmix(images[:1], labels[:1], CutMix(probability=0.5), [Key(seed)])
        largest.append(1 - float(told[0].diagonal().mean()))
    mixed = [share for share in largest if share]
    assert 25 < len(mixed) < 75, "half are mixed, and half of those with themselves"
    assert min(mixed) < 0.1
    assert max(mixed) > 0.5


def test_training_mixes_what_the_policy_made(real: Real) -> None:
    network = ConvNet((1, 8, 8), 2, 4, 1, "instance")
    images, labels = real.train.take(torch.arange(20)), torch.eye(2)[real.train.labels[:20]]
    plain = evaluate.on_synthetic(Evaluation(epochs=2, batch_size=8), Augment(transforms=("crop",)), 0.1)
    mixing = evaluate.on_synthetic(
        Evaluation(epochs=2, batch_size=8, cutmix=CutMix()), Augment(transforms=("crop",)), 0.1
    )
    ends = [
        list(sgd(Eager(network), shared(images), labels, protocol, [Key(5)]))[-1].theta
        for protocol in (plain, mixing, mixing)
    ]
    assert torch.equal(ends[1], ends[2])
    assert not torch.equal(ends[0], ends[1])


def test_with_cutmix_no_view_is_cut_out(real: Real) -> None:
    network = ConvNet((1, 8, 8), 2, 4, 1, "instance")
    images, labels = real.train.take(torch.arange(20)), torch.eye(2)[real.train.labels[:20]]
    mixing = Evaluation(epochs=4, batch_size=8, cutmix=CutMix(probability=0.5))
    protocols = [
        evaluate.on_synthetic(mixing, Augment(transforms=names), 0.1) for names in (("crop", "cutout"), ("crop",))
    ]
    ends = [list(sgd(Eager(network), shared(images), labels, each, [Key(5)]))[-1].theta for each in protocols]
    assert torch.equal(*ends)
    recipe = small("random", evaluation__cutmix={"probability": 0.5}, augment__transforms=["crop", "cutout"])
    told = report._views(recipe, all_real=True)
    assert told == "one transform for each batch, 50% of the batches then mixed by CutMix in the place of cutout"
