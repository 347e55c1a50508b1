"""Tables that lie beside pictures and speak of some, or of what is no class; the oracle is the pictures themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas
import pytest

from core.data import DatasetInvalid
from tests.data.test_picture_lists import CLASSES, COUNT, FILES, HALF, flat, kept, look, named, table

TWO = ["cat", "dog"] * HALF


def competition(placeholders: list[Any], at: str = "sample_submission.csv") -> dict[str, bytes]:
    """A training set with classes, and a test set of whose pictures a form for answers speaks."""
    members = {f"train_images/{n}.png": FILES[n] for n in range(HALF)}
    members |= {f"test_images/{n}.png": FILES[n] for n in range(HALF, COUNT)}
    members["train.csv"] = table([f"{n}.png" for n in range(HALF)], label=CLASSES[:HALF])
    return members | {at: table([f"{n}.png" for n in range(HALF, COUNT)], label=placeholders)}


@pytest.mark.parametrize(
    "at", ["sample_submission.csv", "SampleSubmission.csv", "d/submission.csv", "my_submission.csv"]
)
@pytest.mark.parametrize("placeholders", [CLASSES[HALF:], ["4"] * HALF])
def test_a_form_for_answers_says_no_class(tmp_path: Path, at: str, placeholders: list[str]) -> None:
    found = look(tmp_path, competition(placeholders, at))
    assert kept(tmp_path)["train"] | kept(tmp_path)["test"] == dict(enumerate(CLASSES[:HALF]))
    assert f"Left out, as they are called as forms for answers, whose labels are none: '{at}'." in found["remarks"]


def test_a_form_for_answers_says_no_class_of_pictures_in_the_same_folder(tmp_path: Path) -> None:
    members = flat(table(named("")[:HALF], label=CLASSES[:HALF]), at="train.csv")
    members["submission.csv"] = table(named("")[HALF:], label=["nv"] * HALF)
    look(tmp_path, members)
    assert kept(tmp_path)["train"] | kept(tmp_path)["test"] == dict(enumerate(CLASSES[:HALF]))


def test_a_form_for_answers_alone_is_refused_as_such(tmp_path: Path) -> None:
    with pytest.raises(DatasetInvalid, match=r"\('submission\.csv' was not read: it is called as a form for answers\)"):
        look(tmp_path, flat(table(named(""), label=CLASSES), at="submission.csv"))


@pytest.mark.parametrize("other", ["unlabeled", "predict", None])
@pytest.mark.parametrize("last", ["test", "val"])
def test_rows_of_no_split_are_left_out_of_a_given_one(tmp_path: Path, other: str | None, last: str) -> None:
    splits = ["train"] * 12 + [last] * 9 + [other] * 3
    found = look(tmp_path, flat(table(named(""), label=CLASSES, split=splits)))
    assert kept(tmp_path) == {
        "train": dict(enumerate(CLASSES[:12])),
        "test": {n: CLASSES[n] for n in range(12, 21)},
    }
    assert [each["count"] for each in found["left_out"]] == [3]
    assert f"Left out, as {other or '(nothing)'!r} is no split: 'images/021.png'" in " ".join(found["remarks"])


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        (["train"] * 12 + ["holdout"] * 12, "says train of some pictures and 'holdout' of others"),
        (["fit"] * 12 + ["test"] * 12, "nothing says which pictures are the training set"),
        (["val"] * 12 + ["test"] * 12, "nothing says which pictures are the training set"),
    ],
)
def test_a_column_that_leaves_a_split_open_is_refused(tmp_path: Path, splits: list[str], words: str) -> None:
    with pytest.raises(DatasetInvalid, match=words):
        look(tmp_path, flat(table(named(""), label=CLASSES, split=splits)))


def test_a_column_of_words_that_name_no_split_is_told(tmp_path: Path) -> None:
    found = look(tmp_path, flat(table(named(""), label=CLASSES, split=["A", "B"] * HALF)))
    assert "The column 'split' was not read: it names no splits, only 'A', 'B'." in found["remarks"]


def signs(*tables: str) -> dict[str, bytes]:
    """Traffic signs: class folders to train on, flat ones to test on and of icons, and a table of each."""
    members = {f"Train/{n % 3}/{n}.png": FILES[n] for n in range(HALF)}
    members |= {f"Test/{n}.png": FILES[n] for n in range(HALF, COUNT - 3)}
    members |= {f"Meta/{n}.png": FILES[n] for n in range(COUNT - 3, COUNT)}
    for name in tables:
        paths = sorted(
            (each for each in members if each.startswith(f"{name}/")), key=lambda each: int(each[:-4].split("/")[-1])
        )
        numbers = [int(path[:-4].split("/")[-1]) for path in paths]
        columns = {"Width": 12, "ShapeId": [n // 2 % 2 for n in numbers], "ClassId": [n % 3 for n in numbers]}
        members[f"{name}.csv"] = pandas.DataFrame(columns | {"Path": paths}).to_csv(index=False).encode()
    return members


SIGNS = {
    "train": {n: str(n % 3) for n in range(HALF)},
    "test": {n: str(n % 3) for n in range(HALF, COUNT - 3)},
}


@pytest.mark.parametrize("tables", [("Train", "Test", "Meta"), ("Train", "Test"), ("Test", "Meta"), ("Test",)])
@pytest.mark.parametrize("said", [{"label_column": "ClassId"}, {}])
def test_icons_beside_a_given_split_are_left_out(tmp_path: Path, tables: tuple[str, ...], said: dict[str, str]) -> None:
    found = look(tmp_path, signs(*tables), **said)
    assert kept(tmp_path) == SIGNS
    assert "'Meta/21.png', 'Meta/22.png', 'Meta/23.png'" in " ".join(each["remark"] for each in found["left_out"])
    assert sum("the column 'ClassId'" in each for each in found["remarks"]) == 1


def test_numbers_of_classes_are_no_names_of_icons(tmp_path: Path) -> None:
    """Where a table has a row of each class, they are as many as its paths."""
    members = {f"Train/{n % 3}/{n}.png": FILES[n] for n in range(HALF)}
    members |= {f"Test/{n}.png": FILES[n] for n in range(HALF, HALF + 3)}
    members |= {f"Meta/{n}.png": FILES[HALF + 3 + n] for n in range(3)}
    paths = [f"Test/{n}.png" for n in range(HALF, HALF + 3)]
    members["Test.csv"] = pandas.DataFrame({"ClassId": range(3), "Path": paths}).to_csv(index=False).encode()
    look(tmp_path, members)
    assert kept(tmp_path) == SIGNS | {"test": {HALF + n: str(n) for n in range(3)}}


@pytest.mark.parametrize(
    ("name", "of_test", "of_train"),
    [("is_test", 1, 0), ("is_train", False, True), ("is_valid", True, False), ("in_test_set", "1.0", "0.0")],
)
def test_a_column_may_say_yes_or_no(tmp_path: Path, name: str, of_test: Any, of_train: Any) -> None:
    told = table(named(""), kind=CLASSES, **{name: [of_train] * HALF + [of_test] * HALF})
    look(tmp_path, flat(told))
    assert kept(tmp_path)["train"] == dict(enumerate(CLASSES[:HALF]))


def test_a_refusal_offers_the_column_that_is_called_as_classes(tmp_path: Path) -> None:
    members = flat(table(named(""), Width=[12, 13] * HALF, ShapeId=[0, 1] * HALF, SignClass=range(COUNT)))
    with pytest.raises(DatasetInvalid, match=r"for instance label_column=SignClass\. .* are 'SignClass', 'Width', 'Sh"):
        look(tmp_path, members)


@pytest.mark.parametrize("top", ["train/", ""])
def test_class_folders_train_where_a_table_says_the_test_set(tmp_path: Path, top: str) -> None:
    members = {f"{top}{TWO[n]}/{n}.png": FILES[n] for n in range(16)}
    members |= {f"test/{n}.png": FILES[n] for n in range(16, COUNT)}
    members["test_labels.csv"] = table([f"{n}.png" for n in range(16, COUNT)], label=TWO[16:])
    found = look(tmp_path, members)
    assert kept(tmp_path) == {"train": dict(enumerate(TWO[:16])), "test": {n: TWO[n] for n in range(16, COUNT)}}
    where = "in 'train'" if top else "at the top"
    assert f"The classes of the pictures {where} are the names of their folders." in found["remarks"]


@pytest.mark.parametrize("columns", [{"label": ["boat", "test"] * HALF}, {"width": range(COUNT), "high": range(COUNT)}])
def test_a_class_may_be_called_test_beside_a_table(tmp_path: Path, columns: dict[str, Any]) -> None:
    members = {f"{['boat', 'test'][n % 2]}/{n:03}.png": FILES[n] for n in range(COUNT)}
    found = look(tmp_path, members | {"test.csv": table(named(""), **columns)})
    assert found["class_names"] == ("boat", "test")
    assert found["train_count"] == 20


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("train/eel/", "'eel' in train/ but not in test/"),
        ("train/", "nothing says which pictures are the training set: some are said to be of test"),
    ],
)
def test_a_table_of_the_test_set_alone_is_no_dataset(tmp_path: Path, folder: str, words: str) -> None:
    members = {f"{folder}{n}.png": FILES[n] for n in range(4)}
    members |= {f"train/{TWO[n]}/{n}.png": FILES[n] for n in range(4, 16) if "eel" in folder}
    members |= {f"test/{n}.png": FILES[n] for n in range(16, COUNT)}
    members["test.csv"] = table([f"{n}.png" for n in range(16, COUNT)], label=TWO[16:])
    with pytest.raises(DatasetInvalid, match=words):
        look(tmp_path, members)


def test_pictures_that_a_table_leaves_out_of_class_folders_stay_out(tmp_path: Path) -> None:
    """Its writer took some of the folder's pictures, and no others."""
    members = {f"train/{TWO[n]}/{n}.png": FILES[n] for n in range(COUNT)}
    members["chosen.csv"] = table([f"{n}.png" for n in range(HALF)], label=TWO[:HALF])
    look(tmp_path, members, label_column="label")
    assert kept(tmp_path)["train"] | kept(tmp_path)["test"] == dict(enumerate(TWO[:HALF]))


