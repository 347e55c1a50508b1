"""One round of real images: their order for a network that learned from the set so far, and the first of them taken."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from core.engine import init
from core.engine.evaluate import Trained, answers
from core.engine.kernels import Kernels
from core.engine.keys import Key
from core.engine.real import Labelled, Real
from core.engine.state import State
from core.plan import limits
from core.recipe import Counts, Recipe


def sureness(kernels: Kernels, trained: Trained, data: Labelled) -> Tensor:
    """The probability of its class that a network gives each image, [n]; minus one where it names another class."""
    said = answers(kernels, trained, data).softmax(1)
    own = said.gather(1, data.labels[:, None])[:, 0]
    return own.where(said.argmax(1) == data.labels, -1.0)


def order(sure: Tensor, hardness: Tensor, trusted: Tensor, key: Key) -> Tensor:
    """The place of each image, [n], among those to be taken: the lower, the sooner.

    First those that the network gets wrong, the simplest first; then those that it gets right, the least sure first;
    at last those that a teacher gets wrong. Chen, Chen, Zhang, Guan & Nie, "Curriculum Coarse-to-Fine Selection for
    High-IPC Dataset Distillation", CVPR 2025, which takes fewer images where not enough are wrong.

    Args:
        sure: as `sureness` has it, [n].
        hardness: [n]; the higher, the harder.
        trusted: whether the teacher is right about an image, bool [n].
        key: draws the order of images that are equally hard.
    """
    wrong = sure < 0
    drawn = key.permutation(len(sure)).to(sure.device)
    for value in (hardness.where(wrong, sure), (~wrong).float(), (~trusted).float()):  # sorts that are stable
        drawn = drawn[value[drawn].argsort(stable=True)]
    places = torch.empty_like(drawn)
    places[drawn] = torch.arange(len(drawn), device=drawn.device)
    return places


def filled(recipe: Recipe, state: State, real: Real, counts: Counts, places: Tensor, until: int) -> State:
    """The state after the round `until`: the images of the rounds since are real ones, those of the lowest places.

    `places` are of training images, [n]. None is taken that equals an image of its class in the set, as long as others
    are left.
    """
    images, begins = state.result.images.clone(), 0
    rounds_of = init.rounds(recipe, counts)
    for members, count in zip(real.members, counts, strict=True):
        own = torch.arange(begins, begins + count)
        blank = own[(rounds_of[own] > state.rounds) & (rounds_of[own] <= until)]
        shown = {row.tobytes() for row in images[own[rounds_of[own] <= state.rounds]].flatten(1).cpu().numpy()}
        ranked = members[places[members].argsort(stable=True)]
        equal = torch.zeros(len(ranked), dtype=torch.bool)
        for first in range(0, len(ranked), limits.TESTED):
            rows = real.train.take(ranked[first : first + limits.TESTED]).flatten(1).cpu().numpy()
            equal[first : first + limits.TESTED] = torch.tensor([row.tobytes() in shown for row in rows])
        others_first = ranked[equal.to(ranked.device).float().argsort(stable=True)]
        images[blank] = real.train.take(others_first[: len(blank)])
        begins += count
    leaves = replace(state.result, images=images)
    return replace(state, leaves=leaves, good=leaves, average=state.average and leaves, rounds=until)
