"""Labels by a teacher: one for each image, or one for each of the views that students will be shown."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from core.engine import compact
from core.engine.context import JobContext, follow
from core.engine.keys import Key
from core.engine.synthetic import SyntheticDataset
from core.engine.teacher import Teacher
from core.engine.view_labels import ViewLabels, packed, topmost
from core.plan import limits
from core.recipe import Augment, Evaluation, KeepLabels, LabelledViews, SoftLabels

_REACH = 0.125  # of the side, in whole pixels, as augmentation's own crop has it


def labelled(context: JobContext, known: Teacher, result: SyntheticDataset, key: Key) -> SyntheticDataset:
    """The same images with a teacher's labels."""
    recipe = context.recipe
    match recipe.relabel:
        case SoftLabels() as choice:
            labels = compact.labels(recipe.storage, soft(choice, known, result.images))
            return replace(result, soft_labels=labels, temperature=choice.temperature)
        case LabelledViews() as choice:
            work = views(choice, known, result.images, recipe.evaluation, recipe.augment, key)
            return replace(result, views=follow(context, work), temperature=choice.temperature)
        case KeepLabels():
            return result


def soft(relabel: SoftLabels, teacher: Teacher, images: Tensor) -> Tensor:
    """The teacher's probabilities [n, K] of the images as they are, at the recipe's temperature."""
    return (teacher.logits(images) / relabel.temperature).softmax(1)


def views(
    relabel: LabelledViews, teacher: Teacher, images: Tensor, evaluation: Evaluation, augment: Augment, key: Key
) -> Generator[float, None, ViewLabels]:
    """Labels of the views a student will be shown in the evaluation's epochs; yields the share that is done.

    A record draws from its own key, so that a smaller share of them is the beginning of a larger one.
    """
    records, size = relabel.stored(len(images), evaluation.epochs, evaluation.batch_size)
    blank = _drawn(relabel, images, records, size, augment, key)
    at_once, logits, own = max(1, limits.TESTED // size), list[Tensor](), relabel.own(teacher.network.classes)
    top = list[Tensor]()
    for first in range(0, records, at_once):
        seen = [blank.view(record, images) for record in range(first, min(first + at_once, records))]
        said = teacher.logits(torch.cat(seen)).view(len(seen), size, -1).cpu()
        if own is not None:
            said, among = topmost(said, own, relabel.temperature)
            top.append(among)
        logits.append(said)
        yield min(first + at_once, records) / records
    stored, span = packed(torch.cat(logits), relabel.bits)
    places = torch.cat(top) if top else None
    return replace(blank, logits=stored, range=span, top=places, classes=teacher.network.classes)


def _drawn(relabel: LabelledViews, images: Tensor, records: int, size: int, augment: Augment, key: Key) -> ViewLabels:
    """The records without their labels: the orders of as many epochs as it takes, end to end, and the views."""
    n, sides = len(images), images.shape[2:]
    epochs = -(-records * size // n)
    order = torch.cat([key.fold("order", epoch).permutation(n) for epoch in range(epochs)])
    index = order[: records * size].view(records, size)
    reach = [int(side * _REACH + 0.5) if "crop" in augment.transforms else 0 for side in sides]
    shift = torch.zeros(records, size, 2, dtype=torch.int8)
    mirror = torch.zeros(records, size, dtype=torch.bool)
    share, box = torch.ones(records), torch.zeros(records, 4, dtype=torch.int16)
    for record in range(records):
        own = key.fold("view", record)
        u = own.uniform(3, size)
        for axis in (0, 1):
            most = 2 * reach[axis] + 1
            shift[record, :, axis] = ((u[axis] * most).long().clamp(max=most - 1) - reach[axis]).to(torch.int8)
        if "flip" in augment.transforms:
            mirror[record] = u[2] < 0.5
        if relabel.mix != "none":
            mixed = own.fold("mix")
            share[record] = float(np.random.default_rng(mixed.value).beta(relabel.alpha, relabel.alpha))
            box[record] = _box(float(share[record]), sides[0], sides[1], mixed.fold("place"))
    return ViewLabels(
        index=index,
        shift=shift,
        mirror=mirror,
        share=share,
        box=box,
        logits=torch.zeros(0),
        range=None,
        top=None,
        classes=0,
        temperature=relabel.temperature,
        mix=relabel.mix,
        bits=relabel.bits,
        pool=relabel.keep < 1,
    )


def _box(share: float, height: int, width: int, key: Key) -> Tensor:
    """Top, bottom, left and right of a box with the rest of the area, centred anywhere and cut at the edges."""
    centre, scale = key.uniform(2).tolist(), (1 - share) ** 0.5
    ends = []
    for side, middle in zip((height, width), centre, strict=True):
        half, at = scale * side / 2, middle * side
        ends += [max(0, round(at - half)), min(side, round(at + half))]
    return torch.tensor(ends, dtype=torch.int16)
