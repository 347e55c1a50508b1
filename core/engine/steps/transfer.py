"""Architectures that the result was not distilled with: networks of each, trained on it and on random images."""

from __future__ import annotations

from typing import Any

from core.engine import lines, stored
from core.engine.context import JobContext, follow
from core.engine.kernels import Eager
from core.engine.networks import SquaredError, build
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
    found = []
    for architecture in evaluation.across:
        network = build(architecture, real.shape, real.classes)
        kernels = Eager(network, SquaredError) if context.recipe.regresses else Eager(network)
        own = known.setdefault(network.name, {"network": network.name})
        for name in ("distilled", "random"):
            if name not in own:
                chosen = lines.draws(context, result.counts(context.real.classes))
                work = (
                    lines.trained_on(context, result, name, result.images, kernels)
                    if name == "distilled"
                    else lines.random(name, context, chosen, key.fold("random"), taught, kernels, result.stages)
                )
                start = behind

                def say(share: float, start: int = start) -> None:
                    context.journal.progress(start + int(share * evaluation.seeds), total)

                own[name] = row(follow(context, work, say))
                context.workspace.store(_FILE, stored.written(known))
            behind += evaluation.seeds
            context.journal.progress(behind, total)
        found.append(own)
    return found
