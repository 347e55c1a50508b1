"""Everything that can be said: the cross product of the recipe vocabulary, read off the vocabulary itself.

A kind or a variant that the vocabulary gains is in the product without being named here.
"""

from __future__ import annotations

import itertools
import random
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from core.architectures import reads
from core.overrides import explain
from core.recipe import (
    AlexNet,
    Architecture,
    Component,
    Crops,
    FieldError,
    Generative,
    KeepLabels,
    LabelledViews,
    Mlp,
    Network,
    NoObjective,
    Paired,
    Recipe,
    Schedule,
    SoftLabels,
    Stages,
    Statistics,
    Trajectory,
)
from core.suited import reads_kind

SMALLEST: Mapping[str, Any] = {
    "networks": 1,
    "epochs": 2,
    "count": 2,
    "syn_steps": 2,
    "expert_epochs": 1,
    "max_start_epoch": 2,
    "real_batch": 20,
    "outer_loops": 2,
    "start": 1,
    "iterations": 2,
    "steps": 2,
    "width": 4,
    "batch_size": 64,
    "seeds": 1,
    "tasks": 1,
    "inner_steps": 1,
    "lifetime": 2,
}
"""The smallest budget that still does something, for each field of that name that is a number."""

TRIED: Mapping[tuple[str, str], tuple[Any, ...]] = {
    ("pixels", "update"): (1.0, 0.5, 0.0),
    ("trajectory", "batch_size"): (None, 2),
    ("performance", "batch_size"): (None, 2),
    ("performance", "window"): (None, 1),
    ("UVit", "depth"): (3,),
    ("UVit", "heads"): (2,),
    ("generative", "guidance"): (0.4, 0.0),
    ("generative", "sampler_steps"): (2,),
    ("generative", "candidates"): (1, 2),
    ("generative", "publish"): (True, False),
    ("gradient", "syn_batch"): (None, 1),
    ("gradient", "inner_images"): (None, 16),
    ("Experts", "epochs"): (2, 3),
    ("Teacher", "network"): (  # what learns the toy, whitened too
        Network(width=4, norm="batch"),
        Network(width=4, norm="instance"),
        AlexNet(width=8, norm="batch"),
    ),
    ("Teacher", "epochs"): (20,),
    ("Teacher", "batch_size"): (8,),
    ("crops", "candidates"): (5,),
    ("crops", "crops"): (2,),
    ("crops", "factor"): (1, 2),
    ("views", "keep"): (1.0, 0.5),
    ("views", "top_k"): (None, 1),
    ("paired", "depth"): (1.0, 0.5),
    ("two_layer", "width"): (8,),
    ("Views", "crop"): (None, 0.5),
    ("Adjustment", "rho"): (None, 0.1),
    ("Augment", "transforms"): (("color", "crop", "cutout", "flip", "scale", "rotate"), ()),
    ("Evaluation", "lr"): (0.01, None),
    ("Evaluation", "epochs"): (1,),
    ("Evaluation", "look_every"): (None, 1),
    ("Evaluation", "full"): (None,),
    ("Evaluation", "across"): ((), (Mlp(width=3),)),
    ("Schedule", "steps"): (0, 2),
    ("Schedule", "image_lr"): (0.01,),
    ("Schedule", "ema"): (None, 0.5),
    ("Schedule", "stages"): (Stages(), Stages(count=2, epochs=2, networks=1)),
}
"""Numbers of which more than one is tried, by kind and field."""

SLOTS = ("objective", "init", "parameterize", "labels", "sdc", "schedule")
"""Slots whose choices are multiplied with each other."""

DRAWN = ("experts", "relabel", "teacher", "evaluation", "preprocess", "network", "augment", "rounds")
"""Slots whose choices are drawn for each combination: what little they forbid is forbidden often enough."""

DETAILS = {
    "labels.features",
    "init.meta.kind",
    "objective.batch_size",
    "objective.syn_batch",
    "objective.inner_images",
    "objective.distance",
    "objective.statistics",
    "objective.depth",
    "schedule.blend.kind",
    "objective.group",
    "objective.adjust.kind",
    "objective.views.kind",
    "init.factor",
    "schedule.decay",
    "relabel.bits",
    "relabel.top_k",
    "relabel.mix",
    "objective.guidance",
    "objective.publish",
    "objective.autoencoder.factor",
    "objective.growth.kind",
    "init.score.kind",
    "rounds.score.kind",
    "init.of",
    "sdc.schedule",
    "schedule.optimiser",
    "schedule.stages.count",
}
"""Choices within the others that are drawn as well: no other part asks for them."""

