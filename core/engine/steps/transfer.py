"""Architectures that the result was not distilled with: networks of each, trained on it and on random images."""

from __future__ import annotations

from typing import Any

from core.engine import jury, lines, stored
from core.engine.context import JobContext
from core.engine.networks import build
from core.engine.report import row
from core.engine.synthetic import SyntheticDataset
from core.engine.teacher import Teacher

_FILE = "across.json"


def across(
    context: JobContext, result: SyntheticDataset, behind: int, taught: Teacher | None = None
) -> list[dict[str, Any]]:
    """For each architecture of `evaluation.across` its name and the lines `distilled` and `random`, as of the report.

    Seeds, protocol, learning rate and random images are those of the recipe's own network. Each line is kept in the
    checkpoint once it is known. `behind` is how many networks of the table have been trained before.
    """
    evaluation, real, key = context.recipe.evaluation, context.real, context.key.fold("evaluate")
    known: dict[str, Any] = stored.document(context.workspace.checkpoint(_FILE), {})
    total = behind + 2 * evaluation.seeds * len(evaluation.across) + (evaluation.coverage is not None)
    every = []
    for architecture in evaluation.across:
        network = build(architecture, real.shape, real.classes)
        own = known.setdefault(network.name, {"network": network.name})
        for name in ("distilled", "random"):
            if name not in own:
                start = behind

                def say(share: float, start: int = start) -> None:
                    context.journal.progress(start + share * evaluation.seeds, total)

                if name == "distilled":
                    judges = lines.trained_on(context, result, result.images, architecture)
                    found = jury.tested(name, context, judges, say)
                else:
                    chosen, drawn = lines.draws(context, result.counts(real.classes)), key.fold("random")
                    found = lines.random(name, context, chosen, drawn, say, taught, architecture, result.stages)
                own[name] = row(found)
                context.workspace.store(_FILE, stored.written(known))
            behind += evaluation.seeds
            context.journal.progress(behind, total)
        every.append(own)
    return every
