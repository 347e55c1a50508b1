"""The report's warnings: sentences that a sceptic should read before the numbers."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Final

from core.report.results import TITLES, Majority, Row, Unseen, intervals

Rows = Mapping[str, Row]
"""The lines of the report by name."""

CLIPPED = 0.5
"""Share of the pixel values from which it is said that 8 bits do not hold them."""

UNCOVERED: Final = (
    "Nothing is told of coverage: the network whose features would tell it diverged. Lower evaluation.coverage.lr by a "
    "factor of ten."
)

_TENTHS: Final = 10
_TELLING: Final = 20
"""The least number of losses that say where matching has come to."""

_TRUSTED = 5  # seeds
_LOST = 0.02  # accuracy
_TRAINED = ("distilled", "distilled_8bit", "distilled_hard", "random", "random_hard", "full")
"""The lines whose networks were trained for them."""


def of_classes(by_name: Rows, majority: Majority) -> list[str]:
    """Lines that say less than knowing the largest class, and lines whose networks answer one class."""
    known = {name: by_name[name] for name in _TRAINED if name in by_name}
    stuck = [name for name, line in known.items() if _answers_one_class(line)]
    said = []
    if stuck:
        said.append(
            f"All networks trained on {_listed(stuck)} answer one class whatever they are shown: they have learned "
            "nothing, and their accuracy is the share of that class. Lower the rates they were trained with "
            "(evaluation.lr, evaluation.baseline_lrs, evaluation.full.lr), or train them for more epochs."
        )
    less = [name for name, line in known.items() if name not in stuck and line.accuracy_mean < majority.share]
    if less:
        each = ", ".join(f"{known[name].accuracy_mean:.1%}" for name in less)
        said.append(
            f"Always answering '{majority.name}', the largest class, would be right for {majority.share:.1%} of the "
            f"test images: more often than networks trained on {_listed(less)} are ({each})."
        )
    return said


def of_matching(losses: Sequence[float], step_size: float) -> list[str]:
    """On matching that led nowhere, by the `losses` of trajectories in their order; `step_size` is the first one."""
    if len(losses) < _TELLING or (loss := statistics.fmean(losses[-(len(losses) // _TENTHS) :])) < 1:
        return []
    return [
        "In the last tenth of the outer steps students end no nearer to the experts than they began: the loss is "
        f"{loss:.2f}, and 1 is that of not moving at all. Begin with half of the step size: set step_size.initial to "
        f"{step_size / 2:g}."
    ]


def of_baselines(by_name: Rows, full: str = "evaluation.full was left out", *, unequal: bool = False) -> list[str]:
    """How far the line of the distilled images can be trusted beside those of random ones and of everything.

    `full` says why there is no line of everything, where there is none.
    """
    doubts: list[str] = []
    distilled, means = by_name["distilled"], intervals(list(by_name.values()), unequal=unequal)[0]
    if distilled.n < _TRUSTED:
        doubts.append(f"Only {distilled.n} evaluation seeds: the spread is not to be trusted below five.")
    if "random" in by_name and means["distilled"].mean <= means["random"].mean:
        doubts.append("The distilled images train no better than random real images of the same number.")
    if "full" not in by_name:
        doubts.append(f"No reference on the full training set was trained ({full}).")
    elif "random" in by_name and means["full"].mean <= means["random"].mean:
        doubts.append("The reference on the full set is no better than random images: its training is too short.")
    return doubts


def of_networks(by_name: Rows, asked: int) -> list[str]:
    """On lines of fewer networks than were asked for, since there was no time for more."""
    counts = {by_name[name].n for name in ("distilled", "random", "random_hard") if name in by_name}
    if min(counts) >= asked:
        return []
    several = f"{min(counts)}" if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
    return [f"Each line was judged by {several} networks of the {asked} asked for: there was no time for more."]


def of_pixels(by_name: Rows, clipped: float, *, unequal: bool = False) -> list[str]:
    """Sentences on the accuracy that 8-bit pixels cost, and on pixel values that they cannot have."""
    doubts: list[str] = []
    if clipped > CLIPPED:
        doubts.append(
            f"{clipped:.0%} of the pixel values lie outside 0 to 255: the pictures and the 8-bit files hold the "
            "nearest that pixels can be, and show less than networks were trained on. A lower schedule.image_lr keeps "
            "more of them inside."
        )
    if "distilled_8bit" in by_name:
        means = intervals([by_name["distilled"], by_name["distilled_8bit"]], unequal=unequal)[0]
        lost = means["distilled"].mean - means["distilled_8bit"].mean
        if lost > _LOST:
            doubts.append(f"Rounded to 8-bit pixels the images lose {100 * lost:.1f} points: use dataset.safetensors.")
    return doubts


def elsewhere(across: Sequence[Unseen], *, unequal: bool = False) -> list[str]:
    """On which unseen architectures the images are of no use."""
    found = {each.network: intervals([each.distilled, each.random], unequal=unequal)[0] for each in across}
    worse = [network for network, means in found.items() if means["distilled"].mean <= means["random"].mean]
    if not worse:
        return []
    return [f"Networks of {', '.join(worse)} learn no more from the distilled images than from random real ones."]


def of_labels(by_name: Rows, labels: int, teacher: int | None, *, unequal: bool = False) -> list[str]:
    """Where the labels are the teacher's: what they cost, and what else could have been sent."""
    doubts: list[str] = []
    if "distilled_hard" not in by_name:
        return doubts
    means = intervals([by_name["distilled_hard"], by_name["random_hard"]], unequal=unequal)[0]
    hard, random = means["distilled_hard"].mean, means["random_hard"].mean
    if hard <= random:
        doubts.append(
            f"With one class an image the distilled images train to {hard:.1%} and random real ones to {random:.1%}: "
            "without the teacher's labels they are worth no more."
        )
    if teacher is not None and teacher < labels:
        doubts.append(
            f"The labels take {labels:,} bytes and the teacher {teacher:,}: who may be sent the teacher needs no "
            f"distilled images to reach its {by_name['teacher'].accuracy_mean:.1%}."
        )
    return doubts


def _answers_one_class(line: Row) -> bool:
    """Whether all networks of a line do; of one kept from before that was counted, by its accuracy in each class."""
    if line.one_class_networks is not None:
        return line.one_class_networks == line.n
    return sorted(line.per_class_mean or ())[-2:] == [0.0, 1.0]


def _listed(names: Sequence[str]) -> str:
    words = [TITLES[name] for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
