"""What the result covers of the test split, beside as many random images: the last thing an evaluation looks at."""

from __future__ import annotations

from typing import Any

from core.engine import coverage
from core.engine.coverage import Witness
from core.engine.keys import Key
from core.engine.synthetic import SyntheticDataset
from core.recipe import Coverage
from worker.engine import baseline, keep, tensors
from worker.engine.bench import Bench
from worker.engine.follow import follow


def covered(bench: Bench, result: SyntheticDataset, behind: int) -> dict[str, Any] | None:
    """The coverage of the report, after `behind` networks of the table; None where the recipe leaves it out.

    Kept in the checkpoint; what the network learned is kept in the cache, since it does not depend on the job. Random
    images are those of the report's line `random`.
    """
    asked = bench.job.recipe.evaluation.coverage
    if asked is None:
        return None
    kept = bench.folder.checkpoint / "coverage.json"
    known: dict[str, Any] | None = keep.read(kept, None)
    if known is None:
        witness = _witness(bench, asked)
        draws = baseline.draws(bench, len(result.images))
        found = follow(bench, coverage.distances(bench.network, witness, bench.real, result.images, draws))
        known = {
            "network": bench.network.name,
            "training": asked.model_dump(mode="json"),
            **coverage.table(found, witness, len(result.images), len(bench.real.train)),
        }
        keep.write(kept, known)
    bench.channel.progress(behind + 1, behind + 1)
    return known


def _witness(bench: Bench, asked: Coverage) -> Witness:
    """The network whose features are compared, and what it made of the test images: of the cache, or trained now."""
    path = bench.cache.path(bench.names.witness(asked), ".safetensors")
    known = tensors.read(path, bench.real.device)
    if known is None:
        witness = follow(bench, coverage.learn(asked, bench.kernels, bench.real, Key(0).fold("embedding")))
        content = tensors.packed(tensors.of(witness.trained) | {"difficulty": witness.difficulty})
        bench.cache.write(path, content, bench.channel.log, keep=frozenset({path}))
        return witness
    bench.channel.log("The network whose features tell what is covered was in the cache.")
    return Witness(tensors.trained(known), known["difficulty"])
