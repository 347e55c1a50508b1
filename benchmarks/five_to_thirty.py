"""From 5 to 30 % of a dataset: every way to a small set beside random real images, in three regimes of labels.

    python -m benchmarks.five_to_thirty --data DIR --home DIR [--shares 5 10 20 30] [--arms NAME ...] [--seeds 5]
                                        [--budget HOURS] [--write]

DIR holds cifar10.npz. Each arm has a job of its own for every share and seed, with a set of its own; all arms of a
regime have one student, as many of its steps whatever the share, and one kind of labels. A row of every job is kept in
benchmarks/five_to_thirty.jsonl, where a run that follows finds it: the table is made in pieces, and on more than one
machine. After `--budget` hours no further job is begun. `--write` puts the table into docs/FIVE_TO_THIRTY.md, and the
pictures of it into docs/pictures. All accuracies are of the last iterate, in 8 bits, on the untouched test split.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from PIL.Image import Image

from benchmarks import jobs
from benchmarks.claims import judge
from benchmarks.jobs import Ask, Finished, Order
from benchmarks.machine import commit
from benchmarks.rows import percent, table
from benchmarks.sections import placed
from benchmarks.subsets import DATASETS, Changes
from core.artifacts.chart import chart
from core.hardware import processor
from core.report import Curves, Series
from core.report.section import size

ROWS: Final = Path(__file__).with_name("five_to_thirty.jsonl")
PAGE: Final = Path(__file__).parents[1] / "docs" / "FIVE_TO_THIRTY.md"
PICTURES: Final = PAGE.with_name("pictures")

DATASET: Final = "cifar10-1000"
IMAGES: Final = 1000
"""Training images a class, of which a set has its share."""
SHARES: Final = (5, 10, 20, 30)

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Arm:
    """A way to a set: a method, and changes to its recipe, at some shares others than at the rest.

    drawn: whether it is in the picture; a part of an ablation is only in the table.
    """

    name: str
    method: str
    changes: Changes = field(default_factory=dict)
    at: Mapping[int, Changes] = field(default_factory=dict)
    drawn: bool = True


@dataclass(frozen=True)
class Regime:
    """Arms whose labels are of one kind; the first is what the others have to beat."""

    name: str
    title: str
    changes: Changes
    arms: tuple[Arm, ...]


STEPS: Final = 1500
BATCH: Final = 64
"""Images of a student's step."""

_STUDENT: Final = {
    "network.norm": "batch",
    "evaluation.policy": "combined",
    "evaluation.schedule": "cosine",
    "evaluation.batch_size": BATCH,
    "evaluation.seeds": 1,
    "evaluation.full": None,
    "evaluation.coverage": None,
}
_HARD: Final = {"evaluation.lr": 0.03, "evaluation.baseline_lrs": [0.03]}
_TAUGHT: Final = {
    "teacher": {"network": {"kind": "convnet", "width": 32, "norm": "batch"}, "epochs": 40, "batch_size": BATCH},
    "evaluation.optimiser": "adamw",
    "evaluation.weight_decay": 0.01,
    "evaluation.lr": 0.001,
    "evaluation.baseline_lrs": [0.001],
}
_TRAJECTORIES: Final = {  # experts of 3,160 steps; segments of 158, matched by twenty of the student's
    "experts.count": 3,
    "experts.epochs": 40,
    "experts.batch_size": 128,
    "experts.augment": True,
    "objective.syn_steps": 20,
    "objective.expert_epochs": 2,
    "objective.max_start_epoch": 36,
    "objective.batch_size": BATCH,
    "step_size.initial": 0.02,
    "schedule.steps": 200,
    "schedule.image_lr": 1000.0,
}
_SCORED: Final = {"init.score.networks": 3, "init.score.epochs": 30}
_ROUNDS: Final = {"rounds.score.networks": 3, "rounds.score.epochs": 30}
_PUBLISHED: Final[Mapping[int, Changes]] = {  # SelMatch's, for CIFAR-10 at these shares
    share: {"init.beta": beta, "parameterize.update": alpha}
    for share, beta, alpha in ((5, 0.5, 0.6), (10, 0.3, 0.2), (20, 0.2, 0.1), (30, 0.2, 0.1))
}
_BETAS: Final = {share: {"init.beta": changes["init.beta"]} for share, changes in _PUBLISHED.items()}
_ALPHAS: Final = {
    share: {"parameterize.update": changes["parameterize.update"]} for share, changes in _PUBLISHED.items()
}

