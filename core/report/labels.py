"""The bytes of a report: the sizes of the images and their labels, beside those of the whole training set."""

from __future__ import annotations

from typing import final

from core.report.results import TITLES
from core.report.section import Entry, Line, Measure, Section, Table


@final
class Compression(Entry):
    """Images and bytes before and after."""

    images_before: int = 0
    images_after: int = 0
    images_real: int = 0
    """How many of those after are real images unchanged."""
    bytes_before: int = 0
    bytes_after: int = 0
    bytes_images: int | None = None
    bytes_labels: int | None = None


@final
class Labels(Entry):
    """The labels, where a teacher was asked for them."""

    kind: str = "keep"
    temperature: float = 1.0
    records: int | None = None
    """Batches of views that the teacher labelled."""
    epochs_replayed: int | None = None
    bytes_teacher: int | None = None


def sizes(size: Compression, labels: Labels | None) -> Section:
    """The section on bytes, those of labels apart where a teacher made them."""
    lines = [_line(TITLES["distilled"], size.images_after, size.bytes_after)]
    words: tuple[str, ...] = ()
    if labels is not None and labels.kind != "keep":
        lines += [
            _line("of these, the images alone", None, size.bytes_images),
            _line("of these, the labels", None, size.bytes_labels),
            _line(TITLES["teacher"], None, labels.bytes_teacher),
        ]
        words = (_words(labels),)
    lines.append(_line(TITLES["full"], size.images_before, size.bytes_before))
    table = Table(heading="Set", columns=("Images", "Bytes"), lines=tuple(lines))
    return Section(name="size", title="How large it is", measures=table, words=words)


def _words(labels: Labels) -> str:
    warmth = "" if labels.temperature == 1 else f", at temperature {labels.temperature:g}"
    if labels.records is None:
        return f"A teacher labelled the images{warmth}."
    return (
        f"A teacher labelled {labels.records:,} batches of views of the images{warmth}, which are played back over "
        f"{labels.epochs_replayed or 0:,} epochs; random real images were labelled by it in the same way. Lines with "
        "one class each are the same images without its labels."
    )


def _line(title: str, images: int | None, size: int | None) -> Line:
    count = None if images is None else Measure(value=images, unit="count")
    return Line(title=title, cells=(count, None if size is None else Measure(value=size, unit="bytes")))
