"""The whole of report.json as typed data, and the list of sections that says it to people."""

from __future__ import annotations

from typing import Any, Final, final

from pydantic import Field

from core.nouns import Kind
from core.report.aim import Aim
from core.report.choices import Probe, Sweep, choices
from core.report.classes import classes
from core.report.coverage import Coverage
from core.report.ended import Ended
from core.report.generator import Generator
from core.report.labels import Compression, Labels, sizes
from core.report.neighbours import Neighbours
from core.report.nouns import about
from core.report.race import Race
from core.report.results import Across, Majority, Row, intervals, results
from core.report.section import Entry, Section
from core.report.stages import Stages
from core.report.theory import Theory
from core.report.within import Within
from core.worth import Gap, gap

SCHEMA_VERSION: Final = 1


@final
class Report(Entry):
    """The honest report: every accuracy with its protocol, its seeds and the baselines beside it.

    An analysis has an entry of its own here, which stands for itself in `sections`.
    """

    schema_version: int = SCHEMA_VERSION
    kind: Kind = "pictures"
    """The kind of data."""
    protocol: dict[str, Any] = Field(default={})
    """The evaluation as the recipe has it."""
    augment: dict[str, Any] = Field(default={})
    views: dict[str, str] = Field(default={})
    """How networks saw the images of the lines `distilled` and `random`."""
    n_seeds: int | None = None
    results: tuple[Row, ...] = ()
    across: Across | None = None
    gap_closed: float | None = None
    gap_reason: str | None = None
    majority: Majority | None = None
    clipped: float | None = None
    """The share of pixel values that 8 bits cannot hold."""
    compression: Compression | None = None
    labels: Labels | None = None
    class_names: tuple[str, ...] | None = None
    """In the order of the labels, which the keys of an object need not keep."""
    images_per_class: tuple[int, ...] | None = None
    """How many of these images each class has, where they are not as many of each; as `class_names` are ordered."""
    per_class: dict[str, float] = Field(default={})
    confusion: tuple[tuple[int, ...], ...] | None = None
    selection: str = "last iterate"
    """How the state was chosen that is the result."""
    ended: Ended | None = None
    within: Within | None = None
    race: Race | None = None
    """The search for a method, where the request left it to one."""
    aim: Aim | None = None
    """The search for the smallest set that reaches a target, where the request asks for one."""
    sweep: Sweep | None = None
    probes: tuple[Probe, ...] = ()
    stages: Stages | None = None
    coverage: Coverage | None = None
    neighbours: Neighbours | None = None
    generator: Generator | None = None
    theory: Theory | None = None
    """A regression memory beside the truth of its formula, in the place of all that is said of images."""
    phases: dict[str, float] = Field(default={})
    """Seconds by phase."""
    peak_memory_mib: float | None = None
    memory: dict[str, Any] = Field(default={})
    kernels: str = ""
    device: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def lines(self) -> dict[str, Row]:
        """The lines of `results` by name."""
        return {row.name: row for row in self.results}

    @property
    def largest(self) -> Majority | None:
        """The largest class of the test split, where the classes are of unequal size."""
        return self.majority if self.majority and self.majority.unequal else None

    @property
    def gap(self) -> Gap:
        """The share of the gap that is closed, by the lines: old reports claimed shares that nothing had measured."""
        return gap(intervals(self.results, unequal=self.largest is not None)[0])

    @property
    def _shown(self) -> tuple[Row, ...]:
        """The lines that differ: numbers are never rounded to 8 bits."""
        return tuple(row for row in self.results if self.kind == "pictures" or row.name != "distilled_8bit")

    def sections(self) -> list[Section]:
        """The report as people read it, warnings first: the one list that card, page and command line show."""
        warned = Section(name="warnings", title="To be read before the numbers", words=self.warnings)
        if self.theory is not None:
            cut = self.theory.cut_short(self.ended.why) if self.ended else None
            return [each for each in (cut, self.within and self.within.section()) if each] + self.theory.sections()
        each = (
            warned if self.warnings else None,
            self.ended and self.ended.section(),
            self.within and self.within.section(),
            self.aim and self.aim.section(self.lines),
            self.stages and self.stages.section(),
            results(self._shown, self.gap, self.largest, self.selection),
            self.across and self.across.section(unequal=self.largest is not None),
            classes(
                list(self.per_class.items()),
                self.lines.get("random"),
                self.class_names,
                self.confusion,
                self.images_per_class,
            ),
            self.coverage and self.coverage.section(),
            self.neighbours and self.neighbours.section(),
            self.race and self.race.section(),
            choices(self.sweep, self.probes),
            self.generator and self.generator.section(),
            self.compression and sizes(self.compression, self.labels),
        )
        return [about(section, self.kind) for section in each if section is not None]