@pytest.mark.parametrize("name", ["null", "NA", "None", "nan", "N/A", "?"])
def test_a_class_may_be_called_as_a_gap_is(tmp_path: Path, name: str) -> None:
    classes = ["no", "yes", name] * 8
    lines = ["file,answer", *(f"{n:03}.png,{classes[n]}" for n in range(COUNT))]
    found = look(tmp_path, flat("\n".join(lines).encode()))
    assert kept(tmp_path)["train"] | kept(tmp_path)["test"] == dict(enumerate(classes))
    assert f"Classes are called {name!r}: where there is none, leave the cell empty." in " ".join(found["remarks"])


def test_labels_that_are_gaps_are_dropped_as_asked(tmp_path: Path) -> None:
    classes = ["no", "yes", "NA"] * 8
    lines = ["file,answer", *(f"{n:03}.png,{classes[n]}" for n in range(COUNT))]
    found = look(tmp_path, flat("\n".join(lines).encode()), missing="drop")
    assert found["class_names"] == ("no", "yes")
    assert "8 rows say no class." in found["remarks"]


@pytest.mark.parametrize("gap", ["", "NA"])
def test_a_number_that_is_missing_is_no_class(tmp_path: Path, gap: str) -> None:
    text = "".join(f"{n:03}.png,{n % 2 if n else gap}\n" for n in range(COUNT))
    found = look(tmp_path, flat(f"file,label\n{text}".encode()))
    assert set(found["class_names"]) == {"0", "1"}
    assert "1 rows say no class." in found["remarks"]


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    lines = ["\n", "file,label", *(f"{n:03}.png,{n % 3}.0" for n in range(COUNT))]
    look(tmp_path, flat("\n\n".join(lines).encode()))
    assert kept(tmp_path)["train"] | kept(tmp_path)["test"] == {n: str(n % 3) for n in range(COUNT)}


