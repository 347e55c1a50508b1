"""Numbers that float32 does not tell apart, in tables and in bundles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from numpy.typing import NDArray

from core.data import DatasetInvalid
from core.data.bundle import Bundle, read_bundle
from core.data.reading import Reading
from core.data.table_files import read_table

ROWS = 90
RNG = np.random.default_rng(0)
LABELS = np.arange(ROWS) % 3
SECONDS = 1_700_000_000 + np.arange(ROWS) % 30
"""One number in float32."""
HOURS = 1_700_000_000 + 120 * np.arange(ROWS)
"""Some of them one number in float32."""


def table(folder: Path, times: NDArray[Any], form: str, *, from_least: bool = False) -> Bundle:
    made = pandas.DataFrame({"t": times, "size": RNG.normal(size=ROWS), "label": LABELS})
    if from_least:
        made[["t"]] -= made[["t"]].min()
    path = folder / f"table.{form}"
    if form == "csv":
        made.to_csv(path, index=False)
        return read_table(path, "csv", Reading())
    made.to_parquet(path)
    return read_table(path, "parquet", Reading())


def bundle(folder: Path, times: NDArray[Any], *, from_least: bool = False) -> Bundle:
    x = np.stack([times.astype(float), RNG.normal(size=ROWS)], axis=1)
    if from_least:
        low = np.nanmin(x[:, [0]], axis=(0,), keepdims=True)
        x[:, [0]] -= low
    np.savez(folder / "bundle.npz", x=x, y=LABELS)
    return read_bundle(folder / "bundle.npz")


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("times", [SECONDS, SECONDS + 0.5, SECONDS + 1_700_000_000 * (10**9 - 1)])
def test_a_column_that_rounding_makes_constant_is_refused_as_such(
    form: str, times: NDArray[Any], tmp_path: Path
) -> None:
    with pytest.raises(DatasetInvalid, match=r"Column 't': .*: table\[\['t'\]\] -= table\[\['t'\]\]\.min\(\)$"):
        table(tmp_path, times, form)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_fix_keeps_all_numbers_of_a_table(form: str, tmp_path: Path) -> None:
    found = table(tmp_path, SECONDS, form, from_least=True)
    assert len(np.unique(np.concatenate([found.train.images, found.test.images])[:, 0])) == 30


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_numbers_that_rounding_makes_one_are_told(form: str, tmp_path: Path) -> None:
    remarks = table(tmp_path, HOURS, form).remarks
    assert any(each.startswith("Column 't': several numbers became one in float32") for each in remarks)


@pytest.mark.parametrize("values", [RNG.normal(size=ROWS), 1000 + RNG.normal(size=ROWS), np.arange(ROWS) * 1000])
def test_common_numbers_are_not_told(values: NDArray[Any], tmp_path: Path) -> None:
    assert not any(
        "float32" in each for each in (*table(tmp_path, values, "csv").remarks, *bundle(tmp_path, values).remarks)
    )


def test_a_bundles_column_that_rounding_makes_constant_is_refused_as_such(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetInvalid,
        match=r"Column '0': .*low = np.nanmin\(x\[:, \[0\]\], axis=\(0,\), keepdims=True\); x\[:, \[0\]\] -=",
    ):
        bundle(tmp_path, SECONDS)


def test_the_fix_keeps_all_numbers_of_a_bundle(tmp_path: Path) -> None:
    found = bundle(tmp_path, SECONDS, from_least=True)
    assert len(np.unique(np.concatenate([found.train.images, found.test.images])[:, 0])) == 30


def test_numbers_of_a_bundle_that_rounding_makes_one_are_told(tmp_path: Path) -> None:
    assert any(each.startswith("Column '0': several numbers became one") for each in bundle(tmp_path, HOURS).remarks)


def test_the_fix_leaves_gaps_as_they_are_and_the_form_of_series(tmp_path: Path) -> None:
    def mended(arrays: dict[str, Any]) -> NDArray[Any]:
        np.savez(tmp_path / "told.npz", **arrays)
        told = next(each for each in read_bundle(tmp_path / "told.npz", "median").remarks if "low = " in each)
        exec(told.partition("too: ")[2].removesuffix("."), {"np": np}, arrays)
        return np.asarray(arrays["x"])

    gaps = np.stack([HOURS.astype(float), RNG.normal(size=ROWS)], axis=1)
    gaps[5] = np.nan
    rows = mended({"x": gaps.copy(), "y": LABELS})
    assert np.isnan(rows).any(1).nonzero()[0].tolist() == [5]
    assert rows[:, 0][~np.isnan(rows[:, 0])].tolist() == (np.delete(HOURS, 5) - HOURS[0]).tolist()
    series = HOURS[:, None, None] + np.arange(24) * 10.0
    assert (mended({"x": series.copy(), "y": LABELS}) == series - series.min()).all()


def test_steps_of_series_that_rounding_makes_constant_are_told(tmp_path: Path) -> None:
    steps = {f"t{place}": RNG.normal(size=ROWS) for place in range(12)}
    pandas.DataFrame({**steps, "t12": SECONDS, "label": LABELS}).to_csv(tmp_path / "series.csv", index=False)
    remarks = read_table(tmp_path / "series.csv", "csv", Reading(kind="series")).remarks
    assert any(each.startswith("Column 't12': several numbers became one") for each in remarks)
