"""Sections of a report: of reports of any age, and of classes in the order of their labels."""

from __future__ import annotations

from typing import Any

import pytest

from core.nouns import Kind, worded
from core.report import Measure, Report, Section

LINES = [
    {"name": "random", "images": 2, "accuracy_mean": 0.325, "accuracy_std": 0.03, "accuracies": [0.3, 0.35]},
    {"name": "distilled", "images": 2, "accuracy_mean": 0.455, "accuracy_std": 0.1, "n_seeds": 3},
]


def sections(**entries: Any) -> dict[str, Section]:
    """The sections of a report with these entries, by name."""
    return {section.name: section for section in Report.model_validate(entries).sections()}


def test_a_report_of_old_says_its_lines_and_no_share_that_nothing_measured() -> None:
    """Reports from before there was a reason claimed shares all the same; later ones may have entries unknown here."""
    found = sections(results=LINES, gap_closed=1.5, phases={"distilling": 1.0}, of_tomorrow={"a": 1})
    assert list(found) == ["results"]
    table = found["results"].measures
    assert table is not None
    assert [(line.title, line.own) for line in table.lines] == [
        ("these images", True),
        ("as many random real images", False),
    ]
    assert [cell.text for line in table.lines for cell in line.cells if isinstance(cell, Measure)] == [
        *("2", "45.5 ± 10.0 %", "3"),
        *("2", "32.5 ± 3.0 %", "2"),
    ]
    assert "No share of the gap" in found["results"].words[0]
    assert list(sections()) == ["results"]
    assert sections()["results"].words == ("Not evaluated: no accuracy is claimed for these images.",)


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("Images per class, rounded to 8-bit pixels", "vectors", "Rows per class, rounded to numbers"),
        ("one image of those images", "series", "one series of those series"),
        ("what images' classes 'my images 2' has: set `parameterize.kind` to 'pixels'", "vectors", None),
        ("One image", "pictures", "One image"),
    ],
)
def test_examples_are_called_by_their_kind_and_names_stay(text: str, kind: Kind, said: str | None) -> None:
    assert worded(text, kind) == (said or text.replace("images'", "rows'"))


def test_only_what_was_given_is_written() -> None:
    written = Report.model_validate({"results": LINES, "majority": {"class": "cat", "share": 0.5, "unequal": False}})
    assert written.document()["results"] == LINES
    assert written.document()["majority"] == {"class": "cat", "share": 0.5, "unequal": False}


@pytest.mark.parametrize(
    ("value", "deviation", "n", "unit", "text"),
    [
        (0.987, None, 1, "share", "98.7 %"),
        (0.5, 0.125, 2, "share", "50.0 ± 12.5 %"),
        (1438, None, None, "count", "1,438"),
        (1_290_000, None, None, "bytes", "1.3 MB"),
        (0.25, None, None, "number", "0.25"),
    ],
)
def test_a_measure_is_written_with_its_unit(
    value: float, deviation: float | None, n: int | None, unit: Any, text: str
) -> None:
    assert Measure(value=value, deviation=deviation, n=n, unit=unit).text == text


def test_a_spread_needs_more_than_one_network() -> None:
    one = LINES[1] | {"n_seeds": 1, "accuracy_std": 0.0}
    table = sections(results=[one])["results"].measures
    assert table is not None
    (cell,) = table.lines[0].cells[1:2]
    assert isinstance(cell, Measure)
    assert (cell.text, cell.deviation, cell.low) == ("45.5 %", None, None)


def test_classes_keep_the_order_of_their_labels() -> None:
    """Which an object in JSON does not keep: its keys come sorted."""
    random = LINES[0] | {"per_class_mean": [0.8, 0.2]}
    told = {"per_class": {"bag": 0.1, "trouser": 0.9}, "results": [random]}
    table = sections(class_names=["trouser", "bag"], **told)["classes"].measures
    assert table is not None
    assert [(line.title, [cell.value for cell in line.cells]) for line in table.lines] == [  # type: ignore[union-attr]
        ("trouser", [0.9, 0.8]),
        ("bag", [0.1, 0.2]),
    ]
    old = sections(**told)["classes"].measures
    assert old is not None
    assert [(line.title, len(line.cells)) for line in old.lines] == [("bag", 1), ("trouser", 1)]


def test_the_commonest_mistakes_come_first_and_many_classes_are_details() -> None:
    names, confusion = ["cat", "dog", "ship"], [[8, 2, 0], [5, 5, 0], [0, 1, 9]]
    found = sections(class_names=names, per_class=dict(zip(names, (0.8, 0.5, 0.9), strict=True)), confusion=confusion)
    (words,) = found["classes"].words
    assert "Best recognised is 'ship' (90.0 % of its test images), worst 'dog' (50.0 %)" in words
    assert "another: 'dog' for 'cat' (50.0 %), 'cat' for 'dog' (20.0 %), 'ship' for 'dog' (10.0 %)." in words
    assert found["classes"].chart is not None
    assert found["classes"].details is None
    rows = sections(kind="vectors", class_names=names, confusion=confusion, per_class=dict.fromkeys(names, 0.5))
    assert rows["classes"].chart is not None
    assert rows["classes"].chart.title.startswith("Share of each class's test rows (row)")
    many = [f"c{place}" for place in range(21)]
    shares = dict.fromkeys(many, 0.5)
    told = sections(class_names=many, per_class=shares, confusion=[[1] * 21] * 21)["classes"]
    assert (told.measures, told.chart) == (None, None)
    assert told.details is not None
    assert len(told.details.lines) == 21
