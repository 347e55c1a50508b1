"""The honest report: every accuracy with its protocol, its seeds and the baselines beside it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch

from core import weight, worth
from core.data import DatasetFacts
from core.engine import ending
from core.engine.context import JobContext
from core.engine.evaluate import Result, on_result
from core.engine.memory import peak_mib
from core.engine.synthetic import SyntheticDataset
from core.engine.teacher import Teacher
from core.recipe import Compact, Recipe
from core.report import (
    SCHEMA_VERSION,
    Across,
    Ended,
    Entry,
    Majority,
    Report,
    Row,
    Stage,
    Stages,
    Unseen,
    Within,
    doubts,
)
from core.report.results import intervals


@final
@dataclass(frozen=True)
class Distillation:
    """The result of a job, and what `compose` makes a report of.

    `context.recipe` has a number for everything that the recipe left to a search.
    """

    context: JobContext
    result: SyntheticDataset
    selection: str
    """How the state was chosen that is the result."""
    rows: list[dict[str, Any]]
    """The lines of the report (`row`)."""
    across: list[dict[str, Any]]
    """For each unseen architecture its lines `distilled` and `random`, and its name as `network`."""
    analyses: Mapping[str, Entry | None]
    """Entries of the report by field; None where the recipe leaves one out."""
    teacher: Teacher | None
    ended: Ended | None = None
    """Where the job was ended early."""
    seeds: int = 0
    """Networks of each line that were asked for; there may have been no time for all of them."""


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


def merged(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The line of several networks, of the lines of each."""
    names = ("accuracy", "balanced_accuracy")
    each = {name: [line[f"{name}_mean"] for line in lines] for name in names}
    return {
        **lines[0],
        "n_seeds": len(lines),
        **{f"{name}_mean": statistics.fmean(each[name]) for name in names},
        **{f"{name}_std": statistics.stdev(each[name]) if len(lines) > 1 else 0.0 for name in names},
        "accuracies": each["accuracy"],
        "validation_mean": statistics.fmean(line["validation_mean"] for line in lines),
        "per_class_mean": [statistics.fmean(c) for c in zip(*(line["per_class_mean"] for line in lines), strict=True)],
        "one_class_networks": sum(line["one_class_networks"] for line in lines),
        "seconds": sum(line["seconds"] for line in lines),
    }


def compose(done: Distillation, hardware: str, remarks: Sequence[str] = (), within: Within | None = None) -> Report:
    """The report of a result that `hardware` computed; `remarks` are said among its warnings."""
    context, result, recipe = done.context, done.result, done.context.recipe
    facts, relabel, views = context.dataset.facts, recipe.relabel, result.views
    counts = torch.from_numpy(context.dataset.test.labels).bincount(minlength=facts.classes).tolist()
    rows = [Row.model_validate(_balanced(line, counts)) for line in done.rows]
    lines = {row.name: row for row in rows}
    majority = Majority.of(facts.class_names, counts)
    unequal = majority.unequal
    gap = worth.gap(intervals(rows, unequal=unequal)[0])
    across, clipped = across_of(done.across), result.transform.clipped(result.images)
    teacher = None if done.teacher is None else done.teacher.nbytes
    of_distilled = next(line for line in done.rows if line["name"] == "distilled")
    each = result.counts(facts.classes)
    is_covered = not recipe.evaluation.coverage or done.analyses.get("coverage") is not None
    diverged = not is_covered and not (done.ended and ending.COVERAGE in done.ended.left_out)
    losses = [point["value"] for point in context.journal.curves() if point["name"] == "loss"]
    matches = recipe.objective.kind == "trajectory" and recipe.schedule.stages.count == 1
    missing = "the job was ended early" if recipe.evaluation.full else within and within.without_reference
    return Report.model_validate(
        {
            "schema_version": SCHEMA_VERSION,
            **({} if facts.kind == "pictures" else {"kind": facts.kind}),
            "protocol": recipe.evaluation.model_dump(mode="json"),
            "augment": recipe.augment.model_dump(mode="json"),
            "views": {"distilled": _views(recipe, all_real=False), "random": _views(recipe, all_real=True)},
            "n_seeds": recipe.evaluation.seeds,
            "results": rows,
            "across": across,
            "gap_closed": gap.share,
            "gap_reason": gap.reason,
            "majority": majority,
            "clipped": clipped,
            "compression": {
                "images_before": facts.train_count,
                "images_after": len(result.images),
                "images_real": int(result.real.sum()),
                "bytes_before": facts.train_count * math.prod(facts.shape) * (1 if facts.kind == "pictures" else 4),
                **_bytes(recipe, facts, result),
            },
            "labels": {
                "kind": relabel.kind,
                "temperature": relabel.temperature,
                "records": None if views is None else len(views),
                "epochs_replayed": None if views is None else recipe.evaluation.epochs,
                "bytes_teacher": teacher,
            },
            "class_names": facts.class_names,
            "images_per_class": None if len(set(each)) == 1 else each,
            "per_class": dict(zip(facts.class_names, of_distilled["per_class_mean"], strict=True)),
            "confusion": of_distilled.get("confusion"),
            "selection": done.selection,
            "ended": done.ended,
            "within": within,
            "race": context.race,
            "aim": context.aim,
            "sweep": context.sweep,
            "stages": curriculum_of(recipe, result),
            "probes": context.probes,
            "generator": context.sampled.facts if context.sampled else None,
            **done.analyses,
            "phases": {phase: round(seconds, 3) for phase, seconds in context.journal.seconds.items()},
            "peak_memory_mib": round(peak_mib(context.real.device), 1),
            "memory": context.plan.memory,
            "kernels": context.plan.reason,
            "device": hardware,
            "warnings": [
                *doubts.of_classes(lines, majority),
                *remarks,
                *(doubts.of_matching(losses, recipe.step_size.initial) if matches else []),
                *doubts.of_networks(lines, done.seeds),
                *doubts.of_baselines(lines, *([missing] if missing else []), unequal=unequal),
                *doubts.of_pixels(lines, clipped, unequal=unequal),
                *doubts.elsewhere(across.each if across else (), unequal=unequal),
                *doubts.of_labels(lines, result.bytes_labels, teacher, unequal=unequal),
                *([doubts.UNCOVERED] if diverged else []),
            ],
        }
    )


