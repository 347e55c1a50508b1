"""The coverage of the test split by the result, and by as many random images: an evaluation's last step."""

from __future__ import annotations

from core.engine import coverage, kept, lines, stored
from core.engine.context import JobContext, follow
from core.engine.coverage import Witness
from core.engine.kept import Contents, Making
from core.engine.keys import Key
from core.engine.synthetic import SyntheticDataset
from core.plan.steps import TrainWitness
from core.report import Coverage

_FILE = "coverage.json"


def is_known(context: JobContext) -> bool:
    """Whether the checkpoint holds the coverage."""
    return stored.document(context.workspace.checkpoint(_FILE), None) is not None


def covered(context: JobContext, result: SyntheticDataset, behind: int, seen: Witness | None) -> Coverage | None:
    """The coverage of the report, after `behind` networks of the table.

    None where there was no time for its network, and where that diverged: the result itself is as good as before.

    Kept in the checkpoint. Random images are those of the report's line `random`.
    """
    asked = context.recipe.evaluation.coverage
    assert asked is not None, "a plan with this step"
    document = stored.document(context.workspace.checkpoint(_FILE), None)
    known = None if document is None else Coverage.model_validate(document)
    if known is None:
        if seen is None or not seen.is_sound:
            return None
        draws = lines.draws(context, result.counts(context.real.classes))
        found = follow(context, coverage.distances(context.network, seen, context.real, result.images, draws))
        known = coverage.table(found, seen, asked, context.network.name, len(result.images), len(context.real.train))
        context.workspace.store(_FILE, stored.written(known.document()))
    context.journal.progress(behind + 1, behind + 1)
    return known


def witness(context: JobContext, step: TrainWitness) -> Witness:
    """The network whose features are compared, and what it made of the test images.

    It is kept in the cache, since it does not depend on the job.
    """
    asked = context.recipe.evaluation.coverage
    assert asked is not None, "a plan with this step"

    def make(_: list[int]) -> Contents:
        found = yield from coverage.learn(asked, context.kernels, context.real, Key(0).fold("embedding"))
        return [stored.packed(stored.of(found.trained) | {"difficulty": found.difficulty})]

    making = Making(
        make,
        lambda source: stored.read(source, context.real.device),
        said=lambda found: "The network whose features tell what is covered was in the cache." if found else None,
    )
    (known,) = kept.gather(context, step.kept.files, making)
    return Witness(stored.trained(known), known["difficulty"])
