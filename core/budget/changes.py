"""The changes that make a recipe cheaper, each as data, and a recipe with some of them made.

None makes anything dearer, or touches a field that the client has set. A field that a recipe has not is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, final

Tree = dict[str, Any]
"""A recipe as JSON has it."""


@final
@dataclass(frozen=True)
class AtMost:
    """A number goes down to `most`."""

    path: str
    most: float


@final
@dataclass(frozen=True)
class Without:
    """A part that may be left out is."""

    path: str


@final
@dataclass(frozen=True)
class Chosen:
    """A field that is left to a search gets this number instead."""

    path: str
    value: float


@final
@dataclass(frozen=True)
class Window:
    """Segments start before the epoch `end`, so that experts are trained no longer than that asks.

    What lies within the window, its first epoch and where it grows from, keeps its place in it.
    """

    end: int


@final
@dataclass(frozen=True)
class Faster:
    """Experts at so many times the rate for as many times fewer epochs, if those are more than `beyond`.

    An expert whose rate is three times as high is after an epoch about where it otherwise is after three. Students that
    cover a single epoch cannot cover less: there nothing changes.
    """

    times: int
    beyond: int


@final
@dataclass(frozen=True)
class Shorter:
    """Students take `steps` steps, each as much larger as they are fewer, so that they get as far."""

    steps: int


Change = AtMost | Without | Chosen | Window | Faster | Shorter

_LARGEST_STEP: Final = 0.1
_STAGES: Final = "schedule.stages."
_ENDS: Final = ("objective.max_start_epoch", "objective.min_start_epoch", "experts.epochs")


def changed(tree: Tree, change: Change, fixed: Collection[str], beta: float | None) -> None:
    """Make a change to a recipe's tree; fields at, above or below a path of `fixed` stay.

    Args:
        beta: the share to skip of a window of difficulty that is no longer swept for; None where no window fits.
    """
    one = get(tree, "schedule.stages.count") == 1

    def free(*paths: str) -> bool:
        return not any(_related(path, taken) for path in paths for taken in fixed)

    match change:
        case AtMost(path) if one and path.startswith(_STAGES):
            pass
        case AtMost(path, most) if free(path) and number(tree, path) > most:
            put(tree, path, type(get(tree, path))(most))
        case Without(path) if free(path) and get(tree, path):
            put(tree, path, [] if isinstance(get(tree, path), list) else None)
        case Chosen("init.beta" as path) if free(path) and get(tree, path) == "auto" and beta is not None:
            put(tree, path, beta)
        case Chosen(path, value) if path != "init.beta" and free(path) and get(tree, path) == "auto":
            put(tree, path, value)
        case Window(end) if free("objective.max_start_epoch", "objective.min_start_epoch"):
            _window(tree, end, free)
        case Faster(times, beyond) if free("experts.lr", *_ENDS, "objective.expert_epochs"):
            _faster(tree, times, beyond, free)
        case Shorter(steps) if free("objective.syn_steps", "step_size.initial"):
            _shorter(tree, steps)


def get(tree: Tree, path: str) -> Any:
    """The value at a path; None where there is none."""
    node: Any = tree
    for name in path.split("."):
        node = node.get(name) if isinstance(node, dict) else None
    return node


def number(tree: Tree, path: str) -> float:
    """The number at a path; less than any where there is none."""
    value = get(tree, path)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else float("-inf")


def put(tree: Tree, path: str, value: Any) -> None:
    """Set the value at a path that is there."""
    *parents, leaf = path.split(".")
    node = tree
    for name in parents:
        node = node[name]
    node[leaf] = value


def _window(tree: Tree, end: int, free: Callable[..., bool]) -> None:
    objective, stages = tree["objective"], get(tree, "schedule.stages.each") or []
    if "max_start_epoch" not in objective:
        return
    before = objective["max_start_epoch"]
    if before == "auto":
        first = objective["min_start_epoch"]
        objective["max_start_epoch"] = max(end, first + 1, get(tree, "objective.growth.start") or 1)
    elif before > end:
        _squeeze(objective, end / before)
    if free("schedule.stages.each"):
        for stage in stages:
            if stage["max_start_epoch"] > end:
                _squeeze(stage, end / stage["max_start_epoch"])
    _reach(tree, free)


def _faster(tree: Tree, times: int, beyond: int, free: Callable[..., bool]) -> None:
    objective, experts = tree["objective"], tree["experts"]
    if objective.get("expert_epochs", 1) == 1 or experts is None:
        return
    auto = objective["max_start_epoch"] == "auto"
    if not auto and objective["max_start_epoch"] - 1 + objective["expert_epochs"] <= beyond:
        return
    experts["lr"] = min(10.0, round(experts["lr"] * times, 6))
    objective["expert_epochs"] = max(1, round(objective["expert_epochs"] / times))
    if auto:
        experts["epochs"] = max(2 + objective["expert_epochs"], experts["epochs"] // times)
        return
    for window in (objective, *(get(tree, "schedule.stages.each") or [])):
        _squeeze(window, 1 / times)
    _reach(tree, free, experts["epochs"] // times)


def _squeeze(window: Tree, share: float) -> None:
    """A window that ends, begins and grows from so much earlier; it stays one."""
    end = max(1, round(window["max_start_epoch"] * share))
    window["max_start_epoch"] = end
    window["min_start_epoch"] = min(end - 1, int(window["min_start_epoch"] * share))
    if growth := window.get("growth"):
        growth["start"] = min(end, max(window["min_start_epoch"] + 1, round(growth["start"] * share)))


def _reach(tree: Tree, free: Callable[..., bool], epochs: int | None = None) -> None:
    """Experts are trained as far as their segments reach, or for so many epochs: those that judge images, to the end.

    A window chosen by a search ends where the experts' epochs let it.
    """
    objective, experts = tree["objective"], tree["experts"]
    if experts is None or objective["max_start_epoch"] == "auto" or not free("experts.epochs"):
        return
    ends = [stage["max_start_epoch"] for stage in get(tree, "schedule.stages.each") or []]
    reach = max(ends or [objective["max_start_epoch"]]) - 1 + objective["expert_epochs"]
    experts["epochs"] = max(reach, min(experts["epochs"], epochs or 2 * reach))


def _shorter(tree: Tree, steps: int) -> None:
    objective = tree["objective"]
    taken = objective.get("syn_steps", 0)
    if taken <= steps:
        return
    objective["syn_steps"] = steps
    initial = tree["step_size"]["initial"]
    larger = max(initial, min(_LARGEST_STEP, initial * taken / steps))
    tree["step_size"]["initial"] = float(f"{larger:.3g}")


def held(path: str, fixed: Collection[str]) -> bool:
    """Whether a field is one of `fixed`, or in a part that is."""
    return any(f"{path}.".startswith(f"{other}.") for other in fixed)


def _related(path: str, other: str) -> bool:
    """Whether one of two paths is the other, or leads to it."""
    return held(path, (other,)) or held(other, (path,))
