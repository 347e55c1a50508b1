"""Columns of tables that give classes away: which are left out, and which are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from core.data.inspection import examine
from core.data.reading import Reading
from tests.data.archives import packed

ROWS = 120
RNG = np.random.default_rng(0)
PLAIN = pandas.DataFrame(
    {"size": RNG.normal(size=ROWS), "age": RNG.integers(20, 60, ROWS), "label": np.repeat(["ant", "bee"], ROWS // 2)}
)
"""Sorted by class, as many tables are: the number of a row tells its class."""
SOME = PLAIN[RNG.random(ROWS) < 0.8]
"""The rows that a filter leaves: their index has gaps."""


def look(folder: Path, data: bytes, **said: Any) -> dict[str, Any]:
    (folder / "upload").write_bytes(data)
    return examine(folder / "upload", folder / "bundle.npz", None, reading=Reading(**said))


def told(found: dict[str, Any], words: str) -> bool:
    return any(words in each for each in found["remarks"])


def parquet(table: pandas.DataFrame, folder: Path) -> bytes:
    table.to_parquet(folder / "table.parquet")
    return (folder / "table.parquet").read_bytes()


INDEXED: dict[str, tuple[pandas.DataFrame, str]] = {
    "": (PLAIN, ""),
    "after a filter": (SOME, ""),
    "after a filter, shuffled": (SOME.sample(frac=1, random_state=0), ""),
    "written twice": (SOME.rename_axis("Unnamed: 0"), "Unnamed: 0"),
    "of Parquet": (SOME.rename_axis("__index_level_0__"), "__index_level_0__"),
}


@pytest.mark.parametrize("case", INDEXED)
def test_an_index_in_a_csv_is_left_out(case: str, tmp_path: Path) -> None:
    table, name = INDEXED[case]
    found = look(tmp_path, table.to_csv().encode())
    assert found["columns"] == ("size", "age")
    assert [each["names"] for each in found["left_out"]] == [[name]]


def test_remarks_on_rows_call_columns_and_classes_as_they_are_called(tmp_path: Path) -> None:
    table = PLAIN.assign(image=np.arange(ROWS) * 2, label=np.where(np.arange(ROWS) < 20, "image", "picture"))
    found = look(tmp_path, table.to_csv(index=False).encode())
    assert told(found, "table = table.drop(columns=['image'])")
    assert told(found, "'picture' has 72 rows to train on, 'image' 14")
    twice = pandas.DataFrame({"a": [1, 2, 3, 4, 5] * 8, "b": [0, 1] * 20, "label": [*"xy"] * 18 + [*"yyxx"]})
    found = look(tmp_path, twice.to_csv(index=False).encode())
    assert told(found, "rows are in more than one class, with equal numbers")


@pytest.mark.parametrize(("name", "left"), [(None, "__index_level_0__"), ("person", "person")])
def test_an_index_that_parquet_names_is_left_out(name: str | None, left: str, tmp_path: Path) -> None:
    found = look(tmp_path, parquet(SOME.rename_axis(name), tmp_path))
    assert found["columns"] == ("size", "age")
    assert [each["names"] for each in found["left_out"]] == [[left]]


def test_a_measurement_in_the_index_is_read_once_it_is_a_column(tmp_path: Path) -> None:
    found = look(tmp_path, parquet(PLAIN.set_index("age").reset_index(), tmp_path))
    assert set(found["columns"]) == {"size", "age"}


def test_labels_in_the_index_are_labels(tmp_path: Path) -> None:
    assert look(tmp_path, parquet(PLAIN.set_index("label"), tmp_path))["class_names"] == ("ant", "bee")


def test_an_index_is_judged_file_by_file(tmp_path: Path) -> None:
    """Each file's index begins anew: together they are no different numbers."""
    parts = {"train.csv": PLAIN[::2], "test.csv": PLAIN[1::2]}
    members = {name: part.reset_index(drop=True).to_csv().encode() for name, part in parts.items()}
    found = look(tmp_path, packed(members))
    assert found["columns"] == ("size", "age")
    assert [each["names"] for each in found["left_out"]] == [[""]]


def test_a_nameless_column_that_numbers_no_rows_is_kept(tmp_path: Path) -> None:
    table = PLAIN.rename(columns={"age": ""})
    assert look(tmp_path, table.to_csv(index=False).encode())["columns"] == ("size", "")


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("shuffled", [False, True])
def test_ids_are_told(step: int, shuffled: bool, tmp_path: Path) -> None:
    table = PLAIN.assign(Id=100 + step * np.arange(ROWS))
    found = look(tmp_path, (table.sample(frac=1, random_state=0) if shuffled else table).to_csv(index=False).encode())
    assert told(found, "'Id' holds another whole number in every row")


def test_ids_that_begin_anew_in_each_split_are_told(tmp_path: Path) -> None:
    half = np.arange(ROWS) % 2
    table = PLAIN.assign(split=np.array(["train", "test"])[half], Id=np.arange(ROWS) // 2)
    assert told(look(tmp_path, table.to_csv(index=False).encode()), "'Id' holds another whole number in every row")


def test_measurements_are_told_as_no_ids(tmp_path: Path) -> None:
    assert not told(look(tmp_path, PLAIN.to_csv(index=False).encode()), "another whole number in every row")


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("again", [("x", "y"), (0, 1), (1.5, 2.5), (True, False)])
def test_labels_that_are_there_twice_are_told(again: tuple[Any, Any], form: str, tmp_path: Path) -> None:
    table = PLAIN.assign(kind=np.where(PLAIN["label"] == "ant", *again))
    data = table.to_csv(index=False).encode() if form == "csv" else parquet(table, tmp_path)
    assert told(look(tmp_path, data), "'kind' alone tells the class of every row")


def test_columns_that_tell_most_classes_are_not_told(tmp_path: Path) -> None:
    table = PLAIN.assign(kind=np.where(np.arange(ROWS) < ROWS // 2 + 2, "x", "y"))
    assert not told(look(tmp_path, table.to_csv(index=False).encode()), "alone tells the class")
