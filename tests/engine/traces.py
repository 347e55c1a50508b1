"""Loss traces of every method on the toy, stored: a change of the engine that changes numbers shows here.

    python -m tests.engine.traces --write

writes them anew, of every method that takes outer steps: only where a change of numbers is the point of a change, which
then says so. A method that is new gets its trace by the same command, which must leave the others as they are.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from core import methods
from core.engine.real import Real, prepare
from core.recipe import MeanStd
from tests.engine.conftest import small, two_digits
from tests.engine.still import states

FILE = Path(__file__).with_name("traces.json")
STEPS = 3
CORRECTED: dict[str, Any] = {"sdc": {"weight": 0.1, "schedule": "log"}}
PLUG_IN = " with sdc"
"""The ending of a name that adds `CORRECTED` to the method before it."""
WITHIN = 1e-4
"""Relative: AVX2 and SSE4 differ by 1e-6 here, two methods by 1e-3 and more."""


def trace(name: str, real: Real) -> list[float]:
    """The losses of the outer steps; then of the result: the images' norm, the labels' spread and the step size."""
    method, plugged_in, _ = name.partition(PLUG_IN)
    recipe = small(method, schedule__steps=STEPS, **(CORRECTED if plugged_in else {}))
    *_, last = found = states(recipe, real)
    leaves = last.result
    ends = [leaves.images.norm(), leaves.logits.norm(), leaves.log_step_size.exp()]
    return [state.loss for state in found[1:]] + [float(end) for end in ends]


def names() -> list[str]:
    """Every method with outer steps, and a host of each kind of penalty."""
    stepping = [name for name in methods.names() if small(name).schedule.steps]
    return [*stepping, f"mtt{PLUG_IN}", f"dsa{PLUG_IN}"]


def stored() -> dict[str, list[float]]:
    """The traces that were written last."""
    traces: dict[str, list[float]] = json.loads(FILE.read_text("utf-8"))
    return traces


def main() -> None:
    """Print the traces, or write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="replace the stored ones")
    options = parser.parse_args()
    torch.set_num_threads(1)
    real = prepare(two_digits(), MeanStd(), torch.device("cpu"))
    found = {name: trace(name, real) for name in names()}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps([float(f'{v:.7g}') for v in t])}" for name, t in found.items())
    print(lines)
    if options.write:
        FILE.write_text(f"{{\n{lines}\n}}\n", "utf-8")


if __name__ == "__main__":
    main()
