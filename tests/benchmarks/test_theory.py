"""The theory's benchmark: exponents and knees of curves that are known, and cells that are measured once."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import theory
from benchmarks.theory import PARTS, TABLES, Cell, knee, measured, slope


def test_an_exponent_is_found_with_its_interval() -> None:
    across = (16, 32, 64, 128)
    rows = [[3 * scale * x**1.5 for x in across] for scale in (0.9, 1.0, 1.1)]
    assert slope(across, rows) == pytest.approx((1.5, 1.5, 1.5))
    bent = [[x ** (1.5 + lean) for x in across] for lean in (-0.2, 0.0, 0.2)]
    found, low, high = slope(across, bent)
    assert found == pytest.approx(1.5)
    assert low < 1.45
    assert high > 1.55


def test_a_knee_lies_between_the_numbers_that_were_measured() -> None:
    assert knee({1: 0.9, 2: 0.5, 4: 0.1, 8: 0.0}) == pytest.approx(4)
    assert 2 < knee({1: 0.9, 2: 0.5, 4: 0.05, 8: 0.0}) < 4
    assert knee({1: 0.01, 2: 0.0}) == 1


def test_a_cell_is_measured_once_and_told_in_a_table(tmp_path: Path) -> None:
    asked = []

    def cell(seed: int) -> Cell:
        asked.append(seed)
        return {"alignment": 0.9 + seed / 100}

    part = dict.fromkeys(PARTS["samples"], cell)
    measured(tmp_path / "part.json", part, 1)
    cells = measured(tmp_path / "part.json", part, 2)
    assert sorted(asked) == [0] * len(part) + [1] * len(part)
    assert "| 40 | 0.905 ± 0.007 | 2 |" in TABLES["samples"](cells)


def test_the_page_shows_what_the_benchmark_drew() -> None:
    page = (theory.PICTURES.parent / "THEORY.md").read_text("utf-8")
    for name in theory.CHARTS:
        assert f"theory/{name}.png" in page
        assert (theory.PICTURES / f"{name}.png").exists()
    for claim in ("we prove", "reproduces"):
        assert claim not in page