Choice = tuple[str, Any]


@dataclass(frozen=True)
class Variant:
    """A part, and what was chosen in it, by path."""

    part: Component | None
    choices: tuple[Choice, ...]


@dataclass(frozen=True, eq=False)
class Combination:
    """A recipe's parts by name, and every choice among them."""

    parts: Mapping[str, Any]
    choices: tuple[Choice, ...]

    def recipe(self) -> Recipe | FieldError:
        """The recipe, or the refusal."""
        try:
            return Recipe.model_validate(self.parts)
        except ValidationError as error:
            (detail,) = error.errors()
            assert detail["type"] == "meaningless", detail
            return explain(detail, Recipe, "")

    def changed(self, path: str, value: Any) -> Combination:
        """With the field of a path set; setting a kind begins its part anew."""
        slot, *below = path.split(".")
        if below:
            part = self.parts[slot]
            content = {} if part is None or below == ["kind"] else _content(part)
            inner = content
            for name in below[:-1]:
                inner = inner[name]
            inner[below[-1]] = value
            value = content
        return Combination({**self.parts, slot: value}, ())

    def __str__(self) -> str:
        return ", ".join(f"{path}={value}" for path, value in self.choices)


def parts_in(annotation: Any) -> list[type[Component]]:
    """The parts that may stand where something is annotated so."""
    if isinstance(annotation, type):
        return [annotation] if issubclass(annotation, Component) else []
    return [part for argument in typing.get_args(annotation) for part in parts_in(argument)]


def variants(kind: type[Component], prefix: str) -> list[Variant]:
    """A part with every combination of its choices that its own validators allow."""
    name = str(kind.model_fields["kind"].default) if "kind" in kind.model_fields else kind.__name__
    axes = [[(field, value, below) for value, below in _values(name, field, kind)] for field in kind.model_fields]
    found = []
    for chosen in itertools.product(*(axis for axis in axes if axis)):
        try:
            part = kind.model_validate({field: value for field, value, _ in chosen})
        except ValidationError as error:
            if any(detail["type"] != "meaningless" for detail in error.errors()):
                raise
            continue
        many = {axis[0][0] for axis in axes if len(axis) > 1}
        own = [
            (f"{prefix}.{f}", v) for f, v, below in chosen if f in many and not below and not isinstance(v, Component)
        ]
        inner = [(f"{prefix}.{f}.{path}", v) for f, _, below in chosen for path, v in below]
        kinds = [(f"{prefix}.kind", name)] if "kind" in kind.model_fields else [(prefix, "on")]
        found.append(Variant(part, (*kinds, *own, *inner)))
    return found


def _values(name: str, field: str, kind: type[Component]) -> Iterator[tuple[Any, tuple[Choice, ...]]]:
    """The values that are tried of a field, with the choices made inside of each."""
    info = kind.model_fields[field]
    below, optional = parts_in(info.annotation), type(None) in typing.get_args(info.annotation)
    if field == "kind":
        return
    if (name, field) in TRIED:
        for value in TRIED[name, field]:
            yield value, (("count", value.count),) if isinstance(value, Stages) else ()
    elif below:
        if optional:
            yield None, (("kind", None),)
        for part in below:
            for variant in filter(legible, variants(part, "")):
                yield variant.part, (("kind", part.__name__),)
    elif typing.get_origin(info.annotation) is Literal:
        yield from ((value, ()) for value in typing.get_args(info.annotation))
    elif field in SMALLEST and not optional:
        yield SMALLEST[field], ()
    else:
        yield info.default, ()
        if isinstance(info.annotation, types.UnionType):
            words = [a for a in typing.get_args(info.annotation) if typing.get_origin(a) is Literal]
            yield from ((value, ()) for word in words for value in typing.get_args(word))


def variants_of(slot: str) -> list[Variant]:
    """The values that a field of the recipe may have."""
    info = Recipe.model_fields[slot]
    found = [variant for part in parts_in(info.annotation) for variant in variants(part, slot) if legible(variant)]
    return [*found, Variant(None, ((slot, "none"),))] if type(None) in typing.get_args(info.annotation) else found


def legible(variant: Variant) -> bool:
    """Whether it is no network for other data than pictures, nor one that 8x8 pixels are too few for."""
    part = variant.part
    if not isinstance(part, typing.get_args(typing.get_args(Architecture)[0])):
        return True
    return reads(part, (1, 8, 8)) and reads_kind(part, "pictures")


