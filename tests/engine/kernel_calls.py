"""A count of the kernels that the engine calls, to hold against what was forecast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch

from core.engine.journal import Journal
from core.engine.kernels import Eager
from core.engine.networks import Network
from worker.engine.disk_workspace import DiskWorkspace

Calls = Counter[tuple[str, str, int]]
"""How often a kernel was called in a phase for one network on so many images."""


def counting(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Counts the calls of every kernel by phase; the forward pass inside a gradient is a part of it.

    A picture of images on their way is made as often as time passes, which no forecast counts.
    """
    counted: Calls = Counter()
    inside: list[str] = []
    at = ["preparing"]

    def nested(owner: type, name: str, before: Callable[..., None]) -> None:
        real: Callable[..., Any] = getattr(owner, name)

        def wrapped(*args: Any, **more: Any) -> Any:
            if not inside:
                before(*args)
            inside.append(name)
            try:
                return real(*args, **more)
            finally:
                inside.pop()

        monkeypatch.setattr(owner, name, wrapped)

    def count(kernel: str) -> Callable[..., None]:
        def before(_: Any, theta: torch.Tensor, seen: Any, *rest: Any) -> None:
            # residuals remember the images
            images = seen if isinstance(seen, torch.Tensor) else seen.leaves[1]
            networks = len(theta) if theta.ndim == 2 else 1
            # what is differentiated in the images is a gradient in all but name
            differentiated = kernel == "forward" and torch.is_grad_enabled() and images.requires_grad
            counted[at[0], "gradient" if differentiated else kernel, images.shape[-4]] += networks

        return before

    for name in ("gradient", "gradient_and_batch_stats", "gradient_with_residuals"):
        nested(Eager, name, count("gradient"))
    for name in ("adjoint", "adjoint_from_residuals"):
        nested(Eager, name, count("adjoint"))
    for name in ("apply", "embed"):
        nested(Network, name, count("forward"))
    nested(DiskWorkspace, "preview", lambda *_: None)
    entered = Journal.enter

    def enter(self: Journal, phase: str, *rest: Any, **more: Any) -> None:
        at[0] = phase
        entered(self, phase, *rest, **more)

    monkeypatch.setattr(Journal, "enter", enter)
    return counted


def sums(calls: Calls) -> dict[str, dict[str, int]]:
    """Calls by phase and kernel, as a forecast says them."""
    made: dict[str, dict[str, int]] = {}
    for (phase, kernel, _), number in calls.items():
        made.setdefault(phase, {}).setdefault(kernel, 0)
        made[phase][kernel] += number
    return made
