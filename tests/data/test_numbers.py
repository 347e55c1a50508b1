"""Tables and series as bundles: what they are taken for, and what is refused, with a fix that works."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.data import Catalogue, DatasetInvalid
from core.data.bundle import bundle_arrays, read_bundle, write_bundle
from core.data.digest import content_digest
from tests.data.bundles import place, sound
from tests.data.tables import Arrays, cancer, halved, waves, wine

NAMES = np.array([f"column {place}" for place in range(13)])


def test_a_table_is_known_by_its_floats_and_split_where_it_is_not(tmp_path: Path) -> None:
    place(tmp_path, "wine", wine() | {"columns": NAMES})
    dataset = Catalogue(tmp_path).load("wine")
    facts = dataset.facts
    assert (facts.kind, facts.shape, facts.natural) == ("vectors", (13, 1, 1), (13,))
    assert facts.columns == tuple(NAMES)
    assert facts.class_names == ("class_0", "class_1", "class_2")
    assert facts.train_count + facts.test_count == 178
    assert dataset.train.images.dtype == np.float32
    assert (facts.brightest, facts.mirroring.allowed) == (None, False)
    assert Catalogue(tmp_path).facts("wine") == facts, "what was measured is remembered with its kind"


def test_series_are_known_by_their_channels(tmp_path: Path) -> None:
    place(tmp_path, "waves", halved(waves()))
    facts = Catalogue(tmp_path).facts("waves")
    assert (facts.kind, facts.shape, facts.natural, facts.class_names) == ("series", (2, 1, 24), (2, 24), ("0", "1"))
    shown = Catalogue(tmp_path).glimpse("waves")
    assert shown is not None
    assert (shown.images.shape, shown.images.dtype) == ((2, 3, 32, 64), np.uint8)
    assert len(np.unique(shown.images)) > 10, "there are lines on it"


def test_a_bundle_of_numbers_is_read_as_it_was_written(tmp_path: Path) -> None:
    for name, arrays in (("wine", wine() | {"columns": NAMES}), ("waves", waves())):
        first = read_bundle(place(tmp_path, name, arrays))
        write_bundle(tmp_path / "again.npz", bundle_arrays(first))
        again = read_bundle(tmp_path / "again.npz")
        assert content_digest(first) == content_digest(again)
        assert (first.kind, first.columns) == (again.kind, again.columns)


def test_labels_may_be_words(tmp_path: Path) -> None:
    arrays = wine()
    words = np.array(["red", "rose", "white"])[arrays["y"]]
    bundle = read_bundle(place(tmp_path, "words", {"x": arrays["x"], "y": words}))
    assert bundle.class_names == ("red", "rose", "white")


def test_words_are_the_classes_in_the_order_of_their_names(tmp_path: Path) -> None:
    arrays = halved(wine())
    names = np.array(["small", "medium", "large"])
    words = {name: names[arrays[name]] for name in ("y_train", "y_test")}
    for given in (names, names.astype("S")):
        said = {name: labels.astype(given.dtype) for name, labels in words.items()}
        bundle = read_bundle(place(tmp_path, "sizes", arrays | said | {"class_names": names}))
        assert bundle.class_names == ("small", "medium", "large")
        assert bundle.train.labels.tolist() == arrays["y_train"].tolist()
        assert bundle.test.labels.tolist() == arrays["y_test"].tolist()
    numbers = read_bundle(place(tmp_path, "numbers", arrays | {"classes": np.arange(3)}))
    assert numbers.class_names == tuple(str(each) for each in arrays["class_names"].tolist())
    foreign = {"y": np.char.decode(np.array(["ä".encode(), b"b", b"c"])[wine()["y"]], "utf-8")}
    without = {name: array for name, array in wine().items() if name != "class_names"}
    coded = read_bundle(place(tmp_path, "bytes", without | {"y": np.char.encode(foreign["y"], "utf-8")}))
    assert coded.class_names == read_bundle(place(tmp_path, "text", without | foreign)).class_names == ("b", "c", "ä")


def test_arrays_that_are_not_read_are_told(tmp_path: Path) -> None:
    arrays = {name: array for name, array in halved(wine()).items() if name != "class_names"}
    parts = {f"X_{part}": arrays.pop(f"x_{part}") for part in ("train", "test")}
    more = {"X_val": parts["X_test"] + 1, "y_val": arrays["y_test"], "weights": np.ones(3)}
    assert read_bundle(place(tmp_path, "named", arrays | parts | more)).remarks == (
        "Read as x_test, x_train: X_test, X_train.",
        "Left out: weights, X_val, y_val.",
    )
    del parts["X_test"], arrays["y_test"]
    remarks = read_bundle(place(tmp_path, "validated", arrays | parts | more)).remarks
    assert "The validation split is the test set, since there is no other." in remarks


def test_missing_values_are_imputed_as_asked(tmp_path: Path) -> None:
    arrays = halved(wine())
    arrays["x_train"][4, 2] = arrays["x_test"][1, 2] = np.nan
    path = place(tmp_path, "gaps", arrays)
    with pytest.raises(DatasetInvalid, match=r"2 values are missing \(NaN\), in column 2. Upload with missing=median"):
        read_bundle(path)
    known = np.delete(arrays["x_train"][:, 2], 4).astype(np.float32)
    for missing, value in (("median", np.median(known)), ("mean", known.mean())):
        bundle = read_bundle(path, missing)  # type: ignore[arg-type]
        assert bundle.train.images[4, 2, 0, 0] == pytest.approx(value)
        assert bundle.test.images[1, 2, 0, 0] == pytest.approx(value), "by the training rows"
    left = read_bundle(path, "drop")
    assert (len(left.train), len(left.test)) == (len(arrays["y_train"]) - 1, len(arrays["y_test"]) - 1)
    assert "2 cases with missing values were left out." in left.remarks


def _changed(name: str, change: Callable[[Any], Any], arrays: Arrays) -> Arrays:
    return arrays | {name: change(arrays[name])}


def _constant(x: Any) -> Any:
    x = x.copy()
    x[:, [3, 5]] = 7.0
    return x


MENDED: dict[str, tuple[Callable[[], Arrays], str]] = {
    "constant columns": (lambda: _changed("x_train", _constant, halved(wine())), r"columns 3, 5 are constant"),
    "a constant column with names": (
        lambda: _changed("x", _constant, wine() | {"columns": NAMES}),
        r"columns 'column 3', 'column 5' are constant",
    ),
    "names as bytes": (lambda: _changed("class_names", lambda names: names.astype("S"), wine()), r"dtype=str"),
    "names in a table": (lambda: _changed("class_names", lambda names: names[:, None], wine()), r"dtype=str"),
    "words without names": (
        lambda: _changed("y", lambda y: np.array(["a", "b", "c"])[y], wine()),
        r"y hold 'a', 'b', 'c', which class_names does not name",
    ),
    "labels in columns": (lambda: _changed("y", lambda y: np.eye(3)[y], wine()), r"one column a class"),
    "cases without a label": (
        lambda: _changed("y_test", lambda y: np.where(np.arange(len(y)) == 4, np.nan, y), halved(wine())),
        r"y_test lacks 1 labels \(NaN\)",
    ),
    "numbers as labels": (
        lambda: _changed("y", lambda y: np.arange(len(y)) / 7, {n: a for n, a in wine().items() if n != "class_names"}),
        r"not whole",
    ),
    "series of unequal length": (
        lambda: _changed("x_test", lambda x: x[:, :, :20], halved(waves())),
        r"series have one length. Cut",
    ),
    "a table offered as pictures": (
        lambda: sound() | {f"x_{split}": sound()[f"x_{split}"].reshape(-1, 64) for split in ("train", "test")},
        r"or, if it is a table: x_train = x_train.astype\(np.float32\)",
    ),
}


@pytest.mark.parametrize("fault", MENDED)
def test_a_fault_is_refused_with_code_that_mends_it(fault: str, tmp_path: Path) -> None:
    make, told = MENDED[fault]
    arrays = make()
    for _ in range(3):
        path = place(tmp_path, "broken", arrays)
        try:
            assert read_bundle(path).kind in ("vectors", "series")
            return
        except DatasetInvalid as error:
            text = str(error)
        assert re.search(told, text), text
        told = ""
        code = (
            text.split("table: ")[-1] if "table: " in text else text.split(": ", 2)[-1].partition("Cut them to it: ")[2]
        )
        code = code or next(part for part in re.split(r": (?=[\w, ]+ = )", text)[1:])
        exec(code, {"np": np}, arrays)
    pytest.fail(f"three fixes did not mend it: {text}")


REFUSED: dict[str, tuple[Callable[[], Arrays], str]] = {
    "one name alone": (lambda: _changed("class_names", lambda names: names[0], wine()), r"dtype=str"),
    "one class": (lambda: _changed("y", np.zeros_like, wine()), r"holds one class only, '0'"),
    "words": (lambda: _changed("x", lambda x: x.astype(str), wine()), r"words are no numbers. Upload the table as CSV"),
    "infinite": (lambda: _changed("x", lambda x: np.where(x > 1000, np.inf, x), wine()), r"infinite numbers"),
    "no label": (lambda: {"x_train": wine()["x"], "x_test": wine()["x"]}, r"holds no array y_train or y_test"),
    "a rare class": (lambda: _changed("y", lambda y: np.where(np.arange(178) < 2, 2, y % 2), wine()), r"three or more"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_fault_is_refused_with_the_fix(fault: str, tmp_path: Path) -> None:
    make, told = REFUSED[fault]
    with pytest.raises(DatasetInvalid, match=told):
        read_bundle(place(tmp_path, "broken", make()))


def test_floats_of_pictures_stay_refused_unless_the_file_says_what_they_are(tmp_path: Path) -> None:
    arrays = sound()
    floats = arrays | {name: arrays[name] / 255 for name in ("x_train", "x_test")}
    with pytest.raises(DatasetInvalid, match="store pixels as uint8"):
        read_bundle(place(tmp_path, "floats", floats))
    said = {name: array for name, array in floats.items() if not name.startswith("x_")} | {
        f"x_{part}": floats[f"x_{part}"][:, 2:6] for part in ("train", "test")
    }
    assert read_bundle(place(tmp_path, "strips", said)).kind == "series"
    assert read_bundle(place(tmp_path, "said", floats | {"kind": np.array("series")})).kind == "series"
    with pytest.raises(DatasetInvalid, match="say 'pictures', 'vectors' or 'series'"):
        read_bundle(place(tmp_path, "wrong", floats | {"kind": np.array("table")}))


def test_the_larger_table_is_sound(tmp_path: Path) -> None:
    facts = Catalogue(place(tmp_path, "cancer", cancer()).parent).facts("cancer")
    assert (facts.natural, facts.classes, facts.unequal) == ((30,), 2, True)
