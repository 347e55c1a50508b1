"""A job that was ended early: where, why, and what its report is without."""

from __future__ import annotations

from typing import final

from core.report.section import Entry, Section


@final
class Ended(Entry):
    """The outer step after which distilling ended, of how many, and the analyses that were left out."""

    step: int
    steps: int
    why: str
    left_out: tuple[str, ...] = ()

    def section(self) -> Section:
        """The section on the early end."""
        return Section(name="ended", title="Ended early", words=self.words)

    @property
    def words(self) -> tuple[str, ...]:
        """The paragraphs of the section."""
        if self.step < self.steps:
            end = (
                f"Distilling ended at outer step {self.step:,} of {self.steps:,}. {self.why} The images are the best "
                "there were by then; the whole job may make better ones."
            )
        else:
            end = f"Distilling was complete; its evaluation was cut short. {self.why}"
        left = f"Left out: {', '.join(self.left_out)}."
        return (end, left) if self.left_out else (end,)
