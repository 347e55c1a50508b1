"""The report: what it says of lines of numbers, under the field names that it has had from the beginning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.data import Dataset
from core.engine.journal import Journal
from core.engine.report import Distillation, compose
from core.engine.run import distil
from core.engine.workspace import InMemory
from core.recipe import Recipe
from core.report import Report
from core.report.section import Measure
from tests.engine.conftest import small


def line(name: str, mean: float, seeds: int = 5, std: float = 0.01) -> dict[str, Any]:
    return {
        "name": name,
        "images": 4,
        "accuracy_mean": mean,
        "accuracy_std": std,
        "n_seeds": seeds,
        "per_class_mean": [mean, mean],
    }


@pytest.fixture(scope="module")
def done(toy: Dataset) -> Distillation:
    """A job whose lines the tests put in the place of its own."""
    made = distil(small("random"), toy, 2, 0)
    return replace(made, result=replace(made.result, step_size=0.01))


def composed(
    done: Distillation, *lines: dict[str, Any], recipe: Recipe | None = None, counts: Sequence[int] = (5, 5)
) -> dict[str, Any]:
    """The report of a job with these lines, whose test split has so many images of each class."""
    labels = np.repeat([0, 1], counts)
    dataset = done.context.dataset
    dataset = replace(dataset, test=replace(dataset.test.take(labels), labels=labels))
    context = replace(done.context, recipe=recipe or small("mtt"), dataset=dataset)
    return compose(replace(done, context=context, rows=list(lines)), "cpu").document()


def test_what_is_taken_for_what_is_said_once_and_only_of_the_images_themselves(done: Distillation) -> None:
    told = composed(done, line("distilled", 0.9) | {"confusion": [[4, 1], [0, 5]]}, line("random", 0.6))
    assert told["confusion"] == [[4, 1], [0, 5]]
    assert told["class_names"] == list(done.context.dataset.facts.class_names)
    assert not any("confusion" in row for row in told["results"])
    assert composed(done, line("distilled", 0.9))["confusion"] is None


def test_the_gap_closed(done: Distillation) -> None:
    told = composed(done, line("distilled", 0.9), line("random", 0.6), line("full", 1.0))
    assert told["gap_closed"] == pytest.approx(0.75)
    assert told["gap_reason"] is None
    assert told["warnings"] == []


def test_no_share_of_a_gap_is_said_that_was_not_measured(done: Distillation) -> None:
    """Two networks a line, of which the reference's ended far from each other."""
    lines = line("distilled", 0.355, 2), line("random", 0.325, 2), line("full", 0.345, 2, std=0.064)
    told = composed(done, *lines, counts=(1, 9))
    assert told["gap_closed"] is None
    assert "full training set (0.0 to 92.0 %) overlap" in told["gap_reason"]


def test_unequal_classes_are_told_and_what_is_below_the_largest_is_doubted(done: Distillation) -> None:
    below = line("distilled", 0.455) | {"per_class_mean": [0.79, 0.42]}
    told = composed(done, below, line("random", 0.42), line("full", 0.99), counts=(10, 90))
    assert told["majority"] == {"class": "1", "share": 0.9, "unequal": True}
    assert told["results"][0]["balanced_accuracy_mean"] == pytest.approx(0.605)
    (doubt,) = (warning for warning in told["warnings"] if "largest class" in warning)
    assert "right for 90.0% of the test images" in doubt
    assert "these images and as many random real images are (45.5%, 42.0%)" in doubt
    assert told["warnings"][0] == doubt
    assert not composed(done, below, line("random", 0.42), counts=(48, 52))["majority"]["unequal"]


def test_lines_are_compared_by_balanced_accuracy_where_classes_are_unequal(done: Distillation) -> None:
    """By accuracy a network that answers the larger class closes most of a gap, and one that knows both none."""

    def both(name: str, accuracy: float, balanced: float) -> dict[str, Any]:
        balance = {"balanced_accuracy_mean": balanced, "balanced_accuracy_std": 0.01}
        return line(name, accuracy, std=0.01) | balance

    lines = both("distilled", 0.7, 0.8), both("random", 0.8, 0.6), both("full", 0.99, 1.0)
    told = composed(done, *lines, counts=(10, 90))
    assert told["gap_closed"] == pytest.approx(0.5)
    assert not any("no better than random" in warning for warning in told["warnings"])
    told = composed(done, *lines, counts=(50, 50))
    assert told["gap_closed"] is None
    assert any("no better than random" in warning for warning in told["warnings"])


