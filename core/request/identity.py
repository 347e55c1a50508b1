"""The canonical form of a request, and its fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.recipe import Recipe
    from core.request.order import JobRequest

ENGINE_VERSION = "8"
"""Raised whenever the same request on the same data would give other numbers; part of every fingerprint.

Then `Later` marks of the recipes' fields have done their duty, and can go.
"""


def canonical_json(value: Any) -> str:
    """One string per value: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def fingerprint(request: JobRequest, recipe: Recipe, digest: str) -> str:
    """Identity of a result: the same request on the same data with the same engine has the same fingerprint.

    Hardware is not part of it: the last bits of a float differ between devices. Of a request within a time it is the
    recipe before it was fitted, with the time: what fits is decided anew wherever a job runs, and who asks the same
    again is answered by the job that there is. A job that goes on from another is known by what it goes on from, and
    one with a target by that, wherever it began to look for its size.
    """
    later = {name: value for name in ("within", "continues") if (value := getattr(request, name))}
    if request.labels != "hard":
        later["labels"] = request.labels
    identity: Mapping[str, Any] = {
        "dataset": digest,
        "engine": ENGINE_VERSION,
        "ipc": request.ipc,
        "method": request.method,
        "recipe": recipe.identity(),
        "seed": request.seed,
        **later,
        **({"ipc": None, "target": request.target.document} if request.target else {}),
    }
    return "sha256:" + hashlib.sha256(canonical_json(identity).encode()).hexdigest()
