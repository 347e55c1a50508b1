"""The coverage of the test split by the result, and by as many random images: an evaluation's last step."""

from __future__ import annotations

from core import recipe
from core.engine import coverage, kept, stored
from core.engine.context import JobContext, follow
from core.engine.coverage import Witness
from core.engine.kept import Contents, Making
from core.engine.keys import Key
from core.engine.steps import baselines
from core.engine.synthetic import SyntheticDataset
from core.plan.steps import Kept
from core.report import Coverage

_FILE = "coverage.json"


def covered(context: JobContext, result: SyntheticDataset, behind: int) -> Coverage | None:
    """The coverage of the report, after `behind` networks of the table; None where the recipe leaves it out.

    Kept in the checkpoint; what the network learned is kept in the cache, since it does not depend on the job. Random
    images are those of the report's line `random`.
    """
    asked = context.recipe.evaluation.coverage
    if asked is None:
        return None
    document = stored.document(context.workspace.checkpoint(_FILE), None)
    known = None if document is None else Coverage.model_validate(document)
    if known is None:
        seen = witness(context, asked)
        draws = baselines.draws(context, len(result.images))
        found = follow(context, coverage.distances(context.network, seen, context.real, result.images, draws))
        known = coverage.table(found, seen, asked, context.network.name, len(result.images), len(context.real.train))
        context.workspace.store(_FILE, stored.written(known.document()))
    context.journal.progress(behind + 1, behind + 1)
    return known


def witness(context: JobContext, asked: recipe.Coverage) -> Witness:
    """The network whose features are compared, and what it made of the test images: of the cache, or trained now."""

    def make(_: list[int]) -> Contents:
        found = yield from coverage.learn(asked, context.kernels, context.real, Key(0).fold("embedding"))
        return [stored.packed(stored.of(found.trained) | {"difficulty": found.difficulty})]

    making = Making(
        make,
        lambda source: stored.read(source, context.real.device),
        said=lambda found: "The network whose features tell what is covered was in the cache." if found else None,
    )
    (known,) = kept.gather(context, Kept.one(context.names.witness(asked)).files, making)
    return Witness(stored.trained(known), known["difficulty"])
