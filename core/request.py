"""A client's request: the values it may have, its canonical form and its fingerprint."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Self, final

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from core import methods
from core.durations import seconds_of
from core.feasibility import illegible, of_one_class, too_many_labels, uncuttable, unsolvable, untileable
from core.metadata import Metadata
from core.methods.automatic import WITHIN, candidates_own
from core.overrides import override
from core.recipe import (
    CScore,
    FieldError,
    Generated,
    Ranked,
    Recipe,
    RecipeError,
    Window,
    invalid_combination,
)
from core.recipe.checks.images import learns_step_size
from core.weight import bytes_of, ipc_within

if TYPE_CHECKING:
    from core.data import DatasetFacts

ENGINE_VERSION = "2"
"""Raised whenever the same request on the same data would give other numbers; part of every fingerprint.

Then `Later` marks of the recipes' fields have done their duty, and can go.
"""

MAX_SYNTHETIC_IMAGES = 200_000

MAX_WITHIN = 30 * 86_400
"""Longest time that may be asked for, in seconds."""


Ipc = Annotated[int, Field(ge=1, le=100_000, strict=True, description="Images per class in the synthetic set.")]

Ratio = Annotated[
    float,
    Field(
        gt=0,
        le=1,
        strict=True,
        allow_inf_nan=False,
        description="Instead of `ipc`: its share of the images of the smallest class that distillation may use.",
    ),
]


_LATER = frozenset({"within", "continue_from", "continues"})


class _Asked(BaseModel):
    """The fields that every request has: all but the one that says how small the set is to be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str = Field(min_length=1, max_length=200, description="Name of a dataset in GET /v1/datasets.")
    method: str = Field(
        default=methods.AUTO,
        min_length=1,
        max_length=100,
        description="Name of a method in GET /v1/methods; by default a search for the best one in the time there is.",
    )
    overrides: dict[str, JsonValue] = Field(
        default={},
        max_length=200,
        description='Fields of the method\'s recipe to change, by path: {"objective.syn_steps": 20}.',
    )
    seed: int = Field(default=0, ge=0, lt=2**63, strict=True, description="Seed of every random choice.")
    evaluation: dict[str, JsonValue] = Field(
        default={}, max_length=100, description='Fields of the recipe\'s evaluation to change: {"seeds": 10}.'
    )