def test_labels_are_as_they_are_written(tmp_path: Path) -> None:
    lines = ["file,label", *(f"{n:03}.png, {n % 3:02}" for n in range(COUNT))]
    look(tmp_path, flat("\n".join(lines).encode()))
    assert kept(tmp_path)["train"] | kept(tmp_path)["test"] == {n: f"{n % 3:02}" for n in range(COUNT)}


HEADLESS = {
    "names": ("{n:03}.png,{c}", {}),
    "with a mark of its encoding": ("\ufeff{n:03}.png,{c}", {}),
    "quoted": ('"{n:03}.png","{c}"', {}),
    "the class first": ("{c},{n:03}", {}),
    "numbers": ("{n:03},{i}", {}),
    "three columns": ("x{n},{n:03}.png,{c}", {"label_column": "column 3"}),
}


@pytest.mark.parametrize("case", HEADLESS)
def test_a_first_line_that_names_a_picture_is_a_row(tmp_path: Path, case: str) -> None:
    line, said = HEADLESS[case]
    lines = [line.format(n=n, c=CLASSES[n], i=n % 3) for n in range(COUNT)]
    text = "\n".join([lines[0], *(each.removeprefix("\ufeff") for each in lines[1:])])
    look(tmp_path, flat(text.encode()), **said)
    right = dict(enumerate(CLASSES if case != "numbers" else [str(n % 3) for n in range(COUNT)]))
    assert kept(tmp_path)["train"] | kept(tmp_path)["test"] == right


