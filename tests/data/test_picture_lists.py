"""Pictures whose classes a table says, as competitions publish them; the oracle is the pictures themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from PIL import Image

from core.data import DatasetInvalid
from core.data.inspection import examine
from core.data.reading import Reading
from tests.data.archives import packed, picture, tarred
from tests.data.neighbours import encoded

COUNT = 24
NAMES = ("nv", "mel", "bcc")
PIXELS = np.random.default_rng(1).integers(0, 256, (COUNT, 6, 5)).astype(np.uint8)
FILES = [encoded(Image.fromarray(each)) for each in PIXELS]
CLASSES = [NAMES[n % 3] for n in range(COUNT)]


def named(folder: str, ending: str = ".png") -> list[str]:
    return [f"{folder}{n:03}{ending}" for n in range(COUNT)]


def table(files: list[Any], **columns: Any) -> bytes:
    return pandas.DataFrame({"file": files, **columns}).to_csv(index=False).encode()


def look(folder: Path, members: dict[str, bytes], pack: Callable[..., bytes] = packed, **said: Any) -> dict[str, Any]:
    (folder / "upload").write_bytes(pack(members))
    return examine(folder / "upload", folder / "bundle.npz", None, reading=Reading(**said))


def kept(folder: Path) -> dict[str, dict[int, str]]:
    """The class's name of each picture, by its number, of each split."""
    arrays = np.load(folder / "bundle.npz")
    numbers = {each.tobytes(): number for number, each in enumerate(PIXELS)}
    return {
        split: {
            numbers[image.tobytes()]: str(arrays["class_names"][label])
            for image, label in zip(arrays[f"x_{split}"], arrays[f"y_{split}"], strict=True)
        }
        for split in ("train", "test")
    }


def flat(table: bytes, folder: str = "images/", at: str = "labels.csv") -> dict[str, bytes]:
    return dict(zip(named(folder), FILES, strict=True)) | {at: table}


UNSPLIT: dict[str, tuple[dict[str, bytes], dict[str, str]]] = {
    "by name": (flat(table(named(""), label=CLASSES)), {}),
    "by path": (flat(table(named("images/"), label=CLASSES)), {}),
    "by a path of elsewhere": (flat(table(named("C:\\data\\images\\"), label=CLASSES)), {}),
    "without the format": (flat(table(named("", ""), diagnosis=CLASSES)), {}),
    "beside the pictures": (flat(table(named(""), label=CLASSES), "", "labels.csv"), {}),
    "in a folder with them": (flat(table(named(""), Label=CLASSES), "x/images/", "x/images/train.csv"), {}),
    "in parts": (
        {f"HAM_part_{n % 2 + 1}/{n:03}.png": data for n, data in enumerate(FILES)}
        | {"meta.csv": table(named("", ""), age=range(COUNT), dx=CLASSES)},
        {"label_column": "dx"},
    ),
    "one column a class": (
        flat(table(named("", ""), **{name: [float(each == name) for each in CLASSES] for name in NAMES})),
        {},
    ),
    "numbers that are names of pictures, too": (
        {f"{n}.png": data for n, data in enumerate(FILES)}
        | {"l.csv": pandas.DataFrame({"label": [n % 3 for n in range(COUNT)], "id": range(COUNT)}).to_csv().encode()},
        {},
    ),
    "lines of JSON": (
        flat(
            "\n".join(
                json.dumps({"file_name": file, "label": label}) for file, label in zip(named(""), CLASSES, strict=True)
            ).encode(),
            "",
            "metadata.jsonl",
        ),
        {},
    ),
    "lines of JSON with lists": (
        flat(
            "\n".join(
                json.dumps({"file_name": file, "label": label, "boxes": [[1, 2, 3, 4]]})
                for file, label in zip(named(""), CLASSES, strict=True)
            ).encode(),
            "",
            "metadata.jsonl",
        ),
        {},
    ),
}


@pytest.mark.parametrize("case", UNSPLIT)
@pytest.mark.parametrize("pack", [packed, tarred])
def test_a_table_says_the_classes_of_pictures_in_one_folder(
    tmp_path: Path, case: str, pack: Callable[..., bytes]
) -> None:
    members, said = UNSPLIT[case]
    found = look(tmp_path, members, pack, **said)
    right = dict(enumerate(CLASSES if "numbers" not in case else [str(n % 3) for n in range(COUNT)]))
    assert kept(tmp_path)["train"] | kept(tmp_path)["test"] == right
    assert (found["train_count"], found["test_count"]) == (18, 6)
    assert "The classes are said by" in " ".join(found["remarks"])


