"""The sentences of advice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, final

from core.advice.answer import Count, Estimate, Verdict
from core.advice.measured import Measured, Point
from core.advice.order import Question
from core.advice.study import METHOD
from core.methods.task import large_from

SURE: Final = 0.8
"""Share of the curves in which something must hold to be said."""

_MIDDLE = 0.5  # share that is left out for the window in the middle


@final
class Told(NamedTuple):
    """The numbers that a sentence is made of."""

    asked: Question
    measured: Measured
    ipc: int | None
    needed: Count | None
    distilled: Estimate | None
    random: Estimate | None
    equal: Count | None
    gains: float | None
    verdict: Verdict
    seconds: float | None
    last: int
    """The largest number of real images a class that anything is said of."""
    last_distilled: int
    reason: str | None
    """Why there is no number, where there is none."""


def sentence(told: Told) -> str:
    """The advice in one sentence."""
    if told.ipc is None or told.distilled is None:
        return _without_distilled(told)
    time = f" in about {duration(told.seconds)}" if told.seconds is not None else ""
    images = f"{told.ipc} distilled {_images(told.ipc)} a class{time}"
    if told.needed is not None:
        most = f"{told.needed.high}" if told.needed.high is not None else f"more than {told.last_distilled}"
        begin = f"About {images} ({told.needed.low} to {most}) reach {_target(told)}"
    else:
        begin = f"About {accuracy(told.distilled)}{_measure(told)} with {images}"
    return f"{begin}; {_compared(told)}"


def _without_distilled(told: Told) -> str:
    if told.equal is not None:
        return (
            f"About {count(told.equal)} real {_images(told.equal.expected)} a class reach {_target(told)}; "
            "nothing that was measured says that distilled ones do. Verdict: take the real images."
        )
    if told.random is not None:
        return (
            f"About {accuracy(told.random)}{_measure(told)} with {told.ipc} random real images a class; what "
            "distilling gains there the pilots do not tell. Verdict: none."
        )
    return f"No advice: {told.reason or 'the measurements do not reach so far.'}"


def _compared(told: Told) -> str:
    """The real images that do the same, and the verdict."""
    assert told.ipc is not None, "it is compared with so many"
    if told.gains is not None and told.gains < SURE and told.random is not None:
        worse = "worse than" if told.gains < 1 - SURE else "not measurably better than"
        same = f"that is {worse} as many random real ones ({accuracy(told.random)})"
        return f"{same}. Verdict: take {told.ipc} real {_images(told.ipc)} a class."
    if told.equal is None:
        return f"the same takes more than {told.last} real ones. Verdict: distil."
    same = f"the same takes about {count(told.equal)} real ones"
    if told.verdict == "distil":
        return f"{same}. Verdict: distil."
    return f"{same}. Verdict: take {told.equal.expected} real images a class unless bytes matter."


def basis(told: Told, windows: Sequence[tuple[Point, float]]) -> list[str]:
    """The grounds of the numbers."""
    measured, study = told.measured, told.measured.study
    evaluation = study.recipe.evaluation
    sizes = [each.ipc for each in measured.of("random")]
    said = [
        f"Networks ({measured.network}) were trained for {evaluation.epochs} epochs, {study.networks} a size, and "
        f"judged on {measured.validation:,} images of the validation split; a job with another network or a longer "
        "training reaches something else. Real images were measured at "
        f"{', '.join(map(str, sizes))} a class."
    ]
    if measured.balanced:
        said.append("Classes are of unequal size, so that all accuracies are balanced: the mean of each class's.")
    pilots = measured.of("distilled")
    if pilots:
        longest = max(each.seconds for each in pilots)
        said.append(
            f"Pilots by {METHOD} of {study.recipe.schedule.steps} steps ({duration(longest)} at most) distilled "
            f"{' and '.join(map(str, sorted({each.ipc for each in pilots})))} images a class; longer jobs and other "
            "methods may do better."
        )
    if told.asked.room is not None:
        bits = told.asked.stored["storage.bits"]
        said.append(
            f"{told.asked.room:,} bytes hold {told.ipc} {_images(told.ipc or 0)} a class of {bits} bits for each value "
            "of a pixel; those that were measured are as they were optimised, and may be worth more."
        )
    for point, lead in windows:
        kind = "the easiest kind" if point.skipped is not None and point.skipped > _MIDDLE else "medium difficulty"
        said.append(
            f"{point.ipc} real {_images(point.ipc)} a class of {kind} reach {100 * lead:.0f} points more than random "
            "ones (method `window`)."
        )
    if told.ipc is not None and told.ipc >= large_from(measured.smallest_class):
        said.append(
            "For as large a set methods `dual` and `self-evolved` choose real images, too; what they gain over random "
            "ones was not measured here."
        )
    if measured.left_out:
        said.append(f"The time did not suffice for: {'; '.join(measured.left_out)} (images a class).")
    return said


def too_few(measured: Measured, least: int) -> str:
    """The reason where no curve can be drawn."""
    return (
        f"real images were measured at {len(measured.of('random'))} sizes, and a curve takes {least} at two networks "
        "each. A quicker worker, or a dataset with more images a class, would allow one."
    )


def beyond_pilots(pilots: Sequence[int], further: int, ipc: int) -> str:
    """The reason why nothing is said of so many distilled images."""
    if not pilots:
        return no_pilots()
    return (
        f"No accuracy is said for {ipc} distilled images a class: pilots were made of "
        f"{' and '.join(map(str, pilots))}, and what they gain is carried on to "
        f"{further * pilots[-1] if len(pilots) > 1 else pilots[-1]} at most."
    )


def beyond_curve(measured: int, ipc: int) -> str:
    """The reason why nothing is said of so many real images."""
    return (
        f"No accuracy is said for {ipc} real images a class: the largest size that was measured is {measured}, and "
        "curves are continued to twice as many."
    )


def no_pilots() -> str:
    """The reason where no pilot came to its end."""
    return "No pilot distillation came to its end in the time there was, so nothing is said of distilled images."


def no_full(measured: int) -> str:
    """The reason why no share of the gap is said."""
    return (
        f"What the whole training set reaches was not measured (only {measured} images a class), so a share of the gap "
        "means nothing here: ask for an accuracy instead."
    )


def out_of_reach(asked: Question, ceiling: tuple[int, Estimate, bool], last: int, measured: Measured) -> str:
    """The reason why no number of distilled images is said."""
    size, reached, everything = ceiling
    if asked.gap is not None:
        return f"Up to {last} distilled images a class, as far as pilots support, that share of the gap is not closed."
    assert asked.accuracy is not None, "a target is an accuracy or a share"
    if everything and asked.accuracy > reached.high:
        return (
            f"All {size} images a class reach {accuracy(reached)}, so {_percent(asked.accuracy)} is beyond what this "
            f"data teaches this network: ask for {_percent(reached.low)} at most."
        )
    if asked.accuracy > reached.high:
        return (
            f"The curve of real images, continued to {size} a class, reaches {accuracy(reached)}; whether anything "
            f"reaches {_percent(asked.accuracy)} the measurements do not tell."
        )
    share = _percent(asked.accuracy)
    return f"Up to {last} distilled images a class, as far as the pilots support, {share} is not reached."


def too_slow(ipc: int, seconds: float, within: float) -> str:
    """The remark on a job that takes longer than there is."""
    return (
        f"A whole job of {ipc} images a class by {METHOD} takes about {duration(seconds)} here, more than the "
        f"{duration(within)} asked for: with `within` the job is made smaller, and reaches less."
    )


def accuracy(estimate: Estimate) -> str:
    """An accuracy with half the width of its interval: `81 ± 2 %`."""
    reach = max(estimate.high - estimate.expected, estimate.expected - estimate.low)
    digits = 1 if 100 * reach < 1 else 0
    return f"{100 * estimate.expected:.{digits}f} ± {100 * reach:.{digits}f} %"


def count(images: Count) -> str:
    """A number of images with its interval."""
    if images.high is None:
        return f"{images.expected} (at least {images.low})"
    return f"{images.expected} ({images.low} to {images.high})" if images.low < images.high else f"{images.expected}"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _target(told: Told) -> str:
    if told.asked.gap is not None:
        return f"{100 * told.asked.gap:.0f} % of the gap"
    return _percent(told.asked.accuracy or 0.0) + _measure(told)


def _measure(told: Told) -> str:
    return " balanced accuracy" if told.measured.balanced else ""


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _images(count: int) -> str:
    return "image" if count == 1 else "images"
