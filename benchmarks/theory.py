"""The worth of dimension, directions, samples, points and width to a regression memory, against known truth.

    python -m benchmarks.theory --home DIR [--seeds 5] [--only PART ...] [--write]

Five parts, each a sweep over one number: `dimension` (16 to 128), `directions` (1 to 6, and 1 to 48 points), `samples`
(2 to 80 times the square of the dimension), `width` (64 to 1024) and `third`, the target that must fail. Every cell is
kept in DIR as soon as it is measured: run again, only what is missing is. All of it takes some ten minutes of two
cores. `--write` puts the tables into benchmarks/CLAIMS.md and the plots into docs/theory.

Exponents are least-squares slopes of logarithms over all seeds' cells, with 95 % intervals from 2,000 resamplings of
the seeds. The knee M*(r) is the number of points from which on 90 % of what 48 points explain is explained, between two
measured numbers by interpolation on a logarithmic scale.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks import sections
from benchmarks.machine import describe
from benchmarks.rows import mean_and_deviation, table
from core.artifacts.chart import chart
from core.data.multi_index import MultiIndex, parse
from core.engine.two_layer import labels, measures, student
from core.engine.two_layer.labels import Real
from core.engine.two_layer.points import Points, distilled
from core.engine.two_layer.student import Memory
from core.engine.two_layer.sweep import Sweeper
from core.engine.workspace import InMemory
from core.files import write_atomic
from core.recipe import TwoLayer
from core.report import Curves, Series

Cell = dict[str, float]
PICTURES: Final = Path(__file__).parents[1] / "docs" / "theory"
DIMENSIONS, DIRECTIONS = (16, 32, 64, 96, 128), (1, 2, 3, 4, 5, 6)
POINTS, WIDTHS, SAMPLES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48), (64, 128, 256, 512, 1024), (2, 5, 10, 20, 40, 80)
THIRD: Final = ((32, 2), (64, 2), (32, 4), (64, 4))
_REAL: Final = 16_384
_RIDGE, _BIAS = 1e-4, 2.0
_RESAMPLED: Final = 2000


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is missing, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(arguments)
    options.home.mkdir(parents=True, exist_ok=True)
    found = {part: measured(options.home / f"{part}.json", PARTS[part], options.seeds) for part in options.only}
    said = "\n\n".join([*(TABLES[part](cells) for part, cells in found.items()), _cost(found, options.home)])
    print(said)
    if options.write:
        sections.write("theory", "What a regression memory needs", said)
        draw({part: cells for part, cells in found.items() if part in CHARTS})


def measured(file: Path, part: Mapping[str, Callable[[int], Cell]], seeds: int) -> dict[str, list[Cell]]:
    """The cells of a part by name, one a seed; seeds are outermost, so that a run that ends early has some of each."""
    known: dict[str, list[Cell]] = json.loads(file.read_text()) if file.exists() else {}
    for seed in range(seeds):
        for name, measure in part.items():
            cells = known.setdefault(name, [])
            if len(cells) <= seed:
                began = time.process_time()
                cells.append({**measure(seed), "seconds": time.process_time() - began})
                write_atomic(file, json.dumps(known).encode())
    return {name: known[name] for name in part}


def slope(x: Sequence[float], rows: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """The slope of log y over log x of rows [seed][x], with the ends of its 95 % interval over resampled seeds."""
    across, values = np.log(x), np.log(np.maximum(rows, 1e-9))

    def fitted(means: np.ndarray) -> float:
        return float(np.polyfit(across, means, 1)[0])

    generator = np.random.default_rng(0)
    drawn = generator.integers(len(values), size=(_RESAMPLED, len(values)))
    low, high = np.quantile([fitted(values[each].mean(0)) for each in drawn], (0.025, 0.975))
    return fitted(values.mean(0)), float(low), float(high)


def knee(errors: Mapping[int, float]) -> float:
    """The points from which on 90 % of what the most of them explain is explained."""
    counts = sorted(errors)
    goal = 0.9 * (1 - errors[counts[-1]])
    place = max((i + 1 for i, count in enumerate(counts) if 1 - errors[count] < goal), default=0)
    if place == 0:
        return float(counts[0])
    below, above = 1 - errors[counts[place - 1]], 1 - errors[counts[place]]
    share = (goal - below) / (above - below)
    return math.exp(math.log(counts[place - 1]) + share * math.log(counts[place] / counts[place - 1]))


def _points(task: MultiIndex, width: int, count: int, seed: int) -> Points:
    return distilled(Sweeper(task, InMemory(), lambda: None), TwoLayer(width=width), count, seed)


def _memory(task: MultiIndex, made: Points, width: int, seed: int, students: int = 8) -> Memory:
    given = made.points.astype(np.float32)
    real, seeds = Real(task, min(_REAL, task.n)), labels.matched_seeds(seed, students)
    found = labels.distilled(given.astype(np.float64), width, seeds, real, _RIDGE, _BIAS, lambda: None)
    return Memory(given, found.astype(np.float32), seed, _RIDGE, _BIAS)


def _of_dimension(d: int) -> Callable[[int], Cell]:
    def measure(seed: int) -> Cell:
        task = parse(f"multi-index:d={d},r=2,n={40 * d * d},seed={seed}")
        made, real = _points(task, 384, 8, seed), Real(task, min(_REAL, task.n))
        memory, rest = _memory(task, made, 384, seed), (384, seed, _RIDGE, _BIAS)
        return {
            "alignment": measures.subspace(made.points, task.subspace()).alignment,
            "own": measures.error(task, student.train(memory)),
            "fresh": measures.error(task, student.train(memory, 10**9 + seed)),
            "raw": measures.error(task, measures.on_raw(task, 8, *rest)),
            "random": measures.error(task, measures.random_features(real, *rest)),
            "oracle": measures.error(task, measures.oracle_features(real, *rest)),
        }

    return measure


def _of_directions(r: int) -> Callable[[int], Cell]:
    def measure(seed: int) -> Cell:
        task = parse(f"multi-index:d=32,r={r},n={60 * 32 * 32},seed={seed}")
        made, real = _points(task, 512, POINTS[-1], seed), Real(task, _REAL)
        return {
            str(count): measures.error(
                task, real.solved(*student.hidden(made.points[:count], 512, seed, _BIAS), _RIDGE)
            )
            for count in POINTS
        }

    return measure


def _of_samples(share: int) -> Callable[[int], Cell]:
    def measure(seed: int) -> Cell:
        task = parse(f"multi-index:d=48,r=2,n={share * 48 * 48},seed={seed}")
        return {"alignment": measures.subspace(_points(task, 384, 8, seed).points, task.subspace()).alignment}

    return measure


def _of_width(width: int) -> Callable[[int], Cell]:
    def measure(seed: int) -> Cell:
        task = parse(f"multi-index:d=32,r=2,n={60 * 32 * 32},seed={seed}")
        memory = _memory(task, _points(task, width, 12, seed), width, seed, students=4)
        return {"fresh": measures.error(task, student.train(memory, 10**9 + seed))}

    return measure


def _of_third(d: int, r: int) -> Callable[[int], Cell]:
    def measure(seed: int) -> Cell:
        task = parse(f"multi-index:d={d},r={r},link=he3,n={40 * d * d},seed={seed}")
        return {"alignment": measures.subspace(_points(task, 384, 8, seed).points, task.subspace()).alignment}

    return measure


PARTS: Final[Mapping[str, Mapping[str, Callable[[int], Cell]]]] = {
    "third": {f"{d},{r}": _of_third(d, r) for d, r in THIRD},
    "samples": {str(share): _of_samples(share) for share in SAMPLES},
    "dimension": {str(d): _of_dimension(d) for d in DIMENSIONS},
    "directions": {str(r): _of_directions(r) for r in DIRECTIONS},
    "width": {str(width): _of_width(width) for width in WIDTHS},
}
"""The cells of each part by name, each a function of the seed."""

Cells = Mapping[str, Sequence[Cell]]


def _third(cells: Cells) -> str:
    rows = []
    for name, each in cells.items():
        d, r = map(int, name.split(","))
        rows.append([name.replace(",", ", "), _told(each, "alignment"), f"{r / d:.3f}", f"{3 * r / d:.3f}", _n(each)])
    head = ["d, r", "alignment", "r / d", "3 r / d", "n"]
    return (
        f"Third degree alone, which one gradient step cannot see; 8 points, L = 384, n = 40 d².\n\n{table(head, rows)}"
    )


def _samples(cells: Cells) -> str:
    rows = [[name, _told(each, "alignment"), _n(each)] for name, each in cells.items()]
    off = _matrix(cells, lambda cell: 1 - cell["alignment"])
    words = (
        f"Alignment by samples; d = 48, r = 2, 8 points, L = 384. {_said('1 - alignment', 'n', slope(SAMPLES, off))}"
    )
    return f"{words}\n\n{table(['n / d²', 'alignment', 'n'], rows)}"


def _dimension(cells: Cells) -> str:
    names = ("alignment", "own", "fresh", "raw", "random", "oracle")
    rows = [
        [name, *(_told(each, line) for line in names), f"{8 * int(name) + 384:,}", _n(each)]
        for name, each in cells.items()
    ]
    head = ["d", "alignment", "student of its seed", "of a fresh seed", "8 raw samples", "random features"]
    head += ["true directions", "floats", "n"]
    found = slope(DIMENSIONS, _matrix(cells, lambda cell: cell["fresh"]))
    words = (
        f"Error as a share of the target's variance; r = 2, 8 points, L = 384, n = 40 d². {_said('error', 'd', found)}"
    )
    return f"{words}\n\n{table(head, rows)}"


def _directions(cells: Cells) -> str:
    rows = [
        [name, *(_told(each, str(count)) for count in POINTS), mean_and_deviation(_knees(each), 1), _n(each)]
        for name, each in cells.items()
    ]
    found = slope(DIRECTIONS, [list(each) for each in zip(*(_knees(each) for each in cells.values()), strict=True)])
    words = (
        "Error by points, second layers solved on real data; d = 32, L = 512, n = 60 d². "
        f"{_said('the knee M*', 'r', found)}"
    )
    return f"{words}\n\n{table(['r', *map(str, POINTS), 'knee M*', 'n'], rows)}"


def _width(cells: Cells) -> str:
    rows = [[name, _told(each, "fresh"), f"{12 * 32 + int(name):,}", _n(each)] for name, each in cells.items()]
    found = slope(WIDTHS, _matrix(cells, lambda cell: cell["fresh"]))
    words = f"Error of fresh students by width; d = 32, r = 2, 12 points, n = 60 d². {_said('error', 'L', found)}"
    return f"{words}\n\n{table(['L', 'error', 'floats', 'n'], rows)}"


TABLES: Final[Mapping[str, Callable[[Cells], str]]] = {
    "third": _third,
    "samples": _samples,
    "dimension": _dimension,
    "directions": _directions,
    "width": _width,
}


def _said(what: str, by: str, found: tuple[float, float, float]) -> str:
    return f"As a power of {by}, {what} has the exponent {found[0]:.2f} (95 %: {found[1]:.2f} to {found[2]:.2f})."


def _told(cells: Sequence[Cell], line: str) -> str:
    return mean_and_deviation([cell[line] for cell in cells])


def _n(cells: Sequence[Cell]) -> str:
    return str(len(cells))


def _matrix(cells: Cells, value: Callable[[Cell], float]) -> list[list[float]]:
    return [list(map(value, row)) for row in zip(*cells.values(), strict=True)]


def _knees(cells: Sequence[Cell]) -> list[float]:
    return [knee({count: cell[str(count)] for count in POINTS}) for cell in cells]


def _cost(found: Mapping[str, Cells], home: Path) -> str:
    seconds = sum(cell["seconds"] for cells in found.values() for each in cells.values() for cell in each)
    return f"{describe(home)}; {seconds:,.0f} seconds of processor time in all"


def _lines(cells: Cells, line: str) -> Sequence[tuple[float, float]]:
    return tuple((float(name), min(1.0, float(np.mean([cell[line] for cell in each])))) for name, each in cells.items())


def _by_directions(cells: Cells) -> tuple[Series, ...]:
    strokes = ("solid", "dashed", "dotted")
    return tuple(
        Series(
            name=f"r = {name}",
            points=tuple((count, min(1.0, float(np.mean([cell[str(count)] for cell in each])))) for count in POINTS),
            colour=place // 3,
            stroke=strokes[place % 3],
        )
        for place, (name, each) in enumerate(cells.items())
    )


CHARTS: Final[Mapping[str, tuple[str, str, Callable[[Cells], tuple[Series, ...]]]]] = {
    "directions": ("Error by points, second layers solved on real data; d = 32, L = 512", "points", _by_directions),
    "dimension": (
        "Error and alignment at 8 points; r = 2, L = 384, n = 40 d²",
        "dimension d",
        lambda cells: (
            Series(name="error of fresh students", points=tuple(_lines(cells, "fresh"))),
            Series(name="error of random features", points=tuple(_lines(cells, "random")), stroke="dashed"),
            Series(name="alignment", points=tuple(_lines(cells, "alignment")), colour=1),
        ),
    ),
    "samples": (
        "Alignment by samples; d = 48, r = 2, 8 points",
        "samples over d²",
        lambda cells: (Series(name="alignment", points=tuple(_lines(cells, "alignment"))),),
    ),
    "width": (
        "Error of fresh students by width; d = 32, r = 2, 12 points",
        "hidden units L",
        lambda cells: (Series(name="error", points=tuple(_lines(cells, "fresh"))),),
    ),
}
"""The title, the name of the x axis and the lines of each plot."""


def draw(found: Mapping[str, Cells]) -> None:
    """Write the plots, one a part."""
    PICTURES.mkdir(exist_ok=True)
    for part, cells in found.items():
        title, across, lines = CHARTS[part]
        curves = Curves(title=title, x_name=across, series=lines(cells))
        chart(curves, "A regression memory for two-layer networks").save(PICTURES / f"{part}.png")


if __name__ == "__main__":
    main()
