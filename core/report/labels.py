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
    """How many of those after are real images, changed by no more than the rounding of storage in few bits."""
    bytes_before: int = 0
    bytes_after: int = 0
    bytes_images: int | None = None
    bytes_labels: int | None = None
    bytes_transform: int | None = None
    """The arrays that bring real images into the space of these: means and deviations, or a whitening matrix."""
    bytes_step_sizes: int | None = None
    bytes_rest: int | None = None
    """Names, shapes and all else that a compact file says to be read."""
    bits_per_class: float | None = None
    """All bits, by the number of classes."""
    bits_per_value: int | None = None
    """Bits for each value of a pixel."""


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
    is_compact, is_taught = size.bytes_rest is not None, labels is not None and labels.kind != "keep"
    if is_compact or is_taught:
        lines += [
            _line("of these, the images alone", None, size.bytes_images),
            _line("of these, the labels", None, size.bytes_labels),
        ]
    if is_compact:
        lines += [
            _line("of these, means, deviations and whitening", None, size.bytes_transform),
            _line("of these, step sizes", None, size.bytes_step_sizes),
            _line("of these, names and shapes", None, size.bytes_rest),
        ]
        words = (_compact(size),)
    if labels is not None and is_taught:
        lines.append(_line(TITLES["teacher"], None, labels.bytes_teacher))
        words = (*words, _words(labels))
    lines.append(_line(TITLES["full"], size.images_before, size.bytes_before))
    table = Table(heading="Set", columns=("Images", "Bytes"), lines=tuple(lines))
    return Section(name="size", title="How large it is", measures=table, words=words)


def _compact(size: Compression) -> str:
    return (
        f"The compact file has {size.bits_per_value} bits for each value of a pixel, {size.bits_per_class or 0:,.0f} "
        "bits for a class in all. Images and labels were rounded to what it holds before they were judged: every file "
        "has the values that are in it."
    )


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
