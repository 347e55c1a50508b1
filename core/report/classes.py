"""The classes of a report: how many test images of each are recognised, and what they are taken for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from core.report.results import Row
from core.report.section import Line, Matrix, Measure, Section, Table, percent

Counts = Sequence[Sequence[float]]
"""Test images by their class [row] and by the one they were taken for [column], over all networks."""

FEW: Final = 20
"""Classes, at most, that are shown one by one unasked."""

_MISTAKES = 6  # named at most
_MATRIX = "Share of each class's test images (row) by what they were taken for (column), in percent"


def classes(
    shares: Sequence[tuple[str, float]],
    random: Row | None,
    names: Sequence[str] | None,
    confusion: Counts | None,
    images: Sequence[int] | None = None,
) -> Section | None:
    """The section on classes; None in a report that does not tell them apart.

    Args:
        shares: of each class, its name and the share of its test images that are recognised.
        random: the line of random images.
        names: of the classes in the order of their labels; None in old reports, whose `shares` have no order.
        confusion: what is taken for what.
        images: how many of these images each class has, where they are not as many of each.
    """
    if not shares:
        return None
    beside = random.per_class_mean if random and names is not None else None
    ordered = shares if names is None else [(name, dict(shares)[name]) for name in names]
    lines = [
        Line(
            title=name,
            cells=(
                Measure(value=share),
                *((Measure(value=beside[label]),) if beside else ()),
                *((Measure(value=images[label], unit="count"),) if images else ()),
            ),
        )
        for label, (name, share) in enumerate(ordered)
    ]
    best, worst = max(ordered, key=lambda each: each[1]), min(ordered, key=lambda each: each[1])
    words = (
        f"Best recognised is '{best[0]}' ({percent(best[1])} of its test images), worst '{worst[0]}' "
        f"({percent(worst[1])}), by networks trained on these images."
    )
    columns = ("These images", *(("Random images",) if beside else ()), *(("Images of it",) if images else ()))
    table = Table(title="every class", heading="Class", columns=columns, lines=tuple(lines), bars=0)
    if images:
        fewest, most = (pick(range(len(ordered)), key=lambda label: images[label]) for pick in (min, max))
        words += (
            " Classes have images in proportion to their training images: "
            f"from {images[fewest]:,} of '{ordered[fewest][0]}' to {images[most]:,} of '{ordered[most][0]}'."
        )
    few, chart = len(lines) <= FEW, None
    if confusion is not None and names is not None:
        shares_of = tuple(tuple(n / (sum(row) or 1) for n in row) for row in confusion)
        words += _mistakes(names, shares_of)
        chart = Matrix(title=_MATRIX, names=tuple(names), shares=shares_of) if few else None
    return Section(
        name="classes",
        title="By class",
        measures=table if few else None,
        words=(words,),
        chart=chart,
        details=None if few else table,
    )


def _mistakes(names: Sequence[str], shares: Sequence[Sequence[float]]) -> str:
    """A sentence on the commonest confusions, after others."""
    found = sorted(
        (
            (part, names[true], names[to])
            for true, row in enumerate(shares)
            for to, part in enumerate(row)
            if to != true
        ),
        key=lambda each: -each[0],
    )
    said = [f"'{true}' for '{taken}' ({percent(part)})" for part, true, taken in found[:_MISTAKES] if part]
    return f" Most often one is taken for another: {', '.join(said)}." if said else ""
