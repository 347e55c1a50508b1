"""Recovering images from a teacher: its statistics, its copies, its views, and the teacher that is refused."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine import distill, init, recovery_views, teacher
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import Moments, build
from core.engine.objectives import statistics
from core.engine.real import Real
from core.engine.synthetic import Synthetic
from core.engine.teacher import Teacher
from core.recipe import Network, Statistics, Views
from core.recipe.share import equal
from tests.engine.conftest import small
from tests.engine.still import states, taught

STILL = Views(roll=0.0)


@pytest.fixture(scope="module")
def known(real: Real) -> Teacher:
    found = taught(small("sre2l"), real)
    assert found is not None
    return found


def synthetic(real: Real, ipc: int = 2) -> Synthetic:
    index = init.chosen(real, equal(ipc, real.classes), Key(5))
    labels = F.one_hot(init.classes(real, equal(ipc, real.classes)), real.classes).float()
    return Synthetic(real.train.take(index), labels, torch.tensor(0.01))


def measured(objective: Statistics, known: Teacher, real: Real, seen: Synthetic, *, step: int = 0, **more: Any) -> Any:
    goals = teacher.goals(known, objective, real)
    return statistics.loss(objective, known, goals, real.classes, 10, seen, Key(1), step, more.get("teachers"))


@pytest.mark.parametrize(("group", "norm"), [("whole", "norm"), ("whole", "convolution"), ("class", "norm")])
def test_the_real_images_have_their_own_statistics(group: str, norm: str, known: Teacher, real: Real) -> None:
    """Every term is zero where the synthetic images are the real ones: what is read, and how variances are taken."""
    objective = Statistics.model_validate({"group": group, "statistics": norm, "views": STILL})
    fewest = min(len(members) for members in real.members)
    train = replace(real.train, **{
        name: torch.cat([getattr(real.train, name)[members[:fewest]] for members in real.members])
        for name in ("stored", "labels")
    })  # fmt: skip
    there = replace(real, train=train, members=tuple((train.labels == c).nonzero().flatten() for c in range(2)))
    images = train.take(torch.arange(2 * fewest))
    assert known.moments is not None
    means, variances = map(list, known.moments)
    if (group, norm) == ("whole", "norm"):  # running moments as if these images were all that was ever seen
        for layer in range(2):
            now = Moments(tuple(means), tuple(variances))
            taps = known.network.trace(known.theta, images, now)[1]
            variances[layer], means[layer] = torch.var_mean(taps.norms[layer], (0, 2, 3), correction=0)
    own = replace(known, moments=Moments(tuple(means), tuple(variances)))
    seen = Synthetic(images, F.one_hot(train.labels, 2).float(), torch.tensor(0.01))
    _, gradients, _ = measured(objective, own, there, seen)
    assert gradients.curves["means"] < 1e-6
    assert gradients.curves["variances"] < 1e-6


def test_slots_have_the_statistics_of_real_images_of_one_difficulty(known: Teacher, real: Real) -> None:
    """Parts of every class, of which the first is nearest to the teacher; together they are all real images."""
    objective = Statistics(group="difficulty", views=STILL)
    apart = []
    for slots in (1, 3, 7):
        found = teacher.goals(known, objective, real, slots)
        assert known.moments is not None
        sums = torch.zeros(slots)
        for layer, mean, variance in zip(found, *known.moments, strict=True):
            assert layer.mean.shape == (slots, len(mean))
            sums += (layer.mean - mean).norm(dim=1) + (layer.variance - variance).norm(dim=1)
        apart.append(sums)
        if slots == 1:
            whole = found
    pixels = Statistics(statistics="convolution", group="difficulty", views=STILL)
    parts = teacher._parts(known, pixels, real, 4)
    assert sorted(torch.cat(parts).tolist()) == list(range(len(real.train)))
    for part in parts:
        assert real.train.labels[part].bincount().float().std() < 3, "as many of each class"
    assert apart[1][0] < apart[1][-1]
    assert apart[2][0] < apart[2][-1]
    assert torch.allclose(whole[0].mean, teacher.goals(known, Statistics(group="whole"), real)[0].mean, atol=0.5)
    seen = synthetic(real)
    slotwise, own = Statistics(views=STILL), teacher.goals(known, objective, real, 2)
    loss = partial(statistics.loss, classes=2, steps=10, synthetic=seen, key=Key(1), step=0, teachers=None)
    _, by_slot, _ = loss(slotwise, known, teacher.goals(known, slotwise, real))
    _, by_part, _ = loss(objective, known, own)
    assert not torch.allclose(by_slot.images, by_part.images)
    ends = [states(small("fadrm", objective__group=group), real)[-1].leaves.images for group in ("slot", "difficulty")]
    assert ends[1].isfinite().all()
    assert not torch.equal(*ends)
    alone = [goal._replace(mean=goal.mean[1:], variance=goal.variance[1:]) for goal in own]
    single = Synthetic(seen.images[1::2], seen.labels[1::2], seen.step_size)
    _, second, _ = statistics.loss(objective, known, alone, 2, 10, single, Key(1), 0, None)
    assert torch.allclose(by_part.images[1::2], second.images, atol=1e-6)


def test_where_rounds_take_images_the_others_are_of_every_difficulty(real: Real) -> None:
    """The one image of each class that is made has the statistics of all real images, not of their easier half."""
    asked = {"objective__statistics": "convolution", "objective__views__curriculum": False}
    ends = [states(small("ccfs", **asked, objective__group=group), real)[-2] for group in ("difficulty", "whole")]
    assert torch.allclose(*(end.leaves.images for end in ends), atol=1e-3)


def test_all_images_are_a_group_be_they_as_many_of_each_class_or_not() -> None:
    """In proportion, rounds may leave numbers to the recipe that no number of classes divides."""
    assert torch.equal(statistics.groups(Statistics(group="whole"), 4, 3), torch.arange(4)[None])


def test_the_gradient_is_autograd_s_and_groups_are_alone(known: Teacher, real: Real) -> None:
    """A slot recovered by itself has the same gradient, and so has one pass in float64 that is written out here."""
    objective, seen = Statistics(views=STILL), synthetic(real, 3)
    total, gradients, _ = measured(objective, known, real, seen)
    part = Synthetic(seen.images[::3], seen.labels[::3], seen.step_size)
    one, own, _ = measured(objective, known, real, part)
    assert torch.allclose(gradients.images[::3], own.images, atol=1e-6)
    assert float(one) < float(total)
    x = part.images.double().requires_grad_()
    theta = known.theta.double()
    assert known.moments is not None
    means, variances = known.moments
    moments = Moments(tuple(m.double() for m in means), tuple(v.double() for v in variances))
    logits, taps = known.network.trace(theta, x, moments)
    loss = F.cross_entropy(logits, part.labels.double())
    for weight, y, m, v in zip((10, 1), taps.norms, *moments, strict=True):
        loss = loss + weight * 0.01 * ((y.mean((0, 2, 3)) - m).norm() + (y.var((0, 2, 3), correction=0) - v).norm())
    loss.backward()
    assert x.grad is not None
    assert float(loss.detach()) == pytest.approx(float(one), rel=1e-4)
    assert torch.allclose(own.images.double(), x.grad, atol=1e-4 * float(x.grad.abs().max()))


def losses(known: Teacher, thetas: Tensor, seen: Synthetic) -> Tensor:
    index = torch.arange(4).view(2, 2).T
    pairs = zip(thetas, seen.images[index], seen.labels[index], strict=True)
    return torch.stack([F.cross_entropy(known.network.apply(t, x, known.moments), y) for t, x, y in pairs])


def test_ascents_raise_the_loss_along_a_path_of_length_rho(known: Teacher, real: Real) -> None:
    objective, seen = small("dwa", objective__views__roll=0.0, objective__adjust__rho=0.05).objective, synthetic(real)
    assert isinstance(objective, Statistics)
    moved = measured(objective, known, real, seen)[2]
    assert moved.shape == (2, known.network.size)
    away = (moved - known.theta).norm(dim=1)
    assert (away <= 0.05 * (1 + 1e-5)).all()
    assert (away > 0.025).all()
    assert (losses(known, moved, seen) > losses(known, known.theta.expand(2, -1), seen)).all()
    _, again, same = measured(objective, known, real, seen, step=1, teachers=moved)
    assert same is moved
    assert again.curves["adjustment"] == pytest.approx(float(away.mean()))


def test_a_length_is_found_by_its_effect(known: Teacher, real: Real) -> None:
    objective, seen = small("dwa", objective__views__roll=0.0).objective, synthetic(real)
    assert isinstance(objective, Statistics)
    moved = measured(objective, known, real, seen)[2]
    before = losses(known, known.theta.expand(2, -1), seen).mean()
    assert float(losses(known, moved, seen).mean() / before) == pytest.approx(1.3, abs=0.03)


def test_an_adjustment_of_no_length_is_no_adjustment(real: Real) -> None:
    """To the last bit; and one that moves the teacher changes the images."""
    arms = {"plain": {"objective__adjust": None}, "zero": {"objective__adjust__rho": 0.0}, "dwa": {}}
    plain, zero, dwa = (states(small("dwa", **changes), real) for changes in arms.values())
    assert [s.loss for s in plain[1:]] == [s.loss for s in zero[1:]]
    assert all(torch.equal(a.leaves.images, b.leaves.images) for a, b in zip(plain, zero, strict=True))
    assert not torch.equal(plain[-1].leaves.images, dwa[-1].leaves.images)


def test_copies_of_one_teacher_are_that_teacher(known: Teacher, real: Real) -> None:
    objective, seen = Statistics(), synthetic(real)
    shared = measured(objective, known, real, seen)
    copied = measured(objective, known, real, seen, teachers=known.theta.expand(2, -1))
    assert float(copied[0]) == pytest.approx(float(shared[0]), rel=1e-5)
    assert torch.allclose(copied[1].images, shared[1].images, atol=1e-5 * float(shared[1].images.abs().max()))


def test_statistics_of_convolutions_need_no_batch_norm(real: Real) -> None:
    recipe = small("sre2l", objective__statistics="convolution", teacher__network__norm="instance")
    *_, last = states(recipe, real)
    assert last.curves["means"] > 0
    goals = teacher.goals(taught(recipe, real), recipe.objective, real)  # type: ignore[arg-type]
    assert [goal.mean.shape[1] for goal in goals] == [1, 16, 4, 16], "channels and patches of two convolutions"


def test_images_stay_what_pixels_can_be(real: Real) -> None:
    *_, last = states(small("sre2l"), real)
    mean, std = (real.transform.arrays[name] for name in ("mean", "std"))
    pixels = last.leaves.images * std.view(-1, 1, 1) + mean.view(-1, 1, 1)
    assert float(pixels.min()) >= -1e-6
    assert float(pixels.max()) <= 1 + 1e-6


def test_outer_rates_fall_along_a_cosine(real: Real) -> None:
    recipe = small("sre2l", schedule__optimiser="sgd", schedule__image_momentum=0.0, schedule__clamp=False)
    first = distill.begin(recipe, real, 2, Key(0))

    def one(seen: Synthetic, key: Key, step: int) -> Any:
        return torch.tensor(1.0), statistics.Gradients(torch.ones_like(seen.images), None, None)

    all_states = [first, *distill.distill(recipe, one, first, Key(0))]
    moves = [float((a.leaves.images - b.leaves.images).mean()) for a, b in itertools.pairwise(all_states)]
    shares = [move / recipe.schedule.image_lr for move in moves]
    assert shares == pytest.approx([1.0, 0.8536, 0.5, 0.1464], abs=1e-4)


def test_a_view_rolls_mirrors_and_crops_a_group_alike() -> None:
    images = torch.arange(2 * 2 * 64.0).view(2, 2, 1, 8, 8)
    draws = torch.zeros(2, recovery_views.DRAWS)
    draws[:, 5] = torch.tensor([0.0, 0.99])
    seen = partial(recovery_views.view, images, draws=draws, done=0.5)
    assert torch.equal(seen(Views(roll=0.25))[1], images[1].roll(2, 2))
    assert torch.equal(seen(Views(roll=0.25))[0], images[0])
    assert torch.equal(seen(Views(roll=0.0, flip=True)), images.flip(4))
    whole = Views(roll=0.0, crop=1.0)
    square = draws.clone()
    square[:, 1] = 0.5  # the ratio of the sides
    assert torch.allclose(recovery_views.view(images, whole, square, 0.0), images, atol=1e-4)
    curriculum = Views(crop=0.2, curriculum=True)
    assert [recovery_views.smallest(curriculum, done) for done in (0, 0.5, 1)] == pytest.approx([1.0, 0.6, 0.2])


def test_a_teacher_that_knows_nothing_is_refused(known: Teacher, real: Real) -> None:
    assert teacher.accuracy(known, real.validation) > 0.8
    assert "of the validation split" in teacher.examine(known, real)
    fresh = build(Network(width=4, norm="batch"), real.shape, real.classes)
    assert known.moments is not None
    swapped = replace(real, validation=replace(real.validation, labels=1 - real.validation.labels))
    for wrong, data in ((Teacher(Eager(fresh), torch.zeros(fresh.size), known.moments), real), (known, swapped)):
        with pytest.raises(teacher.TeacherAtChance, match=r"Raise teacher\.epochs"):
            teacher.examine(wrong, data)
