"""Initial synthetic images, class by class: of each as many as the counts say, which the whole engine goes by."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from core.engine import ridge, selection
from core.engine.crops import recognised
from core.engine.expert_predictions import Judges, correct
from core.engine.keys import Key
from core.engine.parameterize import assemble
from core.engine.real import Real
from core.engine.teacher import Teacher
from core.plan import limits
from core.recipe import (
    BetaDraw,
    Correct,
    Counts,
    Crops,
    Generated,
    Herding,
    Init,
    KCenter,
    KMeans,
    Mixed,
    Noise,
    Pixels,
    Ranked,
    Recipe,
    Spanning,
    Stages,
    Tiles,
    Window,
)
from core.recipe import Real as RealInit
from core.recipe import share as shares

_PIXELS, _ONE = Pixels(), Stages()

Learned = Callable[[Tensor], Tensor]
"""A function learned before anything is distilled: training images [n] to difficulty [n] or features [n, d].

For a draw by a Beta density to both difficulty and ease, [n, 2].

For a generator: images [n, C, H, W] to the images that it makes of them.
"""

Selecting = Herding | KCenter | KMeans | Ranked | BetaDraw | Window
"""Starts that choose real images by it."""


def images(
    init: Init,
    real: Real,
    counts: Counts,
    key: Key,
    learned: Learned | None = None,
    judges: Judges | None = None,
    parameterize: Pixels | Tiles = _PIXELS,
    teacher: Teacher | None = None,
) -> Tensor:
    """[sum(counts), C, H, W] as they are stored, in the preprocessed space, on the device of the real data.

    `learned` is asked for each class in turn; random images and noise need none. Within their class ranked images and
    those of a window lie easiest first, herded ones and k centers in the order in which they were added: what is
    optimised if only a share of each class is (`recipe.Pixels.update`) are the first.
    """
    match init:
        case Correct():
            assert judges is not None, "a recipe that starts from what experts get right has experts"
            return real.train.take(correct(judges, real, counts, key))
        case RealInit():
            return real.train.take(chosen(real, counts, key))
        case Mixed() | Crops():
            factor = init.factor if isinstance(init, Crops) else parameterize.factor
            several = parts(init, real, counts, key, parameterize, teacher)
            return several if factor == 1 else assemble(several, factor)
        case Generated():
            assert learned is not None, "a recipe that begins with these images has a generator"
            return learned(given(init, real, real.members, counts, [key.fold(c) for c in range(real.classes)]))
        case Spanning(ridge=penalty):
            start = real.train.take(chosen(real, counts, key))
            known = ridge.classifier(ridge.pairs(ridge.PIXELS, real.train, real.classes), penalty)
            return ridge.spanning(ridge.PIXELS(start), known).float().view_as(start)
        case Noise(std=std):
            return (key.normal(sum(counts), *real.shape) * std).to(real.device)
        case _:
            assert learned is not None, "a recipe that begins with these images has learned what they are chosen by"
            return real.train.take(selected(init, real, counts, key, learned))


def parts(
    init: Mixed | Crops, real: Real, counts: Counts, key: Key, parameterize: Pixels | Tiles, teacher: Teacher | None
) -> Tensor:
    """The real images, or parts of them, that go into the tiles of stored ones, in their order and at full size."""
    if isinstance(init, Mixed):
        return real.train.take(chosen(real, decoded(parameterize, counts), key))
    assert teacher is not None, "a recipe that starts from what a teacher recognises has one"
    return recognised(init, teacher, real, counts, key)


def anchors(recipe: Recipe, real: Real, counts: Counts, key: Key, teacher: Teacher | None) -> Tensor | None:
    """The real images behind the tiles of stored ones, where training images are compared with them."""
    if not recipe.objective.pairs_images:
        return None
    assert isinstance(recipe.init, Crops | Mixed), "images that are paired are made of real ones"
    return parts(recipe.init, real, counts, key, recipe.parameterize, teacher)


def counts_of(recipe: Recipe, real: Real, ipc: int) -> Counts:
    """The stored images of each class, ipc in the mean."""
    return shares.counts(recipe.share, ipc, list(map(len, real.members)))


def decoded(parameterize: Pixels | Tiles, counts: Counts) -> Counts:
    """The training images of each class that so many stored ones stand for."""
    return tuple(count * parameterize.formation for count in counts)


def chosen(real: Real, counts: Counts, key: Key) -> Tensor:
    """Training indices of a random subset with so many images of each class, [sum(counts)]."""
    picks = [
        members[key.fold(c).permutation(len(members))[:count].to(members.device)]
        for c, (members, count) in enumerate(zip(real.members, counts, strict=True))
    ]
    return torch.cat(picks)


def given(init: Generated, real: Real, members: Sequence[Tensor], counts: Counts, keys: Sequence[Key]) -> Tensor:
    """Images [sum(counts), C, H, W] that a generator is given, so many of each class, drawn by its key from `members`.

    Means are of clusters by k-means on the pixels of `limits.CLUSTERED` images of a class at most, or as many more as
    many clusters need: all of them would move the means little, and an answer is promised in seconds.
    """
    orders = [own[key.permutation(len(own)).to(own.device)] for own, key in zip(members, keys, strict=True)]
    if init.given == "images":
        return real.train.take(torch.cat([order[:count] for order, count in zip(orders, counts, strict=True)]))
    means = []
    for order, count, key in zip(orders, counts, keys, strict=True):
        part = real.train.take(order[: max(limits.CLUSTERED, limits.CLUSTERED_EACH * count)]).flatten(1)
        means.append(selection.centroids(part, count, limits.LLOYD, key.fold("means")))
    return torch.cat(means).view(-1, *real.shape)


def selected(init: Selecting, real: Real, counts: Counts, key: Key, learned: Learned) -> Tensor:
    """Training indices of the images chosen by what was learned of them, in the order of `images`, [sum(counts)]."""
    picks = [
        members[_pick(init, learned(members), count, key.fold(c))]
        for c, (members, count) in enumerate(zip(real.members, counts, strict=True))
    ]
    return torch.cat(picks)


def frozen(parameterize: Pixels | Tiles, counts: Counts, stages: Stages = _ONE) -> Tensor:
    """Which images stay as they begin, bool [sum(counts)] on the CPU: in each class those after the optimised ones.

    Of stages the share of each is optimised.
    """
    sizes = [size for count in counts for size in stages.split(count)]
    return torch.cat([torch.arange(size) >= parameterize.optimised(size) for size in sizes])


def stages(recipe: Recipe, counts: Counts) -> Tensor:
    """The stage of each stored image, int64 [sum(counts)] on the CPU; of each class the first come first."""
    sizes = torch.tensor([recipe.schedule.stages.split(count) for count in counts])
    return torch.arange(sizes.shape[1]).repeat(len(counts)).repeat_interleave(sizes.flatten())


def made(recipe: Recipe, counts: Counts) -> Counts:
    """The images of each class that the recipe makes itself: all, or what rounds of real images leave to it."""
    return counts if recipe.rounds is None else tuple(map(recipe.rounds.made, counts))


def rounds(recipe: Recipe, counts: Counts) -> Tensor:
    """The round that takes each image, int64 [sum(counts)] on the CPU; 0 of those that the recipe makes itself."""
    if recipe.rounds is None:
        return torch.zeros(sum(counts), dtype=torch.int64)
    sizes = torch.tensor([recipe.rounds.sizes(count) for count in counts])
    return torch.arange(sizes.shape[1]).repeat(len(counts)).repeat_interleave(sizes.flatten())


def with_blanks(recipe: Recipe, counts: Counts, images: Tensor) -> Tensor:
    """The images that the recipe makes, [m, ...], among blank ones for those that rounds take, [sum(counts), ...]."""
    if recipe.rounds is None:
        return images
    whole = images.new_zeros(sum(counts), *images.shape[1:])
    whole[(rounds(recipe, counts) == 0).to(images.device)] = images
    return whole


def untouched(recipe: Recipe, real: Real, counts: Counts) -> Tensor:
    """Which images of a result are real ones that nothing has changed, bool [n]; `counts` are of stored ones."""
    if recipe.rounds is not None:
        alone, taken = recipe.model_copy(update={"rounds": None}), (rounds(recipe, counts) > 0).to(real.device)
        return taken.masked_scatter(~taken, untouched(alone, real, made(recipe, counts)))
    n = sum(decoded(recipe.parameterize, counts))
    if recipe.init.alters_images:
        return torch.zeros(n, dtype=torch.bool, device=real.device)
    if recipe.objective.keeps_images:
        return torch.ones(n, dtype=torch.bool, device=real.device)
    return frozen(recipe.parameterize, decoded(recipe.parameterize, counts), recipe.schedule.stages).to(real.device)


def classes(real: Real, counts: Counts) -> Tensor:
    """Class index of each synthetic image, int64 [sum(counts)]."""
    return torch.arange(real.classes, device=real.device).repeat_interleave(torch.tensor(counts, device=real.device))


def _pick(init: Selecting, learned: Tensor, ipc: int, key: Key) -> Tensor:
    match init:
        case Herding():
            return selection.herding(learned, ipc)
        case KCenter():
            return selection.k_center(learned, ipc, key)
        case KMeans(iterations=iterations):
            return selection.k_means(learned, ipc, iterations, key)
        case Ranked():
            return selection.window(learned, 0, ipc, key)
        case BetaDraw(concentration=concentration, exponent=exponent):
            return selection.beta_draw(learned[:, 0], learned[:, 1], ipc, concentration, exponent, key)
        case Window():
            return selection.window(learned, init.first_rank(ipc, len(learned)), ipc, key)
