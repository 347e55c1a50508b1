"""Broken files are skipped and no class with them: that is refused with a fix that, followed, works."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from core.data import DatasetInvalid
from core.data.inspection import examine
from core.data.reading import Reading
from tests.data.archives import classes, packed, picture

BROKEN = picture()[:40]
PETS = classes(6)


def read(tmp_path: Path, data: bytes, **words: Any) -> dict[str, Any]:
    (tmp_path / "upload").write_bytes(data)
    return examine(tmp_path / "upload", tmp_path / "bundle.npz", None, None, Reading.of(words))


def skipping(tmp_path: Path, members: Mapping[str, bytes]) -> dict[str, Any]:
    return read(tmp_path, packed(members), skip_broken=True)


def names(found: Mapping[str, Any]) -> list[str]:
    return list(found["class_names"])


def eels(*numbers: int, folder: str = "eel") -> dict[str, bytes]:
    return {f"{folder}/{number}.png": picture(100 + number) for number in numbers}


def broken(folder: str, count: int, name: str = "b{}.png") -> dict[str, bytes]:
    return {f"{folder}/{name.format(number)}": BROKEN for number in range(count)}


@pytest.mark.parametrize("name", ["b{}.png", "b{}.heic"])
def test_a_class_of_which_nothing_is_left_is_refused(tmp_path: Path, name: str) -> None:
    """Pictures that cannot be read, and those of formats that are not."""
    sent = PETS | broken("cat", 12) | broken("eel", 4, name)
    with pytest.raises(
        DatasetInvalid, match=r"is left of the class 'eel' \(of 4\); save three or more of it anew"
    ) as no:
        skipping(tmp_path, sent)
    assert str(no.value).endswith("as PNG, or leave the class out altogether")
    assert names(skipping(tmp_path, sent | eels(1, 2, 3))) == ["cat", "dog", "eel"]
    assert names(skipping(tmp_path, PETS | broken("cat", 12))) == ["cat", "dog"]


def test_two_classes_of_which_one_is_lost_cannot_do_without_it(tmp_path: Path) -> None:
    cats = {path: data for path, data in PETS.items() if path.startswith("cat/")}
    with pytest.raises(DatasetInvalid, match=r"the class 'eel' \(of 4\); save three or more of it anew as PNG$"):
        skipping(tmp_path, cats | broken("eel", 4))
    with pytest.raises(
        DatasetInvalid, match=r"the classes 'eel' \(of 4\), 'fox' \(of 3\); save three .* the classes out"
    ):
        skipping(tmp_path, PETS | broken("eel", 4) | broken("fox", 3))


@pytest.mark.parametrize(
    ("train", "test", "told", "mended"),
    [
        (False, True, r"'eel' \(of 3\) in train; save two or more in train of it", eels(1, 2, folder="train/eel")),
        (True, False, r"'eel' \(of 2\) in test; save one or more in test of it", eels(1, folder="test/eel")),
        (
            *(False, False, r"'eel' \(of 5\); save two or more in train and one or more in test of it"),
            eels(1, 2, folder="train/eel") | eels(3, folder="test/eel"),
        ),
    ],
)
def test_a_class_that_one_split_loses_is_refused(
    tmp_path: Path, train: bool, test: bool, told: str, mended: dict[str, bytes]
) -> None:
    both = {f"{split}/{name}": data for split in ("train", "test") for name, data in PETS.items()}
    sent = both | broken("train/eel", 3) | broken("test/eel", 2)
    sent |= {f"train/{name}": data for name, data in eels(11, 12).items()} if train else {}
    sent |= {f"test/{name}": data for name, data in eels(13).items()} if test else {}
    told = told.replace("of 3", f"of {3 + 2 * train}") if train else told
    with pytest.raises(DatasetInvalid, match=told):
        skipping(tmp_path, sent)
    assert names(skipping(tmp_path, sent | mended)) == ["cat", "dog", "eel"]
    without = {path: data for path, data in sent.items() if "/eel/" not in path}
    assert names(skipping(tmp_path, without)) == ["cat", "dog"]


def test_a_folder_without_a_picture_is_said_to_be_no_class(tmp_path: Path) -> None:
    sent = PETS | broken("cat", 12) | {"eel/notes.txt": b"x", "eel/more.txt": b"y", "dog/notes.txt": b"z"}
    assert "No class was made of these folders, as they hold no picture: 'eel'." in skipping(tmp_path, sent)["remarks"]


def test_a_table_that_names_pictures_loses_no_class(tmp_path: Path) -> None:
    pictures = {f"all/{path.replace('/', '-')}": data for path, data in PETS.items()}
    pictures |= {f"all/eel-{number}.png": BROKEN for number in range(4)}
    rows = [f"{path},{path.removeprefix('all/').partition('-')[0]}" for path in pictures]
    table = "\n".join(["file,label", *rows]).encode()
    with pytest.raises(DatasetInvalid, match=r"is left of the class 'eel' \(of 4\)"):
        skipping(tmp_path, pictures | {"labels.csv": table})


def test_a_table_of_pictures_loses_no_class(tmp_path: Path) -> None:
    images = [*PETS.values(), *[BROKEN] * 4]
    table = pa.table({"image": images, "label": [*(path.partition("/")[0] for path in PETS), *["eel"] * 4]})
    parquet.write_table(table, tmp_path / "pets.parquet")
    with pytest.raises(DatasetInvalid, match=r"is left of the class 'eel' \(of 4\)"):
        skipping(tmp_path, {"pets.parquet": (tmp_path / "pets.parquet").read_bytes()})
    parquet.write_table(table.slice(0, 12), tmp_path / "pets.parquet")
    assert names(read(tmp_path, (tmp_path / "pets.parquet").read_bytes(), skip_broken=True)) == ["cat", "dog"]


def test_rows_with_gaps_take_no_class_with_them(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    rows, labels = draw.normal(size=(40, 3)).astype(np.float32), np.arange(40) % 4
    lost = rows.copy()
    lost[labels == 3, 1] = np.nan
    called = np.array(["ant", "bee", "cow", "eel"])

    def bundle(x: Any, y: Any, **test: Any) -> bytes:
        file = io.BytesIO()
        arrays = {"x_train": x, "y_train": y, **test} if test else {"x": x, "y": y}
        np.savez(file, **arrays, class_names=called)
        return file.getvalue()

    with pytest.raises(DatasetInvalid, match="missing=drop leaves no case of 'eel': each has"):
        read(tmp_path, bundle(lost, labels), missing="drop")
    for x_train, x_test, told in ((lost, rows, "in train"), (rows, lost, "in test"), (lost, lost, "in train and of")):
        with pytest.raises(DatasetInvalid, match=f"leaves no case of 'eel' {told}"):
            read(tmp_path, bundle(x_train, labels, x_test=x_test, y_test=labels), missing="drop")
    assert names(read(tmp_path, bundle(lost, labels), missing="median")) == called.tolist()
    text = "\n".join(
        [
            "a,b,label",
            *(f"{a},{'' if np.isnan(b) else b},{called[y]}" for (a, b, _), y in zip(lost, labels, strict=True)),
        ]
    )
    with pytest.raises(DatasetInvalid, match="missing=drop leaves no case of 'eel'"):
        read(tmp_path, text.encode(), missing="drop")


@pytest.mark.parametrize("name", ["b{}.png", "b{}.heic"])
def test_a_class_that_a_table_loses_with_pictures_of_no_format_is_refused(tmp_path: Path, name: str) -> None:
    sent = {f"{label}{number}.png": picture(number) for number in range(6) for label in ("cat", "dog")}
    lost = [name.format(number) for number in range(4)]
    rows = [*(f"{file},{file[:3]}" for file in sent), *(f"{file},eel" for file in lost)]
    sent |= dict.fromkeys(lost, BROKEN)
    with pytest.raises(DatasetInvalid, match=r"is left of the class 'eel' \(of 4\)"):
        skipping(tmp_path, sent | {"labels.csv": "\n".join(["file,label", *rows]).encode()})
    whole = [row for row in rows if not row.endswith("eel")]
    found = skipping(tmp_path, sent | {"labels.csv": "\n".join(["file,label", *whole, f"{lost[0]},cat"]).encode()})
    assert names(found) == ["cat", "dog"]