def _pools(slot: str) -> list[list[Variant]]:
    """The variants of a slot, together those that differ in details only."""
    pools: dict[Any, list[Variant]] = {}
    for variant in variants_of(slot):
        telling = [choice for choice in variant.choices if choice[0] not in DETAILS]
        pools.setdefault(tuple(telling), []).append(variant)
    return list(pools.values())


def said() -> Iterator[tuple[Combination, Recipe | FieldError]]:
    """The cross product with what comes of each, in an order that is always the same.

    Experts, outer steps and a teacher are there where they are wanted: the rest would be refused for that alone. So few
    are left without an objective, or with pairs of images, that what is drawn for those is drawn again if nothing else
    was refused.
    """
    draw, apart, drawn = random.Random(0), random.Random(1), {slot: variants_of(slot) for slot in DRAWN}
    pools_of = {slot: _pools(slot) for slot in SLOTS}
    without = [variant for variant in drawn["experts"] if variant.part is None]
    trained = [variant for variant in drawn["experts"] if variant.part is not None]
    (kept,) = (variant for variant in drawn["relabel"] if isinstance(variant.part, KeepLabels))
    drawn["relabel"] += [kept] * (3 * len(drawn["relabel"]))  # or learned labels would be refused too often
    (alone,) = (variant for variant in drawn["rounds"] if variant.part is None)
    drawn["rounds"] += [alone] * (4 * len(drawn["rounds"]))  # most objectives have labels or images that forbid them
    everything = itertools.chain(*drawn.values(), *(pool for pools in pools_of.values() for pool in pools))
    asking = {id(v) for v in everything if isinstance(v.part, Statistics | Paired | Crops | SoftLabels | LabelledViews)}
    (untaught,) = (variant for variant in drawn["teacher"] if variant.part is None)
    taught = [variant for variant in drawn["teacher"] if variant.part is not None]
    for pools in itertools.product(*pools_of.values()):
        picked = dict(zip(SLOTS, map(draw.choice, pools), strict=True))
        kind, schedule = picked["objective"].part, picked["schedule"].part
        assert isinstance(schedule, Schedule)
        if (schedule.steps == 0) != isinstance(kind, NoObjective | Generative):
            continue
        drawn["experts"] = trained if isinstance(kind, Trajectory) else without
        for _ in range(50 if isinstance(kind, NoObjective | Generative | Paired) else 1):
            whole = picked | {slot: (apart if slot == "rounds" else draw).choice(drawn[slot]) for slot in DRAWN}
            if asking.isdisjoint(map(id, whole.values())):
                whole["teacher"] = untaught
            elif whole["teacher"].part is None:
                whole["teacher"] = draw.choice(taught)
            combination = Combination(
                {slot: variant.part for slot, variant in whole.items()},
                tuple(itertools.chain.from_iterable(variant.choices for variant in whole.values())),
            )
            found = combination.recipe()
            yield combination, found
            if isinstance(found, Recipe) or found.field.partition(".")[0] not in DRAWN:
                break


def pairwise(rows: list[Combination]) -> list[Combination]:
    """A few of the combinations in which any two choices meet that meet in one of all: greedily, rarest pairs first."""
    number = {choice: i for i, choice in enumerate(dict.fromkeys(c for row in rows for c in row.choices))}
    width = max(len(row.choices) for row in rows)
    none = len(number)
    chosen = np.full((len(rows), width), none)
    for i, row in enumerate(rows):
        chosen[i, : len(row.choices)] = [number[c] for c in row.choices]
    first, second = np.triu_indices(width, 1)
    pairs = chosen[:, first] * (none + 1) + chosen[:, second]
    waiting = np.ones((none + 1) ** 2, dtype=bool)
    waiting[none :: none + 1] = False  # pairs with no choice
    waiting[none * (none + 1) :] = False
    order = np.argsort(pairs, axis=None, kind="stable")
    known, starts, counts = np.unique(pairs.ravel()[order], return_index=True, return_counts=True)
    taken = []
    for place in np.argsort(counts, kind="stable"):
        if not waiting[known[place]]:
            continue
        holders = _some(order[starts[place] : starts[place] + counts[place]] // len(first))
        best = holders[int(waiting[pairs[holders]].sum(1).argmax())]
        waiting[pairs[best]] = False
        taken.append(rows[best])
    return taken


def _some(rows: NDArray[Any]) -> NDArray[Any]:
    """At most 500, evenly."""
    return rows[:: -(-len(rows) // 500)]


def _content(part: Component | dict[str, Any]) -> dict[str, Any]:
    return part.model_dump() if isinstance(part, Component) else dict(part)
