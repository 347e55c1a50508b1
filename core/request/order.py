"""The fields of a request: as a client asks, and as it is stored."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from core import methods
from core.durations import seconds_of
from core.metadata import Metadata
from core.recipe import Share, invalid_combination
from core.request.target import Target
from core.weight import bytes_of

MAX_WITHIN = 30 * 86_400
"""Longest time that may be asked for, in seconds."""


MOST_IPC = 100_000
"""Most images per class that may be asked for."""

Ipc = Annotated[int, Field(ge=1, le=MOST_IPC, strict=True, description="Images per class in the synthetic set.")]

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


def _a_time(text: str) -> str:
    """The text, if it is a time that a job may take."""
    try:
        seconds = seconds_of(text)
    except ValueError as error:
        raise invalid_combination("within", str(error), "Write '20m' for twenty minutes.") from None
    if not 1 <= seconds <= MAX_WITHIN:
        told = f"{text} is no time that a job may take."
        raise invalid_combination("within", told, "Use a time of at least '1s' and at most '720h'.")
    return text


Within = Annotated[str, Field(max_length=20), AfterValidator(_a_time)]
"""A time that a job may take, as people write it."""


Labels = Literal["hard", "soft"]
"""One class an image; labels that may say more than a class, too."""

_LATER = frozenset({"within", "target", "labels", "continue_from", "continues"})


class Asked(BaseModel):
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
class JobRequest(Asked):
    """A distillation job: which dataset, how small, by which method, within which time. Equal jobs are equal requests.

    A field that requests gained later is left out of the JSON where it says nothing, as it is of older requests.
    """

    ipc: Ipc
    within: int = Field(default=0, ge=0, le=MAX_WITHIN, description="Seconds that it may take; 0: any number.")
    labels: Labels = Field(default="hard", description="The labels that a search may choose.")
    target: Target | None = Field(default=None, description="Of a job that looks for its size, from `ipc` on.")
    continue_from: str = Field(default="", description="The job whose result it goes on from; empty: none.")
    continues: str = Field(default="", description="SHA-256 of that result's images, as they were submitted.")

    @property
    def fixed(self) -> frozenset[str]:
        """The paths of a recipe that the client has set, and nothing else changes."""
        return frozenset({*self.overrides, *(f"evaluation.{path}" for path in self.evaluation)})

    @model_serializer(mode="wrap")
    def _without_later(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = dump(self)
        fields = type(self).model_fields
        return {name: value for name, value in found.items() if name not in _LATER or value != fields[name].default}


SIZES = ("ipc", "ratio", "bytes", "target")
"""The fields of an order that say how small the set is to be."""


@final
class JobOrder(Asked):
    """A distillation job as a client asks for it: how small by `ipc`, `ratio`, `bytes` or `target`, one of them."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [size]} for size in SIZES]})

    # 0 stands for what was left out: nobody can ask for it. Null would be a third spelling of the same order.
    ipc: Ipc = Field(default_factory=int)
    ratio: Ratio = Field(default_factory=float)
    bytes: str = Field(
        default_factory=str,
        max_length=20,
        description="Instead of `ipc`: the bytes that the set may take in its compact file, all included: "
        "'200 kB', '1.5 MB'. Fields of `storage` among the overrides say in how many bits, if you do.",
        examples=["200 kB"],
    )
    target: Target = Field(
        default_factory=Target.model_construct,
        description="Instead of `ipc`: what the set is to reach, of which the smallest one is looked for: '80%' is a "
        "test accuracy, 'gap:50%' a share of the gap between random images and the whole set. An accuracy beyond what "
        "the whole set is known to reach is refused.",
        examples=[{"accuracy": 0.8}, {"gap": 0.5}],
    )
    within: Within = Field(
        default_factory=str,
        description="Time that the job may take on the worker that runs it, evaluation included: '90s', '20m', '1h'. "
        "The method's recipe is made smaller until it fits. A search and a job with a target have twenty minutes if it "
        "is left out, any other job all the time it needs.",
        examples=["20m"],
    )
    labels: Labels = Field(
        default="hard",
        description="The labels that a search may choose: 'hard', one class an image, or 'soft', also a teacher's and "
        "the targets of a regression. A method that is named has labels of its own.",
    )
    share: Share = Field(
        default="equal",
        description="Images of each class: 'equal', as many of each, or 'proportional' to its training images, at "
        "least one. Then `ipc` is their mean, and `ratio` a share of all training images.",
    )
    metadata: Metadata = {}
    webhook: str = Field(
        default_factory=str,
        max_length=2000,
        description="A webhook of yours, by its id or its address, that is told when this job ends, whatever its own "
        "`events` are. An equal job of yours that is queued or running tells it, too; an answer that is there already "
        "is told by the answer itself.",
        examples=["hook_01KB7C0000000000000000000"],
    )
    priority: int = Field(
        default=0,
        ge=-100,
        le=100,
        strict=True,
        description="Place among your own queued jobs: of higher ones the first starts first. It changes nothing for "
        "the jobs of others, and nothing about the result. An equal job of yours that is still queued takes it if it "
        "is said; one that runs keeps its own.",
    )
    runs_on: Literal["any", "cpu", "gpu"] = Field(
        default="any",
        description="The workers that may run it: any, or those that compute on their processors or on a GPU alone. "
        "An equal job of yours that is still queued takes it if it is said; one that runs stays where it is.",
    )
    continue_from: str = Field(
        default_factory=str,
        min_length=1,
        max_length=100,
        description="A finished job of yours on the same dataset, by its id: this one begins with its images, with the "
        "labels and the step size that were learned with them, and with more images of its own init for a larger ipc. "
        "Method 'random' with a relabel and a teacher gives the same images other labels.",
    )

    @model_validator(mode="after")
    def _labels_are_searched_for(self) -> Self:
        if self.labels != "hard" and self.method != methods.AUTO:
            told = f"Only a search chooses labels; '{self.method}' has labels of its own."
            raise invalid_combination("labels", told, f"Leave labels out, or set method to '{methods.AUTO}'.")
        return self

    @field_validator("ipc", mode="before")
    @classmethod
    def _is_a_number(cls, ipc: object) -> object:
        if ipc == "proportional":
            expected = {"expected": "10, and beside it share: 'proportional'"}
            raise PydanticCustomError("a_share", "This is a number, the mean of the classes", expected)
        return ipc

    @model_validator(mode="after")
    def _one_share(self) -> Self:
        if self.share != "equal" and self.overrides.get("share", self.share) != self.share:
            told = f"The overrides say '{self.overrides['share']}'."
            raise invalid_combination("share", told, "Leave share out of the overrides.")
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
                "Add 'ipc', images per class, 'ratio', a share of the smallest class, 'bytes' of the set, or 'target', "
                "what it is to reach.",
            )
        if "target" in given and self.continue_from:
            told = "A job that goes on from another has at least its images, and a target looks for fewer."
            raise invalid_combination("target", told, "Leave out 'continue_from', or say 'ipc'.")
        if self.bytes or "bytes" in given:
            try:
                bytes_of(self.bytes)
            except ValueError as error:
                raise invalid_combination("bytes", str(error), "Write '200 kB' for two hundred thousand.") from None
        return self
