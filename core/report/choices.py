"""The choices of a report: what the recipe left to be found, tried without a look at the test split."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, final

from core.report.section import Entry, Line, Measure, Section, Table


@final
class Probe(Entry):
    """A field whose value a search chose: which, why, and what the candidates did."""

    field: str
    chosen: int | float
    why: str
    steps: int = 0
    """Outer steps that each candidate distilled."""
    candidates: tuple[dict[str, Any], ...] = ()
    """Each has its value, under the field's last name, and a `loss`, or accuracies on the `validation` split."""


@final
class Window(Entry):
    """A window of difficulty, and accuracies on the validation split of networks trained on its images."""

    beta: float
    validation_mean: float
    validation: tuple[float, ...] = ()

    @classmethod
    def of(cls, tried: Mapping[str, Any]) -> Window:
        """The entry on a candidate."""
        accuracies = tuple(tried["validation"])
        return cls(beta=tried["beta"], validation_mean=statistics.fmean(accuracies), validation=accuracies)


@final
class Sweep(Entry):
    """The windows of difficulty that were tried, and the one that was chosen."""

    chosen: float
    windows: tuple[Window, ...]

    @classmethod
    def of(cls, chosen: Probe) -> Sweep:
        """The entry on the choice of a window."""
        return cls(chosen=chosen.chosen, windows=tuple(map(Window.of, chosen.candidates)))


def choices(sweep: Sweep | None, probes: Sequence[Probe]) -> Section | None:
    """The section on choices; None where the recipe left none."""
    lines, words = list[Line](), list[str]()
    if sweep is not None:
        lines += [_line("beta", each.beta, _accuracy(each.validation)) for each in sweep.windows]
        words.append(
            f"beta = {sweep.chosen:g} was chosen among {len(sweep.windows)} windows of difficulty: of networks trained "
            "on a window's images, those of this one were right most often on the validation split."
        )
    for probe in probes:
        words.append(f"{probe.field} = {probe.chosen:g} was chosen. {probe.why}")
        name = probe.field.rpartition(".")[2]
        for tried in probe.candidates:
            loss = tried.get("loss")
            told = f"loss {loss:.4g}" if loss is not None else "diverged"
            lines.append(_line(name, tried[name], _accuracy(tried.get("validation") or ()) or told))
    if not words:
        return None
    table = Table(title="all candidates", heading="Candidate", columns=("Outcome",), lines=tuple(lines))
    return Section(name="choices", title="What was chosen on the way", words=tuple(words), details=table)


def _accuracy(validation: Sequence[float]) -> Measure | None:
    if not validation:
        return None
    spread = statistics.stdev(validation) if len(validation) > 1 else None
    return Measure(value=statistics.fmean(validation), deviation=spread, n=len(validation))


def _line(name: str, value: float, outcome: Measure | str | None) -> Line:
    return Line(title=f"{name} = {value:g}", cells=(outcome,))
