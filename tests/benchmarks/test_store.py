"""The benchmark of the store's formats, on digits: its table says what the formats are said to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import store


def table(told: str, first: str) -> dict[str, list[str]]:
    """Rows by name of the table whose first line starts with `first`."""
    lines = told[told.index(first) :].split("\n\n")[0].splitlines()[2:]
    return {cells[0]: cells[1:] for line in lines if (cells := [cell.strip() for cell in line.strip("|").split("|")])}


def test_six_bits_are_a_tenth_of_the_reference_and_closer_than_bfloat16(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = (
        "--width 16 --window 21 --batch 256 --threads 1 --distil 1 --steps 2 --syn-steps 2 --evaluation-epochs 2"
    )
    store.main([*arguments.split(), "--data-dir", str(tmp_path), "--formats", *store.formats(21, 50, [1])])
    told = capsys.readouterr().out
    costs = table(told, "| format | bytes")
    assert float(costs["6 bits"][2]) >= 10, "times smaller than the reference's"
    assert float(costs["pickle, all epochs"][2]) <= 1

    def off(name: str) -> float:
        return float(costs[name][3].split()[0])

    assert off("float32") == 0
    assert off("8 bits from stored") < off("6 bits") < min(5, off("bfloat16"), off("4 bits from stored"))
    accuracies = table(told, "| format | test accuracy")
    assert set(accuracies) == set(costs) - {"pickle, all epochs"}
    assert float(accuracies["6 bits"][0].split()[0]) > 0
