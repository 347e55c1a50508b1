"""The order of a report: the stages of a curriculum."""

from __future__ import annotations

from typing import final

from core.report.section import Entry, Line, Measure, Section, Table


@final
class Stage(Entry):
    """One stage: its images, all that are trained on in it, and its learning rate."""

    images: int
    trained_on: int
    lr: float


@final
class Stages(Entry):
    """The order in which networks were trained on a result in stages.

    `total_epochs` are also those of the random images, and what a method without stages needs for a fair comparison.
    """

    epochs: int
    total_epochs: int
    each: tuple[Stage, ...]

    def section(self) -> Section:
        """The section on the order."""
        lines = [
            Line(
                title=str(place),
                cells=(
                    Measure(value=stage.images, unit="count"),
                    Measure(value=stage.trained_on, unit="count"),
                    f"{stage.lr:.6g}",
                ),
            )
            for place, stage in enumerate(self.each)
        ]
        words = (
            f"The images have an order. They are a curriculum of {len(lines)} stages: train a network on those of "
            "stage 0, then go on with the same network on those of stages 0 and 1 together, and so on until it sees "
            f"all, each time for {self.epochs:,} epochs at that stage's learning rate: {self.total_epochs:,} "
            "epochs in all. The array stage says to which each image belongs. All accuracies of these images were "
            "measured in this order, those of random images with as many epochs in all. In another order the images "
            "were not measured."
        )
        table = Table(heading="Stage", columns=("Its images", "Trained on", "Learning rate"), lines=tuple(lines))
        return Section(name="stages", title="In what order to train", measures=table, words=(words,))
