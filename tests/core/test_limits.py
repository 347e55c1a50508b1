"""A number that engine and price share stands once, in `core.plan.limits`, and both read it there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from core.plan import limits

ROOT = Path(__file__).parent.parent.parent
LIMITS = {name: value for name, value in vars(limits).items() if name.isupper()}
PRICE = ("core/plan", "core/forecast")
ENGINE = ("core/engine",)

UNREAD = {"SAMPLED"}
"""Stands again in a file of artifacts, which imports nothing of ours: `tests/forecast/test_generative.py` compares."""
COINCIDENCES = {
    ("core/forecast/assumed.py", 64),
    ("core/forecast/assumed.py", 128),
    ("core/forecast/calibration.py", 64),
    ("core/forecast/calibration.py", 256),
    ("core/forecast/forecast_job.py", 512),
}
"""Numbers of measurements and of a cache in this process: no work is counted by them."""
TELLING = 33
"""Smaller numbers stand for too many things."""


def trees(*packages: str) -> Iterator[tuple[str, ast.AST]]:
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            if path != Path(limits.__file__):
                yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text("utf-8"))


@cache
def read(*packages: str) -> set[str]:
    """The limits that are read there."""
    nodes = (node for _, tree in trees(*packages) for node in ast.walk(tree))
    return {node.attr for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "limits"}


def numbers(*packages: str) -> set[tuple[str, int]]:
    """The whole numbers that are written there, by file."""
    return {
        (path, node.value)
        for path, tree in trees(*packages)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and type(node.value) is int and node.value >= TELLING
    }


@pytest.mark.parametrize("name", LIMITS)
def test_engine_and_price_both_read_a_limit(name: str) -> None:
    assert name in read(*PRICE)
    assert (name in read(*ENGINE)) == (name not in UNREAD)


def test_no_number_of_the_engine_is_written_a_second_time_in_the_price() -> None:
    elsewhere = {value for _, value in numbers(*ENGINE)} | {value for value in LIMITS.values() if type(value) is int}
    twice = {(path, value) for path, value in numbers(*PRICE) if value in elsewhere}
    assert twice == COINCIDENCES