HALF = COUNT // 2
SPLIT: dict[str, dict[str, bytes]] = {
    "a table each": {
        **{f"train/{n}.png": FILES[n] for n in range(HALF)},
        **{f"test/{n}.png": FILES[HALF + n] for n in range(HALF)},
        "train.csv": table(list(range(HALF)), label=CLASSES[:HALF]),
        "test.csv": table(list(range(HALF)), label=CLASSES[HALF:]),
    },
    "one table of both": {
        **{f"d/train/{n}.png": FILES[n] for n in range(HALF)},
        **{f"d/val/{n}.png": FILES[n] for n in range(HALF, COUNT)},
        "d/all.csv": table([f"{'train' if n < HALF else 'val'}/{n}.png" for n in range(COUNT)], label=CLASSES),
    },
    "a column": flat(table(named(""), label=CLASSES, split=["train"] * HALF + ["test"] * HALF)),
    "metadata in each": {
        **{f"train/{n}.png": FILES[n] for n in range(HALF)},
        **{f"test/{n}.png": FILES[n] for n in range(HALF, COUNT)},
        "train/metadata.csv": table([f"{n}.png" for n in range(HALF)], label=CLASSES[:HALF]),
        "test/metadata.csv": table([f"{n}.png" for n in range(HALF, COUNT)], label=CLASSES[HALF:]),
    },
}


@pytest.mark.parametrize("case", SPLIT)
def test_splits_are_those_of_tables_folders_or_a_column(tmp_path: Path, case: str) -> None:
    look(tmp_path, SPLIT[case])
    whole = dict(enumerate(CLASSES))
    assert kept(tmp_path)["train"] == {n: whole[n] for n in range(HALF)}
    assert kept(tmp_path)["test"] == {n: whole[n] for n in range(HALF, COUNT)}


def test_pictures_and_rows_that_have_no_partner_are_told(tmp_path: Path) -> None:
    """A competition's: its test pictures have no classes."""
    members = {f"train/{n}.png": FILES[n] for n in range(HALF)} | {
        "test/a.png": picture(),
        "test.csv": b"file\na.png\n",
    }
    members["train.csv"] = table([*range(HALF), 99], label=[*CLASSES[:HALF], "nv"])
    remarks = look(tmp_path, members)["remarks"]
    assert "Left out, as no row says the class of these pictures: 'test/a.png'." in remarks
    assert "1 rows name no picture that is there." in remarks
    assert kept(tmp_path)["train"] | kept(tmp_path)["test"] == dict(enumerate(CLASSES[:HALF]))


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_a_list_in_another_encoding_is_refused_with_the_code_that_mends_it(tmp_path: Path, encoding: str) -> None:
    """Class folders beside it, and a file that is no list of them, are read as ever."""
    classes = [{"nv": "größe", "mel": "NA", "bcc": "01"}[each] for each in CLASSES]
    text = table(named(""), größe=classes).decode().encode(encoding)
    for said in ({}, {"label_column": "größe"}):
        with pytest.raises(DatasetInvalid, match=r"'labels\.csv': the text is not in UTF-8") as refused:
            look(tmp_path, flat(text), **said)
    (path := tmp_path / "labels.csv").write_bytes(text)
    code = re.search(r"pandas\.read_csv.*", str(refused.value))
    assert code is not None
    eval(code[0], {"pandas": pandas, "path": path})  # the very words of the refusal
    look(tmp_path, flat(path.read_bytes()), label_column="größe")
    kinds = kept(tmp_path)
    assert kinds["train"] | kinds["test"] == dict(enumerate(classes))
    folders = {f"{'ab'[n % 2]}/{n:03}.png": data for n, data in enumerate(FILES)}
    other = table(["zähler"] * COUNT, größe=CLASSES).decode().encode(encoding)
    for beside in (other, text):
        assert look(tmp_path, folders | {"notes.csv": beside})["class_names"] == ("a", "b")
    said = look(tmp_path, flat(path.read_bytes()) | {"notes.csv": other}, label_column="größe")
    assert set(said["class_names"]) == set(classes)


def test_folders_are_classes_unless_a_column_is_named(tmp_path: Path) -> None:
    members = {f"{'ab'[n % 2]}/{n:03}.png": data for n, data in enumerate(FILES)}
    members["labels.csv"] = table(named(""), kind=CLASSES)
    found = look(tmp_path, members)
    assert found["class_names"] == ("a", "b")
    assert "labels in 'labels.csv' were not read" in " ".join(found["remarks"])
    assert look(tmp_path, members, label_column="kind")["class_names"] == tuple(sorted(NAMES))


REFUSED: dict[str, tuple[dict[str, bytes], dict[str, str], str]] = {
    "no usual label": (
        flat(table(named(""), age=range(COUNT), dx=CLASSES)),
        {},
        "say which with label_column, for instance label_column=dx",
    ),
    "two classes": (
        flat(table([*named(""), "000.png"], label=[*CLASSES, "mel"])),
        {},
        "'images/000.png' is in two classes by 'labels.csv'; one class a picture",
    ),
    "a table of something else": (
        flat(table(["x"] * COUNT, label=CLASSES)),
        {},
        "all pictures lie in one class folder",
    ),
    "no table": (flat(table(["x"] * COUNT, label=CLASSES)), {"label_column": "label"}, "no table in the archive names"),
    "another column": (flat(table(named(""), dx=CLASSES)), {"label_column": "dxx"}, "did you mean 'dx'"),
    "another format": (
        flat(table([*named(""), "x.heic"], label=[*CLASSES, "mel"])) | {"images/x.heic": b"x"},
        {},
        "'images/x.heic' is no picture that is read; save it as PNG",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_says_no_class_is_refused_with_its_fix(tmp_path: Path, case: str) -> None:
    members, said, words = REFUSED[case]
    with pytest.raises(DatasetInvalid, match=words):
        look(tmp_path, members, **said)
