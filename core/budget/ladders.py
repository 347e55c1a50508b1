"""The order in which a job gives things up for time: a ladder for each objective, from a preset to the least job.

A rung has all changes of those above it, so that a ladder says in which order things are missed least. The sources of
the order, where something speaks for it (rows of benchmarks/RESULTS.md and CLAIMS.md, by section):

* Width 32 in the place of 128, with few experts and some 300 steps: "Fashion-MNIST, 10 images per class" (82.5 %, four
  experts of 7 epochs, 20 student steps) and "CIFAR-10, 10 images per class" (52.2 %, nine experts of 5 epochs at three
  times the rate, 320 steps), the best results measured without a GPU. Their commands are rungs of `TRAJECTORY`.
* Experts before evaluation: "CIFAR-10", second table: from three experts to nine the gain is some 1.3 points; from 300
  to 1,000 epochs of evaluation two points, which are of the evaluation and not of the images.
* Seeds from five to three: the mean is the same, its error 1.3 times as large.
* Epochs of evaluation down to 300, and 100 for labels in closed form or of views: the same rows, and the claims on
  twelfths of Fashion-MNIST and tenths of CIFAR-10 (CLAIMS.md), judged after 75 to 200 epochs.
* Fewer outer steps at a higher rate: `dsa` 150 steps at ten times the paper's rate (89.4 % on digits at one image a
  class), `frepo` 400 at fifty times (90.2 %), `rat-bptt` 150 at thirty times, their presets for digits: with Adam, and
  where losses are sums of cosines, images go as far as steps times rate.
* Fewer and shorter networks that only choose real images: the presets for digits, whose claims hold
  ("forgetting-digits-10", "herding-digits-1"); that scores need few networks is also in Paul et al. 2021.

The rest is arithmetic: what is dear and has no row is halved, one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

from core.budget.changes import AtMost, Change, Chosen, Faster, Shorter, Window, Without
from core.recipe.search import USUAL

FEWEST_SEEDS: Final = 3
"""Networks that judge a result, at least: fewer say nothing of how far they differ."""


@final
@dataclass(frozen=True)
class Rung:
    """A rung: changes, and the steps for which the rung above is left at the earliest, when it has time for no more."""

    changes: tuple[Change, ...]
    least: int = 1


@final
@dataclass(frozen=True)
class Ladder:
    """The rungs of an objective, what is lengthened to fill the time, and rates that rise as steps become fewer.

    The paths of `filled` are lengthened together, by the same share of the preset's, but never below what they say.
    """

    rungs: tuple[Rung, ...]
    filled: tuple[tuple[str, int], ...] = (("schedule.steps", 1),)
    paced: tuple[str, ...] = ()
    quicker: float = 1.0
    """Times by which they rise, at most."""


def _wide(width: int) -> tuple[Change, ...]:
    return AtMost("network.width", width), AtMost("teacher.network.width", width)


def _judged(epochs: int) -> tuple[Change, ...]:
    return tuple(AtMost(path, epochs) for path in ("evaluation.epochs", "schedule.stages.epochs", "rounds.epochs"))


def _choosing(networks: int, epochs: int) -> tuple[Change, ...]:
    """Networks that score or embed real images."""
    return (
        AtMost("init.score.networks", networks),
        AtMost("init.score.epochs", epochs),
        AtMost("rounds.score.networks", networks),
        AtMost("rounds.score.epochs", epochs),
        AtMost("init.embedding.epochs", epochs),
        AtMost("objective.judge.epochs", epochs),
    )


_EXTRAS: Final = (Without("evaluation.coverage"), Without("evaluation.across"))
_SEEDS: Final = (AtMost("evaluation.seeds", FEWEST_SEEDS),)

TRAJECTORY: Final = Ladder(
    (
        Rung((), 1000),
        Rung(_EXTRAS, 1000),
        Rung((*_SEEDS, AtMost("experts.count", 50)), 1000),
        Rung((*_wide(64), AtMost("experts.count", 20), *_choosing(3, 10)), 500),
        Rung((Window(20), Shorter(30), Chosen("init.beta", 0.5)), 500),
        Rung((*_wide(32), AtMost("experts.count", 9), Shorter(20), AtMost("schedule.stages.networks", 10)), 300),
        Rung((Faster(3, beyond=7), Window(5)), 300),
        Rung((AtMost("experts.count", 6), *_judged(500)), 200),
        Rung((AtMost("experts.count", 4), *_judged(300), *_choosing(1, 5)), 150),
        Rung((AtMost("experts.count", 3), Faster(3, beyond=4), Window(4), AtMost("schedule.stages.networks", 5)), 100),
        Rung((AtMost("experts.count", 2), Window(3), *_judged(150)), 60),
        Rung((Chosen("schedule.image_lr", USUAL), *_wide(16), Shorter(10), Window(2), *_choosing(1, 2)), 30),
        Rung((AtMost("experts.count", 1), Window(1), *_judged(60)), 10),
    )
)

DISTRIBUTION: Final = Ladder(
    (
        Rung((), 5000),
        Rung(_EXTRAS, 3000),
        Rung(_SEEDS, 2000),
        Rung(_wide(64), 1000),
        Rung((*_wide(32), AtMost("objective.real_batch", 128)), 500),
        Rung(_judged(300), 300),
        Rung((AtMost("objective.real_batch", 64),), 150),
        Rung(_judged(150), 60),
        Rung(_judged(60), 40),
        Rung(_wide(16), 20),
    )
)

GRADIENT: Final = Ladder(
    (
        Rung((), 1000),
        Rung(_EXTRAS, 1000),
        Rung((*_SEEDS, AtMost("objective.inner_images", 1000)), 1000),
        Rung((*_wide(64), AtMost("objective.inner_loops", 20)), 600),
        Rung((*_wide(32), AtMost("objective.real_batch", 128), AtMost("schedule.stages.networks", 10)), 300),
        Rung((AtMost("objective.inner_loops", 10), AtMost("objective.outer_loops", 20), *_judged(300)), 200),
        Rung((AtMost("objective.inner_images", 500), AtMost("objective.real_batch", 64)), 150),
        Rung((AtMost("objective.inner_loops", 5), AtMost("objective.outer_loops", 10)), 100),
        Rung((*_judged(150), AtMost("objective.inner_images", 200), AtMost("schedule.stages.networks", 5)), 60),
        Rung((*_wide(16), *_judged(60), AtMost("objective.inner_loops", 2)), 20),
    ),
    paced=("schedule.image_lr",),
    quicker=10,
)

PERFORMANCE: Final = Ladder(
    (
        Rung((), 2000),
        Rung(_EXTRAS, 2000),
        Rung((*_SEEDS, AtMost("objective.real_batch", 1000)), 1500),
        Rung((*_wide(64), AtMost("objective.window", 50)), 1000),
        Rung((Shorter(100), AtMost("objective.window", 40)), 600),
        Rung((*_wide(32), AtMost("objective.real_batch", 500)), 400),
        Rung((Shorter(60), AtMost("objective.window", 25), *_judged(300)), 250),
        Rung((Shorter(40), AtMost("objective.window", 15)), 150),
        Rung((Shorter(20), AtMost("objective.window", 8), AtMost("objective.real_batch", 250)), 80),
        Rung((*_wide(16), *_judged(150)), 40),
        Rung((Shorter(10), AtMost("objective.window", 5), *_judged(60)), 15),
    ),
    paced=("schedule.image_lr",),
    quicker=30,
)

REGRESSION: Final = Ladder(
    (
        Rung((), 3000),
        Rung(_EXTRAS, 3000),
        Rung(_SEEDS, 2000),
        Rung(_wide(64), 1500),
        Rung((*_wide(32), AtMost("objective.real_batch", 512)), 800),
        Rung((*_judged(300), AtMost("objective.real_batch", 256)), 400),
        Rung((AtMost("objective.pool.networks", 5), *_judged(150)), 150),
        Rung((*_wide(16), AtMost("objective.real_batch", 128), *_judged(60)), 40),
    ),
    paced=("schedule.image_lr", "labels.lr"),
    quicker=20,
)

STATISTICS: Final = Ladder(
    (
        Rung((), 1000),
        Rung(_EXTRAS, 1000),
        Rung(_SEEDS, 600),
        Rung((*_wide(64), *_choosing(3, 20)), 500),
        Rung((*_wide(32), AtMost("teacher.epochs", 10), *_choosing(3, 10)), 300),
        Rung(_judged(200), 250),
        Rung((AtMost("teacher.epochs", 5), AtMost("objective.adjust.steps", 6), *_choosing(1, 10)), 200),
        Rung((*_judged(100), *_choosing(1, 5)), 100),
        Rung((AtMost("teacher.epochs", 3),), 50),
        Rung((*_wide(16), *_judged(50), AtMost("teacher.epochs", 2), *_choosing(1, 2)), 20),
    )
)

PAIRED: Final = Ladder(
    (
        Rung((), 200),
        Rung(_EXTRAS, 200),
        Rung(_SEEDS, 150),
        Rung((*_wide(64), AtMost("init.crops", 3)), 100),
        Rung((*_wide(32), AtMost("teacher.epochs", 10)), 100),
        Rung((*_judged(200), AtMost("init.candidates", 100)), 60),
        Rung((AtMost("teacher.epochs", 5), AtMost("init.crops", 1)), 50),
        Rung(_judged(75), 30),
        Rung((*_judged(40), AtMost("teacher.epochs", 3)), 20),
        Rung((*_wide(16), *_judged(20), AtMost("teacher.epochs", 2)), 5),
    )
)

GENERATIVE: Final = Ladder(
    (
        Rung((), 10_000),
        Rung(_EXTRAS, 10_000),
        Rung((*_SEEDS, AtMost("objective.denoiser.depth", 9)), 5000),
        Rung((*_wide(64), AtMost("objective.denoiser.width", 128), AtMost("objective.autoencoder.width", 32)), 3000),
        Rung((*_wide(32), *_choosing(1, 10), AtMost("objective.denoiser.depth", 7)), 2000),
        Rung((*_judged(300), AtMost("objective.denoiser.batch_size", 64)), 1500),
        Rung((AtMost("objective.denoiser.width", 64), AtMost("objective.denoiser.depth", 5)), 500),
        Rung((*_judged(150), *_choosing(1, 4), AtMost("objective.candidates", 1)), 200),
        Rung((*_wide(16), *_judged(60), *_choosing(1, 2), AtMost("objective.denoiser.batch_size", 32)), 50),
    ),
    filled=(("objective.denoiser.steps", 1), ("objective.autoencoder.steps", 100)),
)

SELECTION: Final = Ladder(
    (
        Rung(()),
        Rung(_EXTRAS),
        Rung(_SEEDS),
        Rung((*_wide(64), *_choosing(3, 20), AtMost("teacher.epochs", 10))),
        Rung((AtMost("evaluation.epochs", 500), AtMost("init.meta.tasks", 50))),
        Rung((*_wide(32), *_choosing(3, 10), AtMost("init.steps", 200), AtMost("labels.support", 1000))),
        Rung((*_judged(300), Chosen("init.beta", 0.5), AtMost("init.meta.tasks", 20), AtMost("init.crops", 3))),
        Rung(_choosing(2, 10)),
        Rung((*_choosing(1, 10), AtMost("teacher.epochs", 5), AtMost("labels.networks", 4))),
        Rung((*_judged(150), *_choosing(1, 5), AtMost("init.steps", 100), AtMost("init.candidates", 100))),
        Rung((*_judged(100), AtMost("teacher.epochs", 3), Without("init.meta"), AtMost("labels.support", 500))),
        Rung((*_judged(60), *_choosing(1, 2), AtMost("teacher.epochs", 2), AtMost("init.steps", 20))),
        Rung(_wide(16)),
    ),
    filled=(),
)

TWO_LAYER: Final = Ladder(
    (
        Rung(()),
        Rung(_SEEDS),
        Rung((AtMost("objective.students", 4),)),
        Rung((AtMost("objective.rounds", 1), AtMost("objective.samples", 8192))),
        Rung((AtMost("objective.students", 2), AtMost("objective.samples", 4096))),
        Rung((AtMost("objective.width", 128), AtMost("objective.students", 1))),
    ),
    filled=(),
)

LADDERS: Final[Mapping[str, Ladder]] = {
    "trajectory": TRAJECTORY,
    "distribution": DISTRIBUTION,
    "gradient": GRADIENT,
    "performance": PERFORMANCE,
    "regression": REGRESSION,
    "statistics": STATISTICS,
    "paired": PAIRED,
    "generative": GENERATIVE,
    "nothing": SELECTION,
    "two_layer": TWO_LAYER,
}
"""The ladder of each kind of objective."""

MEASURED: Final[Mapping[tuple[str, str, int, str], Mapping[str, float]]] = {
    ("trajectory", "cifar10", 10, "zca"): {
        "step_size.initial": 0.03,
        "schedule.image_lr": 300.0,
    },
}
"""Settings that were measured at the width of 32 for a kind of objective, a dataset, an ipc and a preprocessing, where
they differ from what the preset has for wider networks: the row "CIFAR-10, 10 images per class" of RESULTS.md."""

NARROW: Final = 32
"""The width from which on the measured settings are taken."""
