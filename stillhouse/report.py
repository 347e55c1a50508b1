"""`stillhouse report`: what the result of a job is worth, its warnings before its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from stillhouse.api import Client
from stillhouse.output import JsonOption, data, say, table


def report(
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="Id of a job that has succeeded.")],
    as_json: JsonOption = False,
) -> None:
    """Show what the result of a job is worth."""
    with Client() as client:
        found = client.report(job_id)
    if as_json:
        data(found)
    else:
        tell(found)


def tell(found: Mapping[str, Any]) -> None:
    """A report in the terminal: its warnings, its lines, and the share of the gap if it claims one."""
    for warning in found.get("warnings") or ():
        say(f"Mind: {warning}")
    majority = found.get("majority") or {}
    columns = [
        "TRAINED ON",
        "IMAGES",
        "TEST ACCURACY, MEAN ± STD",
        *(["BALANCED"] if majority.get("unequal") else []),
        "NETWORKS",
    ]
    rows = []
    for line in found["results"]:
        balanced = [_percent(line, "balanced_accuracy")] if majority.get("unequal") else []
        accuracy = _percent(line, "accuracy")
        rows.append((line["name"], f"{line['images']:,}", accuracy, *balanced, line.get("n_seeds", "")))
    table(columns, rows)
    if majority.get("unequal"):
        say(
            f"The largest class, '{majority['class']}', has {majority['share']:.1%} of the test images; balanced "
            "accuracy is the mean over the classes, each counting alike."
        )
    # Reports from before there was a reason claimed shares that nothing had measured.
    if "gap_reason" in found:
        share = found["gap_closed"]
        say(f"{share:.0%} of the gap between random and full data is closed." if share else found["gap_reason"])


def _percent(line: Mapping[str, Any], what: str) -> str:
    mean, std = line.get(f"{what}_mean"), line.get(f"{what}_std")
    if mean is None:
        return ""
    spread = "" if std is None or line.get("n_seeds", 1) < 2 else f" ± {100 * std:.1f}"
    return f"{100 * mean:.1f}{spread} %"
