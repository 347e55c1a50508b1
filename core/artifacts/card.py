"""README.md of an artifact: a Hugging Face dataset card with the numbers, how to load it, and its limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from core.artifacts import coverage, layout
from core.artifacts.distilled import Distilled
from core.artifacts.figures import percent
from core.artifacts.front_matter import front_matter
from core.artifacts.loading import how_to_load
from core.methods import UnknownMethod, cuts_tiles, method

_ROWS = {
    "random": "random real images",
    "distilled": "**distilled, exact floats**",
    "distilled_8bit": "distilled, 8-bit pixels",
    "random_hard": "random real images, one class each",
    "distilled_hard": "distilled, one class each",
    "ridge": "ridge regression on the distilled set",
    "ridge_random": "ridge regression on random real images",
    "ridge_full": "ridge regression on the full training set",
    "full": "full training set",
    "teacher": "the teacher itself",
}


def card(result: Distilled, picture_bytes: int, parquet_bytes: int) -> str:
    """The card's text; `picture_bytes` and `parquet_bytes` are the sizes its front matter states."""
    images = f"{result.ipc} image{'s' if result.ipc > 1 else ''} per class"
    parts = [
        front_matter(result, picture_bytes, parquet_bytes),
        f"# {result.facts.title}, distilled to {images}",
        _summary(result),
        _stages(result),
        f"![the images, enlarged]({layout.PREVIEW})",
        *_warnings(result.report),
        "## What it is worth",
        _results(result.report),
        *_across(result.report),
        *_coverage(result.report),
        *_neighbours(result.report),
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


def _summary(result: Distilled) -> str:
    n, facts = len(result.labels), result.facts
    if not result.is_synthetic:
        return (
            f"{n:,} real training images, selected out of the {facts.train_count:,} of {facts.title}. How near a "
            "network trained on them alone comes to one trained on everything is said below."
        )
    if real := int(result.real.sum()):
        return (
            f"{n:,} images that stand in for the {facts.train_count:,} training images of {facts.title}: {n - real:,} "
            f"synthetic ones, made so that a network trained on all {n:,}, from scratch, comes as near as so few "
            f"images can bring it to one trained on everything, and {real:,} real ones that nothing has changed. How "
            "near that is, is said below; which images are real, `real` says in every file of arrays."
        )
    return (
        f"{n:,} synthetic images that stand in for the {facts.train_count:,} training images of {facts.title}, made "
        "so that a network trained on them alone, from scratch, comes as near as so few images can bring it to one "
        "trained on everything. How near that is, is said below."
    )


def _stages(result: Distilled) -> str:
    """In what order a curriculum is to be trained on; nothing for a set without an order."""
    order = result.report.get("stages")
    if not order:
        return ""
    rows = [
        f"| {stage} | {each['images']:,} | {each['trained_on']:,} | {each['lr']:.6g} |"
        for stage, each in enumerate(order["each"])
    ]
    return "\n\n".join(
        (
            f"**The images have an order.** They are a curriculum of {len(rows)} stages: train a network on those of "
            "stage 0, then go on with the same network on those of stages 0 and 1 together, and so on until it sees "
            f"all, each time for {order['epochs']:,} epochs at that stage's learning rate: {order['total_epochs']:,} "
            "epochs in all. `stage` says in every file of arrays to which an image belongs. All accuracies of "
            "distilled images below were measured in this order, those of random images with as many epochs in all. "
            "In another order the images were not measured.",
            "\n".join(("| stage | its images | trained on | rate |", "| ---: | ---: | ---: | ---: |", *rows)),
        )
    )


def _warnings(report: Mapping[str, Any]) -> tuple[str, ...]:
    """The section of the report's warnings, which comes before its numbers."""
    found = report.get("warnings")
    return ("## To be read before the numbers", "\n".join(f"- {warning}" for warning in found)) if found else ()


def _results(report: Mapping[str, Any]) -> str:
    rows = report.get("results", [])
    if not rows:
        return "Not evaluated: no accuracy is claimed for these images."
    order = {name: place for place, name in enumerate(_ROWS)}
    majority = report.get("majority") or {}
    unequal = bool(majority.get("unequal"))
    heads, rules = (" balanced |", " ---: |") if unequal else ("", "")
    table = [
        f"| trained on | images | test accuracy (mean ± std) |{heads} n | network |",
        f"| --- | ---: | ---: |{rules} ---: | --- |",
    ]
    table += [
        f"| {_ROWS.get(row['name'], row['name'])} | {row['images']:,} | {percent(row)} "
        + (f"| {percent(row, 'balanced_accuracy')} " if unequal else "")
        + f"| {len(row.get('accuracies') or [0])} | {row.get('network', '')} |"
        for row in sorted(rows, key=lambda row: order.get(row["name"], len(order)))
    ]
    text = [
        "\n".join(table),
        "n networks were trained from scratch, each from its own random initialisation, and tested on the source's "
        f"whole test split, which nothing before had seen. Reported is the {report.get('selection', 'last iterate')}.",
    ]
    if (labels := report.get("labels", {})).get("records") is not None:
        size = report["compression"]
        text.append(
            f"The teacher's labels are {labels['records']:,} batches of views, {size['bytes_labels']:,} bytes beside "
            f"{size['bytes_images']:,} of images; random real images were labelled by it in the same way. The lines "
            "with one class each are the same images without its labels."
        )
    if unequal:
        text.append(
            f"The test classes are of unequal size: {majority['share']:.1%} of the images are of the largest, "
            f"'{majority['class']}', and always answering it would be right as often. Balanced accuracy is the mean "
            "over the classes, each counting alike."
        )
    if (share := report.get("gap_closed")) is not None:
        text.append(f"The distilled images close {100 * share:.0f} % of the gap between random images and full data.")
    elif reason := report.get("gap_reason"):
        text.append(f"No share of the gap between random images and full data is claimed. {reason}")
    return "\n\n".join(text)


def _across(report: Mapping[str, Any]) -> tuple[str, ...]:
    """Architectures that the images were not distilled with."""
    found = report.get("across")
    if not found:
        return ()
    mean, n = found["mean"], len(found["each"])
    table = ["| trained | on these images | on random real images | n |", "| --- | ---: | ---: | ---: |"]
    table += [
        f"| {each['network']} | {percent(each['distilled'])} | {percent(each['random'])} "
        f"| {each['distilled']['n_seeds']} |"
        for each in found["each"]
    ]
    if n > 1:
        row = f"| {percent(mean['distilled'])} | {percent(mean['random'])} | {mean['distilled']['n_seeds']} |"
        table.append(f"| mean of the {n} {row}")
    text = (
        "Networks of other architectures than the one the images were distilled with, under the same protocol and at "
        "the same learning rate."
    )
    spread = " The spread of the mean is that over seeds, of the networks of a seed together." if n > 1 else ""
    return "## On unseen architectures", "\n".join(table), text + spread


def _coverage(report: Mapping[str, Any]) -> tuple[str, ...]:
    found = report.get("coverage")
    return ("## What it covers", coverage.words(found), f"![coverage]({layout.COVERAGE})") if found else ()


def _neighbours(report: Mapping[str, Any]) -> tuple[str, ...]:
    found = report.get("neighbours")
    if not found:
        return ()
    where = f"`{layout.REPORT}` names the nearest pairs of each class, by their places in the training split."
    return "## How near they are to real images", f"{found['words']} {where}"


def _making(result: Distilled) -> str:
    name = str(result.request.get("method", "unknown"))
    try:
        known = method(name)
        untiled = result.recipe.get("parameterize", {}).get("kind") == "pixels" and cuts_tiles(name, result.facts)
        how = (
            "Here without tiles: every stored image is one training image, of the full side."
            if untiled
            else known.summary
        )
        lines = [f"Method `{name}`: {known.title}. {how}", f"Reference: {known.citation}."]
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
    others = "architectures that are not listed" if result.report.get("across") else "other architectures"
    lines = [
        "The images are made for training, not for looking at; what they show need not be what a class looks like.",
        "They fit the network and the protocol they were distilled with"
        + (f" (`{'`, `'.join(sorted(networks))}`)" if networks else "")
        + f"; {others} and other ways of training may gain less, and were not measured here.",
        "They live in the preprocessed space and unclamped: use the floats with the shipped preprocessing. PNG and "
        "parquet hold them rounded to 8 bits and clipped, which costs what the table says.",
        "They are no means of anonymisation: they are, start from or resemble real training images, and no privacy "
        "guarantee is made.",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return re.sub(r"\s+", " ", str(value))