@final
class JobRequest(_Asked):
    """A distillation job: which dataset, how small, by which method, within which time. Equal jobs are equal requests.

    A field that requests gained later is left out of the JSON where it says nothing, as it is of older requests.
    """

    ipc: Ipc
    within: int = Field(default=0, ge=0, le=MAX_WITHIN, description="Seconds that it may take; 0: any number.")
    continue_from: str = Field(default="", description="The job whose result it goes on from; empty: none.")
    continues: str = Field(default="", description="SHA-256 of that result's images, as they were submitted.")

    @property
    def fixed(self) -> frozenset[str]:
        """The paths of a recipe that the client has set, and nothing else changes."""
        return frozenset({*self.overrides, *(f"evaluation.{path}" for path in self.evaluation)})

    @model_serializer(mode="wrap")
    def _without_later(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = dump(self)
        return {name: value for name, value in found.items() if name not in _LATER or value}


SIZES = ("ipc", "ratio", "bytes")
"""The fields of an order that say how small the set is to be."""


@final
class JobOrder(_Asked):
    """A distillation job as a client asks for it: how small by `ipc`, by `ratio` or by `bytes`, one of them."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [size]} for size in SIZES]})

    # 0 stands for what was left out: nobody can ask for it. Null would be a third spelling of the same order.
    ipc: Ipc = Field(default_factory=int)
    ratio: Ratio = Field(default_factory=float)
    bytes: str = Field(
        default_factory=str,
        max_length=20,
        description="Instead of `ipc`: the bytes that the set may take, images and labels, as a plain bundle: "
        "'200 kB', '1.5 MB'.",
        examples=["200 kB"],
    )
    within: str = Field(
        default_factory=str,
        max_length=20,
        description="Time that the job may take on the worker that runs it, evaluation included: '90s', '20m', '1h'. "
        "The method's recipe is made smaller until it fits.",
        examples=["20m"],
    )
    metadata: Metadata = {}
    continue_from: str = Field(
        default_factory=str,
        max_length=100,
        description="A finished job of yours on the same dataset, by its id: this one begins with its images, with the "
        "labels and the step size that were learned with them, and with more images of its own init for a larger ipc.",
    )

    @model_validator(mode="after")
    def _time_is_said(self) -> Self:
        if "within" in self.model_fields_set:
            try:
                seconds = seconds_of(self.within)
            except ValueError as error:
                raise invalid_combination("within", str(error), "Write '20m' for twenty minutes.") from None
            if not 1 <= seconds <= MAX_WITHIN:
                told = f"{self.within} is no time that a job may take."
                raise invalid_combination("within", told, "Use a time of at least '1s' and at most '720h'.")
        return self

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        given = [size for size in SIZES if size in self.model_fields_set]
        if len(given) > 1:
            told = f"Both '{given[0]}' and '{given[1]}' say how small."
            raise invalid_combination(given[1], told, "Leave one of them out.")
        if not given:
            raise invalid_combination(
                "ipc",
                "Nothing says how small the set is to be.",
                "Add 'ipc', images per class, 'ratio', a share of the smallest class, or 'bytes' of the set.",
            )
        if self.bytes or "bytes" in given:
            try:
                bytes_of(self.bytes)
            except ValueError as error:
                raise invalid_combination("bytes", str(error), "Write '200 kB' for two hundred thousand.") from None
        return self


def settle(order: JobOrder, facts: DatasetFacts) -> JobRequest:
    """The request an order means on a dataset: `ratio` becomes the ipc it is there, rounded, and at least 1, and
    `bytes` the most that fits.

    All spellings are the same request from here on, with the same fingerprint and the same artifact. A dataset that is
    known but not on disk is counted as published.

    Raises:
        RecipeError: the bytes do not hold one image per class, or an override is wrong.
    """
    ipc = order.ipc or max(1, round(order.ratio * facts.smallest_class))
    if order.bytes:
        ipc = ipc_within(bytes_of(order.bytes), facts, lambda ipc: _recipe(order, ipc, facts))
    within = seconds_of(order.within) if order.within else WITHIN if order.method == methods.AUTO else 0
    asked = order.model_dump(exclude={"ratio", "bytes", "metadata"})
    return JobRequest.model_validate(asked | {"ipc": ipc, "within": within})


def resolve(request: JobRequest, facts: DatasetFacts) -> Recipe:
    """The complete recipe of a request on a dataset.

    Raises:
        methods.UnknownMethod: with the closest name.
        RecipeError: an override is unknown, out of range or meaningless, or the dataset is too small for the ipc.
    """
    if request.method == methods.AUTO and (own := candidates_own(request.overrides)):
        raise RecipeError(own)
    recipe = _recipe(request, request.ipc, facts)
    check(recipe, request, facts)
    return recipe


def _recipe(asked: _Asked, ipc: int, facts: DatasetFacts) -> Recipe:
    """The recipe of so many images per class, whether or not the dataset has them."""
    method = methods.method(asked.method)
    task = methods.Task(asked.dataset, ipc, facts.shape, facts.classes, facts.mirroring.allowed, facts.unequal)
    recipe = override(method.recipe(task), asked.overrides)
    return override(recipe, {f"evaluation.{path}": value for path, value in asked.evaluation.items()}, prefix="")


def needs_c_scores(recipe: Recipe) -> bool:
    """Whether images are ranked by the C-scores given beside the dataset."""
    return isinstance(recipe.init, Ranked | Window) and isinstance(recipe.init.score, CScore)


def scored(recipe: Recipe, digest: str) -> Recipe:
    """The recipe with the digest of the C-scores it ranks by, so that other scores are another request.

    Raises:
        RecipeError: it names others.
    """
    assert isinstance(recipe.init, Ranked | Window), "needs_c_scores says so"
    assert isinstance(recipe.init.score, CScore), "needs_c_scores says so"
    if recipe.init.score.digest not in (None, digest):
        raise RecipeError(
            [
                FieldError(
                    "overrides.init.score.digest",
                    f"The C-scores beside the dataset are others: {digest}.",
                    "Put the file back that this digest was taken of, or leave the digest out.",
                )
            ]
        )
    score = recipe.init.score.model_copy(update={"digest": digest})
    return recipe.model_copy(update={"init": recipe.init.model_copy(update={"score": score})})


def with_digests_of(recipe: Recipe, other: Recipe) -> Recipe:
    """Another recipe of the same request, with the digests that were filled in when it was submitted."""
    init = other.init
    if isinstance(recipe.init, Generated) and isinstance(init, Generated):
        init = init.model_copy(update={"digest": recipe.init.digest})
    elif needs_c_scores(recipe) and isinstance(recipe.init, Ranked | Window):
        init = init.model_copy(update={"score": recipe.init.score})
    return other.model_copy(update={"init": init})


def check(recipe: Recipe, request: JobRequest, facts: DatasetFacts) -> None:
    """Refuse what only the dataset can tell to be impossible.

    Raises:
        RecipeError: the dataset is too small, or its images are.
    """
    errors = [
        *(_too_many_images(recipe, request, facts) or _beyond_the_class(recipe, request, facts)),
        *untileable(recipe, facts),
        *illegible(recipe, facts),
        *(
            _too_few_for_stages(recipe, request)
            or [*_batch_too_large(recipe, request, facts), *_nothing_to_update(recipe, request)]
        ),
        *of_one_class(facts),
        *uncuttable(recipe, request.ipc, facts),
        *too_many_labels(recipe, request.ipc, facts),
        *unsolvable(recipe, request.ipc, facts),
    ]
    if errors:
        raise RecipeError(errors)


def canonical_json(value: Any) -> str:
    """One string per value: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def fingerprint(request: JobRequest, recipe: Recipe, digest: str) -> str:
    """Identity of a result: the same request on the same data with the same engine has the same fingerprint.

    Hardware is not part of it: the last bits of a float differ between devices. Of a request within a time it is the
    recipe before it was fitted, with the time: what fits is decided anew wherever a job runs, and who asks the same
    again is answered by the job that there is. A job that goes on from another is known by what it goes on from.
    """
    later = {name: value for name in ("within", "continues") if (value := getattr(request, name))}
    identity: Mapping[str, Any] = {
        "dataset": digest,
        "engine": ENGINE_VERSION,
        "ipc": request.ipc,
        "method": request.method,
        "recipe": recipe.identity(),
        "seed": request.seed,
        **later,
    }
    return "sha256:" + hashlib.sha256(canonical_json(identity).encode()).hexdigest()


def _too_many_images(recipe: Recipe, request: JobRequest, facts: DatasetFacts) -> list[FieldError]:
    each = recipe.parameterize.formation
    training, asked = request.ipc * each, f"{request.ipc}" if each == 1 else f"{request.ipc} x {each}"
    if training > facts.smallest_class:
        return [
            FieldError(
                "ipc",
                f"The smallest class of '{facts.label}' has {facts.smallest_class} training images, "
                f"fewer than {asked}.",
                f"Set ipc to at most {facts.smallest_class // each}."
                if each <= facts.smallest_class
                else "Set parameterize.kind to 'pixels'.",
            )
        ]
    if training * facts.classes > MAX_SYNTHETIC_IMAGES:
        most = MAX_SYNTHETIC_IMAGES // (facts.classes * each)
        return [
            FieldError(
                "ipc",
                f"{asked} x {facts.classes} classes exceed the {MAX_SYNTHETIC_IMAGES:,} images of one result.",
                f"Set ipc to at most {most}.",
            )
        ]
    return []


def _beyond_the_class(recipe: Recipe, request: JobRequest, facts: DatasetFacts) -> list[FieldError]:
    """A window that fits the smallest class fits every other: the larger one has no fewer images behind its start."""
    window, members = recipe.init, facts.smallest_class
    if not isinstance(window, Window) or window.beta == "auto":
        return []  # a sweep begins with the hardest images, and those are there
    first = window.first_rank(request.ipc, members)
    if first + request.ipc <= members:
        return []
    whole = members if window.of == "class" else request.ipc
    most = math.floor(1000 * (members - request.ipc) / whole) / 1000
    return [
        FieldError(
            "overrides.init.beta",
            f"A window of {request.ipc} images after the {first} hardest leaves the smallest class of "
            f"'{facts.label}', which has {members}.",
            f"Set init.beta to at most {most:g}, or lower ipc.",
        )
    ]


def _batch_too_large(recipe: Recipe, request: JobRequest, facts: DatasetFacts) -> list[FieldError]:
    stages, batch = recipe.schedule.stages, getattr(recipe.objective, "batch_size", None)
    images = stages.split(request.ipc)[0] * facts.classes * recipe.parameterize.formation
    of = " of the first stage" if stages.count > 1 else ""
    if batch is None or batch <= images:
        return []
    return [
        FieldError(
            "overrides.objective.batch_size",
            f"A student step of {batch} images exceeds the synthetic set{of} of {images}.",
            f"Set objective.batch_size to at most {images}, or to null.",
        )
    ]


def _too_few_for_stages(recipe: Recipe, request: JobRequest) -> list[FieldError]:
    count = recipe.schedule.stages.count
    if count <= request.ipc:
        return []
    return [
        FieldError(
            "overrides.schedule.stages.count",
            f"{request.ipc} image(s) per class are too few for {count} stages.",
            f"Set schedule.stages.count to at most {request.ipc}, or raise ipc.",
        )
    ]


def _nothing_to_update(recipe: Recipe, request: JobRequest) -> list[FieldError]:
    """A share of few images may be none of them."""
    parameterize, stages = recipe.parameterize, recipe.schedule.stages
    fewest = stages.split(request.ipc)[-1]
    if recipe.objective.keeps_images or parameterize.optimised(fewest) or learns_step_size(recipe):
        return []
    of = "a stage's " if stages.count > 1 else ""
    return [
        FieldError(
            "overrides.parameterize.update",
            f"{parameterize.update:g} of {of}{fewest} images per class are none, and no step size is learned either.",
            f"Set parameterize.update to at least {math.ceil(1000 / fewest) / 1000:g}, or raise ipc.",
        )
    ]
