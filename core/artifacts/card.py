"""README.md of an artifact: a Hugging Face dataset card with the numbers, how to load it, and its limits."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from core.artifacts import layout
from core.artifacts.distilled import Distilled
from core.artifacts.figures import percent
from core.artifacts.loading import how_to_load
from core.methods import UnknownMethod, method

_LICENCES = {
    "CC BY 4.0": "cc-by-4.0",
    "CC BY-SA 3.0": "cc-by-sa-3.0",
    "CC0 1.0": "cc0-1.0",
    "Apache-2.0": "apache-2.0",
    "MIT": "mit",
    "none stated by the authors": "unknown",
    "unknown": "unknown",
}
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))
_ROWS = {
    "random": "random real images",
    "distilled": "**distilled, exact floats**",
    "distilled_8bit": "distilled, 8-bit pixels",
    "full": "full training set",
}


def card(result: Distilled, picture_bytes: int, parquet_bytes: int) -> str:
    """The card's text; `picture_bytes` and `parquet_bytes` are the sizes its front matter states."""
    facts = result.facts
    images = f"{result.ipc} image{'s' if result.ipc > 1 else ''} per class"
    made = "synthetic images" if _is_synthetic(result) else "selected real images"
    parts = [
        _front_matter(result, picture_bytes, parquet_bytes),
        f"# {facts.title}, distilled to {images}",
        f"{len(result.labels):,} {made} that stand in for the {facts.train_count:,} training images of "
        f"{facts.title}, chosen so that a network trained on them alone, from scratch, comes as near as so few images "
        "can bring it to one trained on everything. How near that is was measured; see below.",
        f"![the {made}]({layout.PREVIEW})",
        "## What it is worth",
        _results(result.report),
        "## How to load it",
        how_to_load(result),
        "## How it was made",
        _making(result),
        "## Source and licence",
        _source(result),
        "## Limits",
        _limits(result),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(result: Distilled, picture_bytes: int, parquet_bytes: int) -> str:
    # Written by hand: a JSON string is a YAML string, and that is all the YAML that this needs.
    facts = result.facts
    licence = _LICENCES.get(facts.licence, "other")
    lines = ["---", f"pretty_name: {_quoted(f'{facts.title}, distilled')}", f"license: {licence}"]
    if licence == "other":
        lines.append(f"license_name: {_slug(facts.licence)}")
    lines += [
        "task_categories:",
        "- image-classification",
        "size_categories:",
        f"- {next((name for limit, name in _SIZES if len(result.labels) < limit), '100K<n<1M')}",
        "source_datasets:",
        f"- {_quoted(facts.name)}",
        "tags:",
        "- dataset-distillation",
        *(["- synthetic"] if _is_synthetic(result) else []),
        "configs:",
        "- config_name: default",
        "  data_files:",
        "  - split: train",
        f"    path: {layout.PARQUET}",
        "dataset_info:",
        "  features:",
        "  - name: image",
        "    dtype: image",
        "  - name: label",
        "    dtype:",
        "      class_label:",
        "        names:",
        *(f"          '{label}': {_quoted(name)}" for label, name in enumerate(facts.class_names)),
    ]
    if result.soft_labels is not None:
        lines += ["  - name: soft_label", "    list: float32", f"    length: {facts.classes}"]
    lines += [
        "  splits:",
        "  - name: train",
        f"    num_bytes: {picture_bytes}",
        f"    num_examples: {len(result.labels)}",
        f"  download_size: {parquet_bytes}",
        f"  dataset_size: {picture_bytes}",
        "---",
    ]
    return "\n".join(lines)


def _results(report: Mapping[str, Any]) -> str:
    rows = report.get("results", [])
    if not rows:
        return "Not evaluated: no accuracy is claimed for these images."
    order = {name: place for place, name in enumerate(_ROWS)}
    table = ["| trained on | images | test accuracy (mean ± std) | n | network |", "| --- | ---: | ---: | ---: | --- |"]
    table += [
        f"| {_ROWS.get(row['name'], row['name'])} | {row['images']:,} | {percent(row)} "
        f"| {len(row.get('accuracies') or [0])} | {row.get('network', '')} |"
        for row in sorted(rows, key=lambda row: order.get(row["name"], len(order)))
    ]
    text = [
        "\n".join(table),
        "n networks were trained from scratch, each from its own random initialisation, and tested on the source's "
        f"whole test split, which nothing before had seen. Reported is the {report.get('selection', 'last iterate')}.",
    ]
    if (gap := report.get("gap_closed")) is not None:
        text.append(f"The distilled images close {100 * gap:.0f} % of the gap between random images and full data.")
    return "\n\n".join(text)


def _making(result: Distilled) -> str:
    name = str(result.request.get("method", "unknown"))
    try:
        known = method(name)
        lines = [f"Method `{name}`: {known.title}. {known.summary}", f"Reference: {known.citation}."]
    except UnknownMethod:
        lines = [f"Method `{name}`."]
    provenance = result.provenance
    hardware, commit = provenance.get("hardware"), provenance.get("commit")
    phases = result.report.get("phases") or provenance.get("timings") or {}
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
            f"{facts.classes} classes, {'x'.join(map(str, facts.shape[1:]))} pixels, "
            f"{'grey' if facts.shape[0] == 1 else 'RGB'}.",
            f"Please cite the source: {facts.citation}" if facts.citation else "",
            f"{licence} These images derive from it, so its terms hold for them too.",
        )
        if part
    )


def _limits(result: Distilled) -> str:
    networks = {row["network"] for row in result.report.get("results", []) if row.get("network")}
    lines = [
        "The images are made for training, not for looking at; what they show need not be what a class looks like.",
        "They fit the network and the protocol they were distilled with"
        + (f" (`{'`, `'.join(sorted(networks))}`)" if networks else "")
        + "; other architectures and other ways of training may gain less, and were not measured here.",
        "They live in the preprocessed space and unclamped: use the floats with the shipped preprocessing. PNG and "
        "parquet hold them rounded to 8 bits and clipped, which costs what the table says.",
        "They are no means of anonymisation: they are, start from or resemble real training images, and no privacy "
        "guarantee is made.",
        *(str(warning) for warning in result.report.get("warnings", [])),
    ]
    return "\n".join(f"- {line}" for line in lines)


def _is_synthetic(result: Distilled) -> bool:
    """Whether anything was optimised; methods of zero steps only select."""
    return bool(result.recipe.get("schedule", {}).get("steps", 1))


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return re.sub(r"\s+", " ", str(value))


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-") or "other"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
