"""README.md of an artifact: a Hugging Face dataset card with the numbers, how to load it, and its limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from core.artifacts import layout
from core.artifacts.distilled import Distilled
from core.artifacts.front_matter import front_matter
from core.artifacts.loading import how_to_load
from core.data import DatasetFacts
from core.methods import UnknownMethod, cuts_tiles, method
from core.nouns import worded
from core.report import Curves, Section, Table
from core.report.section import written


def card(result: Distilled, picture_bytes: int, parquet_bytes: int) -> str:
    """The card's text; `picture_bytes` and `parquet_bytes` are the sizes its front matter states."""
    kind = result.facts.kind
    parts = [
        front_matter(result, picture_bytes, parquet_bytes),
        f"# {result.facts.title}, distilled to {result.size}",
        summary(result),
        f"![{'the images, enlarged' if kind == 'pictures' else 'plots'}]({layout.PREVIEW})",
        *map(section_text, result.report.sections()),
        "## How to load it",
        how_to_load(result),
        "## How it was made",
        _making(result),
        "## Source and licence",
        worded(_source(result), kind),
        "## Limits",
        _limits(result),
    ]
    return "\n\n".join(parts) + "\n"


def summary(result: Distilled) -> str:
    """The set in a paragraph: how many examples, of which kind, and of what."""
    return worded(_of_images(result), result.facts.kind)


def _of_images(result: Distilled) -> str:
    n, facts, levels = len(result.labels), result.facts, _levels(result)
    rounded = f", their pixels rounded to {levels} levels" if levels else ""
    if not result.is_synthetic:
        return (
            f"{n:,} real training images{rounded}, selected out of the {facts.train_count:,} of {facts.title}. How "
            "near a network trained on them alone comes to one trained on everything is said below."
        )
    if real := int(result.real.sum()):
        kept = rounded or " that nothing has changed"
        return (
            f"{n:,} images that stand in for the {facts.train_count:,} training images of {facts.title}: {n - real:,} "
            f"synthetic ones, made so that a network trained on all {n:,}, from scratch, comes as near as so few "
            f"images can bring it to one trained on everything, and {real:,} real ones{kept}. How near that is, is "
            "said below; which images are real, `real` says in every file of arrays."
        )
    return (
        f"{n:,} synthetic images that stand in for the {facts.train_count:,} training images of {facts.title}, made "
        "so that a network trained on them alone, from scratch, comes as near as so few images can bring it to one "
        "trained on everything. How near that is, is said below."
    )


def _levels(result: Distilled) -> int | None:
    """The levels of a pixel of the images as they are stored, where that leaves not even real ones as they were."""
    storage = result.recipe.get("storage", {})
    return 2 ** int(storage["bits"]) if storage.get("kind") == "compact" and storage["bits"] < 8 else None


def section_text(section: Section) -> str:
    """A section of the report in Markdown: measures, words, and its picture."""
    words = list(section.words)
    if section.name == "warnings":
        words = ["\n".join(f"- {each}" for each in words)]
    if section.details is not None:
        words.append(f"`{layout.REPORT}` has more: {section.details.title}.")
    if isinstance(section.chart, Curves):
        words.append(f"![{section.title}]({layout.chart(section.name)})")
    return "\n\n".join((f"## {section.title}", *((_table(section.measures),) if section.measures else ()), *words))


def _table(table: Table) -> str:
    rows = [(table.heading, *table.columns), ("---", *("---:" for _ in table.columns))]
    rows += [(line.title, *(written(cell) for cell in line.cells)) for line in table.lines]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)


