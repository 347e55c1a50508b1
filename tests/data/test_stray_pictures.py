"""Pictures and folders that are no part of a dataset, beside one: it is read, or refused with words that read it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas
import pytest

from core.data import DatasetInvalid
from core.data.archive import read_archive
from core.data.reading import Reading
from tests.data.archives import classes, packed, picture, tarred
from tests.data.test_idx import X
from tests.data.test_idx import files as idx_files
from tests.data.test_pixel_tables import COLOUR, GREY, LABELS, csv, fer, labelled, numbered, parquet

TABLES = {
    "train.csv": csv(labelled(numbered(GREY[:30]))),
    "test.csv": csv(labelled(numbered(GREY[30:]))),
}
SIGNS = {f"sign_{name}": data for name, data in TABLES.items()}
BESIDE: dict[str, tuple[dict[str, bytes], int]] = {
    "two tables of pixels": (TABLES, 30),
    "tables of pixels, each twice": (SIGNS | {f"{name[:-4]}/{name}": data for name, data in SIGNS.items()}, 30),
    "a table without names": ({"digits.csv": csv(labelled(numbered(GREY)), header=False)}, 32),
    "a table of text": ({"fer.csv": fer(GREY)}, 28),
    "a table of colour": ({"rgb.parquet": parquet(labelled(numbered(COLOUR)))}, 32),
    "Parquet with pictures": (
        {
            f"data/{split}.parquet": parquet(
                pandas.DataFrame(
                    [{"image": {"bytes": picture(n), "path": None}, "label": "ab"[n % 2]} for n in numbers]
                )
            )
            for split, numbers in (("train", range(20)), ("test", range(20, 30)))
        },
        20,
    ),
    "IDX files": (idx_files(), len(X["train"])),
}


def stray(count: int) -> dict[str, bytes]:
    return {f"signs{n}.PNG": picture(n, size=(9 + n, 20)) for n in range(count)}


@pytest.mark.parametrize("case", BESIDE)
@pytest.mark.parametrize("pack", [packed, tarred])
def test_illustrations_beside_pictures_in_arrays_are_left_out(
    tmp_path: Path, case: str, pack: Callable[..., bytes]
) -> None:
    members, count = BESIDE[case]
    (tmp_path / "upload").write_bytes(pack(members | stray(3)))
    found = read_archive(tmp_path / "upload")
    assert len(found.arrays["x_train"]) == count
    assert "'signs0.PNG', 'signs1.PNG', 'signs2.PNG'" in " ".join(found.remarks)
    if "twice" in case:
        copies = "'sign_train/sign_train.csv', 'sign_test/sign_test.csv'"
        assert f"Left out, as they are copies of other tables: {copies}." in found.remarks
        np.testing.assert_array_equal(found.arrays["y_test"], LABELS[:10])


@pytest.mark.parametrize("name", ["notes.csv", "notes.parquet"])
def test_a_table_of_something_else_is_no_dataset_beside_pictures(tmp_path: Path, name: str) -> None:
    table = labelled(numbered(GREY, form="feature{}"))
    data = csv(table) if name.endswith("csv") else parquet(table)
    (tmp_path / "upload").write_bytes(packed(stray(3) | {name: data}))
    with pytest.raises(DatasetInvalid, match="all pictures lie in no class folder"):
        read_archive(tmp_path / "upload")


def trained(train: str, test: str, top: str = "") -> dict[str, bytes]:
    parts = ((train, classes(5)), (test, classes(2, size=(8, 8))))
    return {f"{top}{folder}/{name}": data for folder, members in parts for name, data in members.items()}


SPLIT: dict[str, dict[str, bytes]] = {
    "pictures to predict": trained("seg_train/seg_train", "seg_test/seg_test")
    | {f"seg_pred/seg_pred/{n}.jpg": picture(n) for n in range(4)},
    "a copy of all": trained("train", "test", "chest_xray/") | trained("train", "test", "chest_xray/chest_xray/"),
    "names with blanks": trained("Train Set", "Test Set") | {f"more/{n}.png": picture(n) for n in range(3)},
    "no test set": {f"train/{name}": data for name, data in classes(5).items()}
    | {f"more/{name}": data for name, data in classes(3).items()},
}


@pytest.mark.parametrize("case", SPLIT)
def test_folders_beside_those_of_splits_are_refused_with_words_that_leave_them_out(tmp_path: Path, case: str) -> None:
    (tmp_path / "upload").write_bytes(packed(SPLIT[case]))
    with pytest.raises(DatasetInvalid, match="or send it as it is with train_folder=") as refused:
        read_archive(tmp_path / "upload")
    told = re.search(r"\((--train-folder .*)\), which leaves", str(refused.value))
    assert told
    words = shlex.split(told[1])
    said = {flag[2:].replace("-", "_"): word for flag, word in zip(words[::2], words[1::2], strict=True)}
    assert all(f"{name}={word}" in str(refused.value) for name, word in said.items())
    found = read_archive(tmp_path / "upload", None, Reading(**said))
    given = (8, 2) if case == "no test set" else (10, 4)
    assert (len(found.arrays["x_train"]), len(found.arrays["x_test"])) == given