@pytest.mark.parametrize("head", ["0,1", "image,label", "id,1"])
def test_a_first_line_that_names_the_columns_is_no_row(tmp_path: Path, head: str) -> None:
    """Even if pictures are called as columns are."""
    members = {f"{name}.png": data for name, data in zip(["image", *range(1, COUNT)], FILES, strict=True)}
    rows = [["image", *range(1, COUNT)][n] for n in range(COUNT)]
    text = "\n".join([head, *(f"{rows[n]}.png,{CLASSES[n]}" for n in range(COUNT))])
    look(tmp_path, members | {"labels.csv": text.encode()})
    assert kept(tmp_path)["train"] | kept(tmp_path)["test"] == dict(enumerate(CLASSES))


def test_numbers_mean_the_pictures_of_the_folder_that_has_them_all(tmp_path: Path) -> None:
    members = {f"train/{n}.png": FILES[n] for n in range(16)}
    members |= {f"test/{n - 16}.png": FILES[n] for n in range(16, COUNT)}
    found = look(tmp_path, members | {"labels.csv": table(list(range(16)), label=CLASSES[:16])})
    assert kept(tmp_path)["train"] | kept(tmp_path)["test"] == dict(enumerate(CLASSES[:16]))
    assert "that is there" not in " ".join(found["remarks"])


def test_names_that_mean_several_pictures_are_refused_with_a_path(tmp_path: Path) -> None:
    members = {f"{'ab'[n % 2]}/{n // 2}.png": FILES[n] for n in range(COUNT)}
    members["labels.csv"] = table(list(range(HALF)), kind=CLASSES[:HALF])
    told = r"12 entries of the column 'file' name several pictures each, '0' for one 'a/0.png', 'b/0.png'; .* a/0\.png"
    with pytest.raises(DatasetInvalid, match=told):
        look(tmp_path, members, label_column="kind")


def test_a_picture_of_two_splits_is_refused(tmp_path: Path) -> None:
    splits = ["train"] * 12 + ["test"] * 12
    members = flat(table([*named(""), "000.png"], label=[*CLASSES, CLASSES[0]], split=[*splits, "test"]))
    with pytest.raises(DatasetInvalid, match=r"'images/000\.png' is said to be of train and of test; leave all rows"):
        look(tmp_path, members)


@pytest.mark.parametrize("content", [b"", b"\n", b"\n\n1,2\n", b",\n", b"file,label\n", b"\xff\xfe\0", b"\0" * 40])
def test_a_table_that_holds_none_is_told(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DatasetInvalid, match=r"'images' \(and no column of 'labels\.csv' names them\)"):
        look(tmp_path, flat(content))