REGIMES: Final = (
    Regime(
        "hard",
        "A class an image",
        _HARD,
        (
            Arm("random", "random"),
            Arm("window", "window", _SCORED, _BETAS),
            Arm("forgetting", "forgetting", _SCORED),
            Arm("DUAL", "dual"),
            Arm("self-evolved", "self-evolved", _ROUNDS),
            Arm("MTT", "mtt", _TRAJECTORIES),
            Arm("SelMatch", "selmatch", _TRAJECTORIES | _SCORED, _PUBLISHED),
            Arm(
                "SelMatch, 1,000 steps",
                "selmatch",
                _TRAJECTORIES | _SCORED | {"schedule.steps": 1000},
                _PUBLISHED,
                drawn=False,
            ),
            Arm(
                "SelMatch, from random images",
                "selmatch",
                _TRAJECTORIES | {"init": {"kind": "real"}},
                _ALPHAS,
                drawn=False,
            ),
            Arm(
                "SelMatch, all images distilled",
                "selmatch",
                _TRAJECTORIES | _SCORED | {"parameterize.update": 1.0},
                _BETAS,
                drawn=False,
            ),
        ),
    ),
    Regime(
        "soft",
        "Probabilities an image",
        _TAUGHT | {"relabel": {"kind": "soft"}},
        (
            Arm("random", "random"),
            Arm("self-evolved", "self-evolved", _ROUNDS),
            Arm("RDED", "rded"),
            Arm("CCFS", "ccfs", _ROUNDS),
            Arm("MTT", "mtt", _TRAJECTORIES),
            Arm("SelMatch", "selmatch", _TRAJECTORIES | _SCORED, _PUBLISHED),
        ),
    ),
    Regime(
        "views",
        "Probabilities of each view",
        _TAUGHT | {"relabel": {"kind": "views"}},
        (
            Arm("random", "random"),
            Arm("RDED", "rded"),
            Arm("CCFS", "ccfs", _ROUNDS),
            Arm("FADRM", "fadrm"),
        ),
    ),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, print the tables or write the page."""
    options = _options(arguments)
    chosen = [regime for regime in REGIMES if not options.regimes or regime.name in options.regimes]
    with jobs.serving(options, {DATASET}) as ask:
        for seed in range(options.seeds):  # outermost, so that a budget that ends too soon leaves pairs of every arm
            for regime, arm in [(each, arm) for each in chosen for arm in each.arms]:
                if options.arms and arm.name not in options.arms:
                    continue
                for share in options.shares:
                    _had(ask, regime, arm, share, seed)
    rows, pictures = list(known()), PICTURES if options.write else None
    told = "\n\n".join(filter(None, (said(regime, rows, pictures) for regime in REGIMES)))
    if options.write:
        PAGE.write_text(placed(PAGE.read_text("utf-8"), "rows", "Rows", told), "utf-8")
    else:
        print(told)


def known() -> Iterator[Row]:
    """The rows of the jobs that have finished."""
    if ROWS.exists():
        yield from map(json.loads, ROWS.read_text("utf-8").splitlines())


def order(regime: Regime, arm: Arm, share: int, seed: int) -> Order:
    """The job of an arm: the same student's steps whatever the share."""
    ipc = round(IMAGES * share / 100)
    batches = math.ceil(ipc * 10 / BATCH)
    changes = {**DATASETS[DATASET].overrides, **_STUDENT, **regime.changes, "evaluation.epochs": round(STEPS / batches)}
    told = f"{regime.name}, {arm.name}, {share} %"
    return Order(told, DATASET, ipc, arm.method, seed, {**changes, **arm.changes, **arm.at.get(share, {})})


def _had(ask: Ask, regime: Regime, arm: Arm, share: int, seed: int) -> None:
    """A row of this job, unless there is one."""
    place = {"regime": regime.name, "arm": arm.name, "share": share, "seed": seed}
    if any(all(row[name] == value for name, value in place.items()) for row in known()):
        return
    job = ask(order(regime, arm, share, seed))
    if job is not None:
        with ROWS.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**place, **_figures(job), "commit": commit(), "processor": processor()}) + "\n")


