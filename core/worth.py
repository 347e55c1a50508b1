"""The reading of several networks' accuracies: an interval, a share of the gap to the full set, balance.

Numbers alone, which the engine's report and the pages that show it both need.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final


def quantile(freedom: int, share: float = 0.975) -> float:
    """The quantile of Student's t distribution below which a `share` lies, the upper end of a 95 % interval unasked."""
    from scipy.special import stdtrit  # here, since it takes a while to import and a list of jobs needs none

    return float(stdtrit(freedom, share))


@final
@dataclass(frozen=True)
class Interval:
    """A mean accuracy and its 95 % confidence interval over networks, by Student's t; no reach where there was one."""

    mean: float
    seeds: int
    std: float | None
    reach: float | None
    """Half the width of the interval."""

    @classmethod
    def over(cls, mean: float, std: float | None, seeds: int) -> Interval:
        """The interval of the mean of so many networks, from its standard deviation."""
        std = (std or 0.0) if seeds > 1 else None
        reach = None if std is None else quantile(seeds - 1) * std / math.sqrt(seeds)
        return cls(mean, seeds, std, reach)

    @property
    def low(self) -> float:
        """Where the interval begins, within 0 and 1."""
        return max(0.0, self.mean - (self.reach or 0.0))

    @property
    def high(self) -> float:
        """Where it ends."""
        return min(1.0, self.mean + (self.reach or 0.0))

    def below(self, other: Interval) -> bool:
        """Whether this one ends before the other begins."""
        return self.high < other.low

    def __str__(self) -> str:
        if self.reach is None:
            return f"{100 * self.mean:.1f} %"
        return f"{100 * self.low:.1f} to {100 * self.high:.1f} %"  # not ±, which stands for a standard deviation


@final
@dataclass(frozen=True)
class Gap:
    """The share of the gap between random images and the full set that distilled images close, or why none is said."""

    share: float | None
    reason: str | None = None


def gap(lines: Mapping[str, Interval]) -> Gap:
    """(distilled - random) / (full - random) of lines of a report by name, where that says something.

    It does where the 95 % intervals of the three means are apart and in the order random, distilled, full. Otherwise
    either the gap itself was not measured, or the distilled images lie at or beyond one of its ends within the spread;
    `reason` then says which, in a sentence.
    """
    if "distilled" not in lines or "random" not in lines:
        return Gap(None, "Without a line for distilled and one for random images there is no gap.")
    if "full" not in lines:
        return Gap(None, "No reference on the full training set was trained, so there is no gap to close a share of.")
    distilled, random, full = lines["distilled"], lines["random"], lines["full"]
    if full.mean <= random.mean:
        return Gap(None, "The reference on the full training set is no better than random images: there is no gap.")
    if distilled.reach is None or random.reach is None or full.reach is None:
        return Gap(None, "One network a line has no spread: two at least (evaluation.seeds) say how sure a share is.")
    if not random.below(full):
        return Gap(
            None,
            f"How large the gap is was not measured: the 95 % intervals of random images ({random}) and of the full "
            f"training set ({full}) overlap. More networks (evaluation.seeds) or a longer reference "
            "(evaluation.full.epochs) would tell them apart.",
        )
    above, below = random.below(distilled), distilled.below(full)
    if above and below:
        return Gap((distilled.mean - random.mean) / (full.mean - random.mean))
    if above:
        if full.below(distilled):
            return Gap(
                None, f"Better than the reference on the full training set ({full}), which is trained otherwise."
            )
        return Gap(None, f"As good as the full training set ({full}) within the spread.")
    if below:
        if distilled.below(random):
            return Gap(None, f"Worse than random images ({random}).")
        return Gap(None, f"No better than random images ({random}) within the spread.")
    return Gap(
        None,
        f"The 95 % interval of the distilled images ({distilled}) reaches from random images ({random}) to the full "
        f"training set ({full}): more networks (evaluation.seeds) are needed to say where between them they are.",
    )


def balanced(per_class: Sequence[float], counts: Sequence[int]) -> float:
    """The mean of the shares recognised of each class, of those that have `counts` of test images."""
    return statistics.fmean(share for share, count in zip(per_class, counts, strict=True) if count)
