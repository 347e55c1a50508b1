"""The fields of an order that may be left out, said once for the SDK's calls and the command's options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Final, Literal, TypedDict

AUTO: Final = "auto"
"""The method that searches for one."""

SIZES: Final = ("ipc", "ratio", "bytes", "target")
"""The fields that say how small the set is to be."""

Sort = Literal["newest", "oldest", "accuracy", "ipc"]
"""The order of a list of jobs: by submission, either way; the most accurate first; the fewest images first."""


class Order(TypedDict, total=False):
    """How a job is ordered beside dataset and method; a field with a help text is an option of the command, too."""

    ipc: Annotated[int | None, "Synthetic images per class."]
    ratio: Annotated[float | None, "Instead of --ipc: its share of the smallest class's training images."]
    bytes: Annotated[str | None, "Instead of --ipc: the bytes that the set may take, images and labels: 200kB, 1.5MB."]
    target: Annotated[str | None, "Instead of --ipc: what the smallest set is to reach: 80%, or gap:50% of the gap."]
    within: Annotated[str | None, "Time that the job may take where it runs: 90s, 20m, 1h; its recipe is fitted to it."]
    labels: Annotated[
        Literal["hard", "soft"] | None,
        "What a search may choose: one class an image (hard, the default), or soft labels, too.",
    ]
    share: Annotated[
        Literal["equal", "proportional"] | None,
        "As many images of each class (equal, the default), or in proportion to its training images.",
    ]
    continue_from: Annotated[str | None, "A finished job on the same dataset, with whose images this one begins."]
    webhook: Annotated[str | None, "A webhook of yours, by id or address, that is told when this job ends."]
    priority: Annotated[int | None, "Place among your own queued jobs: higher ones start first; 0 if left out."]
    runs_on: Annotated[
        Literal["any", "cpu", "gpu"] | None,
        "The workers that may run it: any (the default), or those with a GPU, or without.",
    ]
    seed: Annotated[int | None, "Seed of every random choice; 0 if left out."]
    overrides: Mapping[str, Any] | None
    evaluation: Mapping[str, Any] | None
    metadata: Mapping[str, str] | None
    extra: Mapping[str, Any] | None
    """Fields that only a newer service knows, by name."""


def body(dataset: str, method: str, order: Order, *beside: str) -> dict[str, Any]:
    """The order as the service takes it: what is None is left out.

    Args:
        beside: names of the other arguments of the call.

    Raises:
        TypeError: an argument has no such name; the message says the nearest.
    """
    return {"dataset": dataset, "method": method, **fields(order, Order.__annotations__, "method", *beside)}


def fields(given: Mapping[str, Any], known: Iterable[str], *beside: str) -> dict[str, Any]:
    """The arguments that say something, by name, and with them the fields that `extra` holds, whatever they are.

    Raises:
        TypeError: an argument is neither `known` nor one of those `beside`, which the call takes itself.
    """
    names = [*known, *beside]
    for name in given:
        if name not in names:
            near = get_close_matches(name, names, 1, 0.5)
            fix = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(sorted(names))}."
            newer = f"A field that only a newer service knows is sent by extra={{{name!r}: ...}}."
            raise TypeError(f"There is no argument {name!r}. {fix} {newer}")
    said = {name: value for name, value in given.items() if value is not None}
    return said | dict(said.pop("extra", {}))
