"""The generator of a report: the diffusion model that the images were drawn from."""

from __future__ import annotations

from typing import Any, final

from pydantic import Field

from core.report.section import Entry, Line, Measure, Section, Table


@final
class Generator(Entry):
    """A trained generator, and how good its samples are."""

    architecture: dict[str, Any] = Field(default={})
    parameters: int
    bytes: int
    published: bool
    guidance: float
    sampler_steps: int
    samples: int
    samples_per_second: float
    agreement: float | None
    """The share of samples that a network trained on real images takes for the class they stand for."""
    copies: float
    """The share of images that nearly are training images."""

    def section(self) -> Section:
        """The section on the generator."""
        shares = [
            ("samples taken for their class", self.agreement),
            ("images that nearly are training images", self.copies),
        ]
        lines = [Line(title=title, cells=(Measure(value=share),)) for title, share in shares if share is not None]
        lines.append(Line(title="its weights", cells=(Measure(value=self.bytes, unit="bytes"),)))
        beside = "It is among the files." if self.published else "It is not among the files."
        words = (
            f"A generator of {self.parameters:,} parameters drew {self.samples:,} samples for these images, in "
            f"{self.sampler_steps} steps each, at guidance {self.guidance:g}. {beside}"
        )
        if self.agreement is not None:
            words += " A network trained on the real images said what each sample is taken for."
        table = Table(heading="Of the generator", columns=("Measure",), lines=tuple(lines))
        return Section(name="generator", title="The generator", measures=table, words=(words,))