def _bytes(recipe: Recipe, facts: DatasetFacts, result: SyntheticDataset) -> dict[str, float]:
    """Bytes of a result and of its parts: of the compact file, or in memory as optimised."""
    if isinstance(recipe.storage, Compact) and result.stored is not None:
        parts = weight.parts(recipe, facts, len(result.stored) // facts.classes)
        found: dict[str, float] = {f"bytes_{name}": size for name, size in parts.items()}
        found |= {"bytes_after": sum(parts.values()), "bits_per_value": recipe.storage.bits}
    else:
        found = {"bytes_images": result.bytes_images, "bytes_labels": result.bytes_labels}
        found["bytes_after"] = result.bytes_images + result.bytes_labels
    return found | {"bits_per_class": round(8 * found["bytes_after"] / facts.classes, 1)}


def _views(recipe: Recipe, *, all_real: bool) -> str:
    """How networks see the images they are trained on; the transforms there are to draw from are the recipe's."""
    evaluation, transforms = recipe.evaluation, recipe.augment.transforms
    mixed = ""
    if evaluation.cutmix:
        share, others = evaluation.cutmix.probability, tuple(name for name in transforms if name != "cutout")
        mixed = ", then mixed by CutMix" if share == 1 else f", {share:.0%} of the batches then mixed by CutMix"
        mixed += " in the place of cutout" if others != transforms else ""
        transforms = others
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


def curriculum_of(recipe: Recipe, result: SyntheticDataset) -> Stages | None:
    """The order in which networks were trained on a result in stages; None without stages."""
    protocol = on_result(recipe, result)
    if protocol.curriculum is None:
        return None
    stage, rates = protocol.curriculum.stage, protocol.curriculum.rates
    each = tuple(
        Stage(images=int((stage == place).sum()), trained_on=int((stage <= place).sum()), lr=rate)
        for place, rate in enumerate(rates)
    )
    return Stages(epochs=protocol.epochs, total_epochs=protocol.total_epochs, each=each)


def across_of(each: Sequence[Mapping[str, Any]]) -> Across | None:
    """The report's entry on unseen architectures: the lines of each, and means over all; None without any.

    A mean's spread is that over seeds of the accuracies' means over architectures, each seed's networks together. Where
    lines have fewer networks than others, since time ran short, only the seeds that all lines have count.
    """
    if not each:
        return None
    mean = {}
    common = min(len(lines[name]["accuracies"]) for lines in each for name in ("distilled", "random"))
    for name in ("distilled", "random"):
        accuracies = [lines[name]["accuracies"][:common] for lines in each]
        seeds = [statistics.fmean(same) for same in zip(*accuracies, strict=True)]
        mean[name] = Row(
            networks=len(each),
            n_seeds=len(seeds),
            accuracy_mean=statistics.fmean(seeds),
            accuracy_std=statistics.stdev(seeds) if len(seeds) > 1 else 0.0,
            accuracies=tuple(seeds),
            balanced_accuracy_mean=_mean_of_all([lines[name].get("balanced_accuracy_mean") for lines in each]),
        )
    return Across(each=tuple(Unseen.model_validate(lines) for lines in each), mean=mean)


def _mean_of_all(values: Sequence[float | None]) -> float | None:
    """Their mean; None if one is not known."""
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if len(known) == len(values) else None


def _balanced(line: Mapping[str, Any], counts: Sequence[int]) -> dict[str, Any]:
    """A line with its balanced accuracy, which references in a cache may lack: its mean follows from the classes'."""
    if line.get("balanced_accuracy_mean") is not None:
        return dict(line)
    return {**line, "balanced_accuracy_mean": worth.balanced(line["per_class_mean"], counts)}
