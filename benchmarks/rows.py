"""Markdown rows: medians and means with their spread."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence


def spread(values: Sequence[float], digits: int = 2) -> str:
    """`median (min-max)`."""
    if not values:
        return "-"
    low, high = (f"{value:,.{digits}f}" for value in (min(values), max(values)))
    return f"{statistics.median(values):,.{digits}f} ({low}-{high})"


def ratio(over: Sequence[float], under: Sequence[float]) -> str:
    """How many times `under` goes into `over`, round by round: `median (min-max)`."""
    return spread([a / b for a, b in zip(over, under, strict=False)]) if over and under else "-"


def percent(values: Sequence[float]) -> str:
    """`mean ± standard deviation %` of shares of 1; see `mean_and_deviation`."""
    return f"{mean_and_deviation([100 * value for value in values], 1)} %"


def mean_and_deviation(values: Sequence[float], digits: int = 3) -> str:
    """`mean ± standard deviation`, or a single value alone: it has no deviation."""
    deviation = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):,.{digits}f}{deviation}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [" | ".join(head), " | ".join(["---", *["---:"] * (len(head) - 1)])]
    lines += [" | ".join(row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)
