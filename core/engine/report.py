"""The honest report: every accuracy with its protocol, its seeds and the baselines beside it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from core import worth
from core.data import DatasetFacts
from core.engine import doubts
from core.engine.evaluate import Result, on_result
from core.engine.synthetic import SyntheticDataset
from core.recipe import Recipe

SCHEMA_VERSION = 1


def row(result: Result) -> dict[str, Any]:
    """One line of the report's table."""
    return {
        "name": result.name,
        "images": result.images,
        "network": result.network,
        "lr": result.lr,
        "n_seeds": len(result.scores),
        "accuracy_mean": result.mean,
        "accuracy_std": result.std,
        "accuracies": [score.accuracy for score in result.scores],
        "validation_mean": result.validation,
        "balanced_accuracy_mean": result.balanced,
        "balanced_accuracy_std": result.balanced_std,
        "per_class_mean": [statistics.fmean(c) for c in zip(*(s.per_class for s in result.scores), strict=True)],
        "one_class_networks": sum(score.one_class for score in result.scores),
        "seconds": sum(score.seconds for score in result.scores),
    }


def compose(
    recipe: Recipe,
    facts: DatasetFacts,
    rows: Sequence[Mapping[str, Any]],
    across: Sequence[Mapping[str, Any]] = (),
    *,
    test_counts: Sequence[int],
    clipped: float,
    bytes_images: int,
    bytes_labels: int,
    records: int | None,
    bytes_teacher: int | None,
    phases: Mapping[str, float],
    peak_memory_mib: float,
    memory: Mapping[str, Any],
    kernels: str,
    device: str,
    selection: str,
    real: int,
    sweep: Mapping[str, Any] | None,
    coverage: Mapping[str, Any] | None,
    neighbours: Mapping[str, Any] | None,
    stages: Mapping[str, Any] | None,
    probes: Sequence[Mapping[str, Any]],
    generator: Mapping[str, Any] | None,
    warnings: Sequence[str],
) -> dict[str, Any]:
    """The content of report.json; `stages` is what `curriculum_of` says of a result in stages.

    `test_counts` are the test images of each class, `clipped` the share of pixel values that 8 bits cannot hold.
    `across` has of each unseen architecture its lines `distilled` and `random`, and its name as `network`. The line
    `distilled` may have `confusion`, the counts [K][K] of test images by class and by what they were taken for.
    """
    rows = [_balanced(line, test_counts) for line in rows]
    by_name = {line["name"]: line for line in rows}
    distilled, gap = by_name["distilled"], worth.gap(rows)
    majority = worth.Majority.of(facts.class_names, test_counts)
    return {
        "schema_version": SCHEMA_VERSION,
        "protocol": recipe.evaluation.model_dump(mode="json"),
        "augment": recipe.augment.model_dump(mode="json"),
        "views": {
            "distilled": _views(recipe, all_real=False),
            "random": _views(recipe, all_real=True),
        },
        "n_seeds": recipe.evaluation.seeds,
        "results": [{name: value for name, value in line.items() if name != "confusion"} for line in rows],
        "across": across_of(across),
        "gap_closed": gap.share,
        "gap_reason": gap.reason,
        "majority": {"class": majority.name, "share": majority.share, "unequal": majority.unequal},
        "clipped": clipped,
        "compression": {
            "images_before": facts.train_count,
            "images_after": distilled["images"],
            "images_real": real,
            "bytes_before": facts.train_count * _pixels(facts),
            "bytes_after": bytes_images + bytes_labels,
            "bytes_images": bytes_images,
            "bytes_labels": bytes_labels,
        },
        "labels": {
            "kind": recipe.relabel.kind,
            "temperature": recipe.relabel.temperature,
            "records": records,
            "epochs_replayed": None if records is None else recipe.evaluation.epochs,
            "bytes_teacher": bytes_teacher,
        },
        "class_names": list(facts.class_names),  # in the order of the labels, which the keys of an object need not keep
        "per_class": dict(zip(facts.class_names, distilled["per_class_mean"], strict=True)),
        "confusion": distilled.get("confusion"),
        "selection": selection,
        "sweep": sweep and dict(sweep),
        "coverage": coverage and dict(coverage),
        "neighbours": neighbours and dict(neighbours),
        "stages": stages and dict(stages),
        "probes": [dict(probe) for probe in probes],
        "generator": generator and dict(generator),
        "phases": dict(phases),
        "peak_memory_mib": peak_memory_mib,
        "memory": dict(memory),
        "kernels": kernels,
        "device": device,
        "warnings": [
            *doubts.of_classes(by_name, majority),
            *warnings,
            *doubts.of_baselines(by_name),
            *doubts.of_pixels(by_name, clipped),
            *doubts.elsewhere(across),
            *doubts.of_labels(by_name, bytes_labels, bytes_teacher),
        ],
    }


def _views(recipe: Recipe, *, all_real: bool) -> str:
    """How networks see the images they are trained on; the transforms there are to draw from are the recipe's."""
    evaluation, transforms = recipe.evaluation, recipe.augment.transforms
    mixed = ", then mixed by CutMix" if evaluation.cutmix else ""
    if not (evaluation.augment and transforms):
        return f"as they are{mixed}"
    simple = " and ".join(word for name, word in (("crop", "cropped"), ("flip", "mirrored")) if name in transforms)
    words = {
        "batch": "one transform for each batch",
        "sample": "one transform for each image",
        "simple": simple,
        "combined": simple if all_real else f"synthetic images: one transform for each; real ones: {simple}",
    }
    return words[evaluation.policy] + mixed


def curriculum_of(recipe: Recipe, result: SyntheticDataset) -> dict[str, Any] | None:
    """The order in which networks were trained on a result in stages; None without stages.

    `total_epochs` are also those of the random images, and what a method without stages needs for a fair comparison.
    """
    protocol = on_result(recipe, result)
    if protocol.curriculum is None:
        return None
    stage, rates = protocol.curriculum.stage, protocol.curriculum.rates
    each = [
        {"images": int((stage == place).sum()), "trained_on": int((stage <= place).sum()), "lr": rate}
        for place, rate in enumerate(rates)
    ]
    return {"epochs": protocol.epochs, "total_epochs": protocol.total_epochs, "each": each}


def across_of(each: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The report's entry on unseen architectures: the lines of each, and means over all; None without any.

    A mean's spread is that over seeds of the accuracies' means over architectures, each seed's networks together.
    """
    if not each:
        return None
    mean = {}
    for name in ("distilled", "random"):
        seeds = [statistics.fmean(same) for same in zip(*(lines[name]["accuracies"] for lines in each), strict=True)]
        mean[name] = {
            "networks": len(each),
            "n_seeds": len(seeds),
            "accuracy_mean": statistics.fmean(seeds),
            "accuracy_std": statistics.stdev(seeds) if len(seeds) > 1 else 0.0,
            "accuracies": seeds,
        }
    return {"each": [dict(lines) for lines in each], "mean": mean}


def _balanced(line: Mapping[str, Any], counts: Sequence[int]) -> dict[str, Any]:
    """A line with its balanced accuracy, which references in a cache may lack: its mean follows from the classes'."""
    if line.get("balanced_accuracy_mean") is not None:
        return dict(line)
    return {**line, "balanced_accuracy_mean": worth.balanced(line["per_class_mean"], counts)}


def _pixels(facts: DatasetFacts) -> int:
    channels, height, width = facts.shape
    return channels * height * width