def _figures(job: Finished) -> Row:
    """Figures of the set whose pixels are rounded to 8 bits, as all real images have them."""
    told = job.report["compression"]
    return {
        "accuracy": round(job.accuracy("distilled_8bit"), 4),
        "floats": round(job.accuracy(), 4),
        "seconds": round(job.seconds, 1),
        "making": round(job.making, 1),
        "bytes": told["bytes_after"] - told["bytes_images"] // 4 * 3,
    }


def said(regime: Regime, rows: Sequence[Row], pictures: Path | None) -> str:
    """The table of a regime, and a picture of it in that folder; nothing where it has no rows."""
    rows = [row for row in rows if row["regime"] == regime.name]
    if not rows:
        return ""
    lines = [line for share in SHARES for arm in regime.arms if (line := _line(regime, arm, share, rows))]
    parts = [f"### {regime.title}", table(_HEAD, lines)]
    if pictures:
        name = f"five-to-thirty-{regime.name}.png"
        picture(regime, rows).save(pictures / name)
        parts.insert(1, f"![accuracy against share](pictures/{name})")
    return "\n\n".join(parts)


_HEAD: Final = (
    "share, arm",
    "accuracy",
    "over random, points",
    "p",
    "n",
    "seconds to make, at most",
    "bytes",
    "commit",
)


def _line(regime: Regime, arm: Arm, share: int, rows: Sequence[Row]) -> list[str] | None:
    """The line of an arm at a share, compared pair by pair with random images; None where nothing was run."""
    own, beside = (_by_seed(rows, name, share) for name in (arm.name, regime.arms[0].name))
    if not own:
        return None
    pairs = sorted(own.keys() & beside.keys()) if arm is not regime.arms[0] else []
    compared = ["", ""]
    if len(pairs) > 1:
        verdict = judge(*([each[seed]["accuracy"] for seed in pairs] for each in (own, beside)))
        compared = [f"{100 * verdict.difference:+.1f}", f"{verdict.p:.2g}"]
    found = list(own.values())
    making, stored = (max(row[name] for row in found) for name in ("making", "bytes"))
    accuracy = percent([row["accuracy"] for row in found])
    commits = ", ".join(sorted({row["commit"] for row in found}))
    return [f"{share} %, {arm.name}", accuracy, *compared, str(len(found)), f"{making:,.0f}", size(stored), commits]


def _by_seed(rows: Sequence[Row], arm: str, share: int) -> dict[int, Row]:
    return {row["seed"]: row for row in rows if (row["arm"], row["share"]) == (arm, share)}


_STROKES: Final = ("solid", "dashed", "dotted")


def picture(regime: Regime, rows: Sequence[Row]) -> Image:
    """Mean accuracy against share, a line an arm that is drawn."""
    series = []
    for place, arm in enumerate(arm for arm in regime.arms if arm.drawn):
        found = {share: list(_by_seed(rows, arm.name, share).values()) for share in SHARES}
        means = {share: statistics.fmean(row["accuracy"] for row in each) for share, each in found.items() if each}
        points = [(float(share), mean) for share, mean in means.items()]
        if points:
            colour, stroke = divmod(place, len(_STROKES))
            series.append(Series(name=arm.name, points=tuple(points), colour=colour, stroke=_STROKES[stroke]))
    heights = [height for line in series for _, height in line.points]
    low, high = (by(10 * height) / 10 for by, height in ((math.floor, min(heights)), (math.ceil, max(heights))))
    told = f"{DATASETS[DATASET].told}; mean accuracy on the test split"
    curves = Curves(title=told, x_name="images kept, %", series=tuple(series))
    return chart(curves, regime.title, (low, high))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    jobs.add_options(parser)
    parser.add_argument("--shares", type=int, nargs="+", choices=SHARES, default=list(SHARES), help="per cent")
    parser.add_argument("--regimes", nargs="+", choices=[regime.name for regime in REGIMES])
    names = sorted({arm.name for regime in REGIMES for arm in regime.arms})
    parser.add_argument("--arms", nargs="+", choices=names, metavar="NAME")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
