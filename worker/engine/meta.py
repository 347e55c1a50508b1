"""Meta-train the generator that jobs of method `mgdd` will look for, ahead of them.

    python -m worker.engine.meta TARGET --source SOURCE [--set init.meta.tasks=400 ...]

Trains on subsets of SOURCE's classes with the settings that `mgdd` has for TARGET, and keeps the result in the cache of
this machine's worker (STILLHOUSE_HOME). A job on TARGET with {"init.source": "SOURCE"} and the same settings then only
adapts it; without the command the first such job does both.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from core import methods
from core.data import Catalogue, DatasetInvalid, DatasetUnavailable, UnknownDataset
from core.engine.cache import Cache
from core.engine.journal import Journal
from core.engine.meta_generator import Training
from core.engine.run import meta_train
from core.feasibility import sourced
from core.overrides import override
from core.recipe import Generated, RecipeError
from core.settings import settings
from worker.engine.disk_workspace import DiskWorkspace
from worker.engine.job import device, use_threads


def main(arguments: Sequence[str] | None = None) -> int:
    """0 once the generator is in the cache, 2 with what to change where it cannot be."""
    parser = argparse.ArgumentParser(prog="python -m worker.engine.meta", description=__doc__.splitlines()[0])
    parser.add_argument("target", help="dataset the jobs will be about")
    parser.add_argument("--source", required=True, help="dataset whose classes the generator is trained on")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=JSON", help="a field of the recipe")
    options = parser.parse_args(arguments)
    try:
        train(options.target, options.source, dict(_pair(text) for text in options.set))
    except (RecipeError, UnknownDataset, DatasetInvalid, DatasetUnavailable, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def train(target: str, source: str, changes: dict[str, Any]) -> None:
    """Put the generator into the cache."""
    known = settings()
    catalogue = Catalogue(known.datasets)
    facts = catalogue.facts(target)
    recipe = methods.method("mgdd").recipe(methods.Task(target, 1, facts.shape, facts.classes, facts.mirroring.allowed))
    dataset = catalogue.load(source)
    recipe = sourced(override(recipe, {"init.source": source} | changes), dataset.facts, facts)
    choice = recipe.init
    if not isinstance(choice, Generated) or choice.meta is None:
        raise ValueError("Nothing is to be meta-trained here: leave out --set init.kind and --set init.meta=null.")
    total = choice.meta.tasks * choice.meta.inner_steps
    use_threads(facts.shape)
    folder = known.experts
    folder.mkdir(parents=True, exist_ok=True)

    def told(state: Training) -> None:
        if state.step % max(1, total // 20) == 0:
            print(f"{state.step:,} of {total:,} steps", flush=True)

    def say(message: dict[str, Any]) -> None:
        if message["type"] == "log":
            print(message["message"])

    cache = Cache(folder, known.expert_cache_bytes)
    workspace = DiskWorkspace(Journal(say), cache, folder.parent, float("inf"), lambda: False)
    meta_train(recipe, choice, dataset, workspace, told, device(known.device))


def _pair(text: str) -> tuple[str, Any]:
    path, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--set {text} says no value: write PATH=JSON.")
    return path, json.loads(value)


if __name__ == "__main__":
    sys.exit(main())
