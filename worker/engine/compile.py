"""Compile what a job will call, before anybody asks for it: for an image, or on a new machine.

    python -m worker.engine.compile '{"dataset": "cifar10", "ipc": 10, "method": "mtt", "within": "20m"}'

The order is that of a job, on a dataset of the catalogue. The programs lie in HOME, where jobs look for them; they are
for this kind of processor, this number of threads and these versions, and a job that finds none that fits compiles as
ever. Each line that is printed is a document: the recipe's method, why these programs, their number and the seconds; of
an order that means nothing `refused`, which says why.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from core.data import Catalogue, DatasetFacts, DatasetUnavailable, UnknownDataset
from core.engine.kernel_plan import plan
from core.engine.kernels import Compiled, compile_ahead, measurement
from core.engine.networks import build
from core.forecast import Calibration, fitted_anywhere, raced_job
from core.methods import AUTO
from core.recipe import Recipe
from core.request import ENGINE_VERSION, JobOrder, JobRequest, resolve, settle
from core.settings import Settings, settings
from worker.engine.job import device, hardware, use_threads

_REFUSED: Final = 2


def compiled(order: dict[str, Any], where: Settings) -> Iterator[dict[str, Any]]:
    """Compile for an order; yields what was done for each recipe that a job of it may follow.

    Raises:
        ValueError: the order means nothing; the message has the fix.
    """
    asked = JobOrder.model_validate(order)
    facts = Catalogue(where.datasets).facts(asked.dataset)
    on = device(where.device)
    known = _measured(where.home.resolve() / "calibration", hardware(on))
    use_threads(facts.shape)
    request = settle(asked, facts)
    folder = where.experts.resolve().with_name("kernels")
    for name, recipe in recipes(request, facts, known):
        network, began = build(recipe.network, facts.shape, facts.classes), time.monotonic()
        verdict = measurement.read(folder, on)
        found = plan(recipe, facts, request.ipc, network, on, folder, compiles=where.compile == "auto", verdict=verdict)
        done = 0
        if isinstance(found.kernels, Compiled):
            lacking = [program for program in found.programs if not found.kernels.stored(*program, on)]
            for _ in compile_ahead(found.kernels, found.programs, on, alone=True):
                pass
            done = sum(found.kernels.stored(*program, on) for program in lacking)
        yield {
            "method": name,
            "reason": found.reason,
            "programs": len(found.programs),
            "compiled": done,
            "seconds": round(time.monotonic() - began, 1),
        }


def recipes(request: JobRequest, facts: DatasetFacts, known: Calibration | None) -> Iterator[tuple[str, Recipe]]:
    """The recipes that a job may follow, by method: its own, or those of the candidates of its search.

    Args:
        known: the measurement of this machine that a time is fitted by; two slow cores without one.

    Raises:
        RecipeError: nothing ends in its time.
    """
    whole, shape = resolve(request, facts), (facts, request.ipc)
    if not request.within:
        yield request.method, whole
    elif request.method == AUTO:
        soft = request.labels == "soft"
        _, entrants = raced_job(whole, *shape, known, (), request.within, request.fixed, soft=soft)
        yield from ((candidate.name, candidate.recipe) for candidate in entrants.candidates)
    else:
        found, _ = fitted_anywhere(whole, *shape, request.method, request.within, request.fixed, known=known)
        yield request.method, found


def _measured(folder: Path, machine: str) -> Calibration | None:
    """The newest measurement of this hardware by this engine in a folder, if there is one."""
    for path in sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True):
        try:
            found = Calibration.model_validate_json(path.read_bytes())
        except ValidationError:  # the order that a measurement was begun by
            continue
        if (found.hardware, found.engine) == (machine, ENGINE_VERSION):
            return found
    return None


def main() -> int:
    """Compile for the order of the command line."""
    parser = argparse.ArgumentParser(prog="python -m worker.engine.compile", description=__doc__)
    parser.add_argument("order", help="a job's body, in JSON")
    try:
        for done in compiled(json.loads(parser.parse_args().order), settings()):
            print(json.dumps(done), flush=True)
    except ValidationError as error:
        told = [f"{'.'.join(map(str, each['loc'])) or 'order'}: {each['msg']}" for each in error.errors()]
        return _refuse("\n".join(told))
    except (DatasetUnavailable, UnknownDataset, ValueError) as error:
        return _refuse(str(error))
    return 0


def _refuse(why: str) -> int:
    print(json.dumps({"refused": why}), flush=True)
    return _REFUSED


if __name__ == "__main__":
    sys.exit(main())
