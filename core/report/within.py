"""The time that a job was to end within, and what its recipe gave up for that."""

from __future__ import annotations

from typing import final

from core.durations import written
from core.report.section import Entry, Section


@final
class Within(Entry):
    """The time in seconds, and the differences to the recipe of the method, a phrase each by the path of a field."""

    seconds: int
    given_up: tuple[str, ...] = ()

    @property
    def without_reference(self) -> str | None:
        """Why there is no reference on the full training set, and how to have one; None where the time has room."""
        if "evaluation.full left out" not in self.given_up:
            return None
        return (
            f"it did not fit into a share of {written(self.seconds)}; more time has room for it, and a job that sets "
            'evaluation.full, for instance to {"epochs": 5}, trains it whatever the time, and keeps it for later jobs'
        )

    def section(self) -> Section:
        """The section on the time."""
        if not self.given_up:
            words = "The recipe fits into it as it is."
        else:
            words = f"What the recipe gave up to fit into it: {'; '.join(self.given_up)}."
        return Section(name="within", title=f"Within {written(self.seconds)}", words=(words,))
