"""How a measured accuracy is written, wherever it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def percent(row: Mapping[str, Any], what: str = "accuracy") -> str:
    """An accuracy of one result as `mean ± std %` over its seeds, or the single value if there is one seed.

    `what` may also be `balanced_accuracy`.
    """
    mean = f"{100 * row[f'{what}_mean']:.1f}"
    if len(row.get("accuracies") or ()) < 2 or row.get(f"{what}_std") is None:
        return f"{mean} %"
    return f"{mean} ± {100 * row[f'{what}_std']:.1f} %"