def test_every_comparison_goes_by_balanced_accuracy_where_classes_are_unequal(done: Distillation) -> None:
    """Comparisons of 8-bit pixels, hard labels, unseen architectures: by accuracy each would be doubted."""

    def both(name: str, accuracy: float, balanced: float) -> dict[str, Any]:
        balance = {"balanced_accuracy_mean": balanced, "balanced_accuracy_std": 0.01}
        return line(name, accuracy) | balance | {"accuracies": [accuracy] * 5}

    better, worse = both("distilled", 0.7, 0.8), both("random", 0.8, 0.6)
    lines = better, worse, both("distilled_8bit", 0.6, 0.8), both("distilled_hard", 0.7, 0.8)
    elsewhere = [{"network": name, "distilled": better, "random": worse} for name in ("Mlp", "LeNet")]
    given = replace(done, across=elsewhere)
    said = [
        " ".join(composed(given, *lines, both("random_hard", 0.8, 0.6), counts=counts)["warnings"])
        for counts in ((10, 90), (50, 50))
    ]
    for doubt in ("8-bit pixels the images lose", "they are worth no more", "Mlp, LeNet learn no more"):
        assert [doubt in each for each in said] == [False, True]
    across = Report.model_validate(composed(given, *lines, both("random_hard", 0.8, 0.6), counts=(10, 90))).across
    assert across is not None
    for unequal, values in ((True, [0.8, 0.6]), (False, [0.7, 0.8])):
        section = across.section(unequal=unequal)
        assert section.measures is not None
        for each in section.measures.lines:
            assert [cell.value for cell in each.cells[:2] if isinstance(cell, Measure)] == pytest.approx(values)
        assert ("each class counts alike" in section.words[0]) == unequal


def test_a_class_without_test_images_is_in_no_balance(done: Distillation) -> None:
    told = composed(done, line("distilled", 0.8) | {"per_class_mean": [0.8, 0.0]}, counts=(5, 0))
    assert told["results"][0]["balanced_accuracy_mean"] == 0.8
    assert told["majority"]["unequal"]


@pytest.mark.parametrize("counted", [True, False], ids=["counted", "kept from before that was counted"])
def test_networks_that_answer_one_class_are_no_measurement(done: Distillation, counted: bool) -> None:
    stuck = line("random", 0.5) | {"per_class_mean": [0.0, 1.0]} | ({"one_class_networks": 5} if counted else {})
    said = composed(done, line("distilled", 0.9), stuck, line("full", 1.0))["warnings"]
    assert "trained on as many random real images answer one class" in said[0]
    some = stuck | {"one_class_networks": 4}
    assert composed(done, line("distilled", 0.9), some, line("full", 1.0))["warnings"] == []


def test_the_report_says_what_views_each_line_was_trained_on(done: Distillation) -> None:
    told = composed(done, line("distilled", 0.9), recipe=small("mtt", evaluation__policy="combined"))
    assert "one transform for each" in told["views"]["distilled"]
    assert told["views"]["random"] == "cropped", "all its images are real, and no digit is mirrored"
    mirrored = small("rded", augment__transforms=("crop", "flip"))
    assert composed(done, line("distilled", 0.9), recipe=mirrored)["views"]["distilled"] == "cropped and mirrored"
    plain = small("mtt", augment__transforms=())
    assert composed(done, line("distilled", 0.9), recipe=plain)["views"]["random"] == "as they are"
    assert composed(done, line("distilled", 0.9))["views"]["random"] == "one transform for each batch"


@pytest.mark.parametrize(
    ("lines", "doubt"),
    [
        ([line("distilled", 0.5), line("random", 0.6), line("full", 1.0)], "no better than random"),
        ([line("distilled", 0.9, seeds=3), line("random", 0.6), line("full", 1.0)], "Only 3 evaluation seeds"),
        ([line("distilled", 0.9), line("random", 0.6)], "No reference"),
        ([line("distilled", 0.9), line("random", 0.6), line("full", 0.5)], "too short"),
        (
            [line("distilled", 0.9), line("distilled_8bit", 0.8), line("random", 0.6), line("full", 1.0)],
            "lose 10.0 points",
        ),
    ],
)
def test_the_report_doubts_what_deserves_doubt(done: Distillation, lines: list[dict[str, Any]], doubt: str) -> None:
    assert any(doubt in warning for warning in composed(done, *lines)["warnings"])


def test_matching_that_led_nowhere_is_told_with_a_step_size_to_begin_with(done: Distillation) -> None:
    lines = line("distilled", 0.9), line("random", 0.6), line("full", 1.0)

    def warned(losses: Sequence[float], recipe: Recipe | None = None) -> list[str]:
        journal = Journal()
        journal.recall([{"step": step, "seconds": 0.0, "name": "loss", "value": it} for step, it in enumerate(losses)])
        context = replace(done.context, workspace=InMemory(journal))
        warnings: list[str] = composed(replace(done, context=context), *lines, recipe=recipe)["warnings"]
        return warnings

    lost = [0.7] * 36 + [0.95, 1.3, 1.0, 1.15]
    (warning,) = warned(lost, small("mtt", step_size__initial=0.02))
    assert "the loss is 1.10" in warning
    assert "set step_size.initial to 0.01." in warning
    assert warned([2.0] * 36 + [0.7] * 4) == []
    assert warned([1.2] * 4) == [], "too few to tell"
    assert warned(lost, small("dm")) == [], "the loss of other objectives has another unit"


def test_pixels_that_8_bits_cannot_hold_are_told(done: Distillation) -> None:
    lines = line("distilled", 0.9), line("random", 0.6), line("full", 1.0)
    wild = replace(done, result=replace(done.result, images=100 * done.result.images))
    assert "of the pixel values lie outside" in composed(wild, *lines)["warnings"][0]
    assert composed(done, *lines)["warnings"] == []
