"""The fields of an order that may be left out, said once for the SDK's calls and the command's options."""

from __future__ import annotations

from collections.abc import Mapping
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
    within: Annotated[str | None, "Time that the job may take where it runs: 90s, 20m, 1h; its recipe is fitted to it."]
    continue_from: Annotated[str | None, "A finished job on the same dataset, with whose images this one begins."]
    seed: Annotated[int | None, "Seed of every random choice; 0 if left out."]
    overrides: Mapping[str, Any] | None
    evaluation: Mapping[str, Any] | None
    metadata: Mapping[str, str] | None


def body(dataset: str, method: str, order: Order) -> dict[str, Any]:
    """The order as the service takes it: what is None is left out."""
    given = {name: value for name, value in order.items() if value is not None}
    return {"dataset": dataset, "method": method, **given}
