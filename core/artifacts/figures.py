"""How a measured accuracy is written, wherever it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def percent(row: Mapping[str, Any]) -> str:
    """Accuracy of one result as `mean ± std %` over its seeds, or the single value if there is one seed."""
    mean = f"{100 * row['accuracy_mean']:.1f}"
    if len(row.get("accuracies") or ()) < 2 or row.get("accuracy_std") is None:
        return f"{mean} %"
    return f"{mean} ± {100 * row['accuracy_std']:.1f} %"
