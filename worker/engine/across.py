"""Architectures that the result was not distilled with: networks of each, trained on it and on random images."""

from __future__ import annotations

from typing import Any

from core.engine.kernels import Eager
from core.engine.networks import SquaredError, build
from core.engine.report import row
from core.engine.synthetic import SyntheticDataset
from core.engine.teacher import Teacher
from worker.engine import baseline, keep
from worker.engine.bench import Bench
from worker.engine.follow import follow
from worker.engine.verdict import trained_on


def across(bench: Bench, result: SyntheticDataset, behind: int, taught: Teacher | None = None) -> list[dict[str, Any]]:
    """For each architecture of `evaluation.across` its name and the lines `distilled` and `random`, as of the report.

    Seeds, protocol, learning rate and random images are those of the recipe's own network. Each line is kept in the
    checkpoint once it is known. `behind` is how many networks of the table have been trained before.
    """
    evaluation, real, key = bench.job.recipe.evaluation, bench.real, bench.key.fold("evaluate")
    kept = bench.folder.checkpoint / "across.json"
    known: dict[str, Any] = keep.read(kept, {})
    total = behind + 2 * evaluation.seeds * len(evaluation.across) + (evaluation.coverage is not None)
    found = []
    for architecture in evaluation.across:
        network = build(architecture, real.shape, real.classes)
        kernels = Eager(network, SquaredError) if bench.job.recipe.regresses else Eager(network)
        lines = known.setdefault(network.name, {"network": network.name})
        for name in ("distilled", "random"):
            if name not in lines:
                chosen = baseline.draws(bench, len(result.images))
                work = (
                    trained_on(bench, result, name, result.images, kernels)
                    if name == "distilled"
                    else baseline.random(name, bench, chosen, key.fold("random"), taught, kernels)
                )
                start = behind

                def say(share: float, start: int = start) -> None:
                    bench.channel.progress(start + int(share * evaluation.seeds), total)

                lines[name] = row(follow(bench, work, say))
                keep.write(kept, known)
            behind += evaluation.seeds
            bench.channel.progress(behind, total)
        found.append(lines)
    return found