def _making(result: Distilled) -> str:
    name = str(result.request.get("method", "unknown"))
    try:
        known = method(name)
        untiled = result.recipe.get("parameterize", {}).get("kind") == "pixels" and cuts_tiles(name, result.facts)
        how = (
            "Here without tiles: every stored image is one training image, of the full side."
            if untiled
            else worded(known.summary, result.facts.kind)
        )
        lines = [f"Method `{name}`: {known.title}. {how}", f"Reference: {known.citation}."]
    except UnknownMethod:
        lines = [f"Method `{name}`."]
    provenance = result.provenance
    hardware, commit = provenance.get("hardware"), provenance.get("commit")
    phases = result.report.phases or provenance.get("timings") or {}
    details = [
        f"seed {result.request.get('seed', 0)}",
        f"data `{result.facts.digest}`" if result.facts.digest else "",
        f"made on {_words(hardware)}" if hardware else "",
        f"engine commit `{commit}`" if commit else "",
        "seconds: " + ", ".join(f"{phase} {seconds:.0f}" for phase, seconds in phases.items()) if phases else "",
    ]
    lines.append("; ".join(detail for detail in details if detail) + ".")
    lines.append(
        f"`{layout.RECIPE}` holds the complete recipe and is enough for a rerun; `{layout.METRICS}` the curves; "
        f"`{layout.REPORT}` every number with its protocol; `{layout.MANIFEST}` and `{layout.SUMS}` the checksums "
        f"(`sha256sum -c {layout.SUMS}`, or `python {layout.LOADER}`)."
    )
    return "\n\n".join(lines)


def _source(result: Distilled) -> str:
    facts = result.facts
    licence = {
        "unknown": "The licence of the source is unknown; whoever provided the data can tell.",
    }.get(facts.licence, f"Licence of the source: {facts.licence}.")
    return "\n\n".join(
        part
        for part in (
            f"Distilled from {facts.title}: {facts.train_count:,} training and {facts.test_count:,} test images, "
            f"{facts.classes} classes, {_extent(facts)}.",
            f"Please cite the source: {facts.citation}" if facts.citation else "",
            _named(facts),
            f"{licence} These images derive from it, so its terms hold for them too.",
        )
        if part
    )


def _extent(facts: DatasetFacts) -> str:
    match facts.kind:
        case "vectors":
            return f"{facts.shape[0]} columns"
        case "series":
            return f"{facts.shape[0]} channel{'s' if facts.shape[0] > 1 else ''} of {facts.shape[2]} steps"
        case _:
            return f"{'x'.join(map(str, facts.shape[1:]))} pixels, {'grey' if facts.shape[0] == 1 else 'RGB'}"


def _named(facts: DatasetFacts) -> str:
    """The names of columns, those of zeros and ones that stand for a word among them."""
    if not facts.columns:
        return ""
    return f"{'Columns' if facts.kind == 'vectors' else 'Channels'}: {', '.join(map(_code, facts.columns))}."


def _code(name: str) -> str:
    """A name as Markdown's code on one line, whatever it holds: in a fence longer than each row of backticks in it."""
    line = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in " ".join(name.split()))
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    edge = " " if "`" in line or not line else ""
    return f"{fence}{edge}{line}{edge}{fence}"


def _limits(result: Distilled) -> str:
    networks = {row.network for row in result.report.results if row.network}
    others = "architectures that are not listed" if result.report.across else "other architectures"
    lines = [
        "The images are made for training, not for looking at; what they show need not be what a class looks like.",
        "They fit the network and the protocol they were distilled with"
        + (f" (`{'`, `'.join(sorted(networks))}`)" if networks else "")
        + f"; {others} and other ways of training may gain less, and were not measured here.",
        "They live in the preprocessed space and unclamped: use the floats with the shipped preprocessing. PNG and "
        "parquet hold the nearest pixels of 8 bits, which costs what the table says."
        if result.facts.kind == "pictures"
        else "Learned rows need not be possible ones: columns of zeros and ones hold numbers between and beyond, and "
        "what is whole in the source is not whole here.",
        "They are no means of anonymisation: they are, start from or resemble real training images, and no privacy "
        "guarantee is made.",
    ]
    return worded("\n".join(f"- {line}" for line in lines), result.facts.kind)


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return re.sub(r"\s+", " ", str(value))
