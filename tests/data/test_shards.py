"""Tables whose rows are pictures, as the library `datasets` writes them; the oracle is the pictures themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from PIL import Image
from pyarrow import parquet

from core.data import DatasetInvalid
from core.data.inspection import examine
from core.data.reading import Reading
from tests.data.archives import packed, tarred
from tests.data.neighbours import encoded

NAMES = ["zebra", "ant", "Käse"]
"""Not in the order of letters: a label's number is its place here."""
DRAW = np.random.default_rng(0)
PICTURES = {
    split: DRAW.integers(0, 256, (3 * each, 6, 5)).astype(np.uint8)
    for split, each in (("train", 8), ("validation", 2), ("test", 4))
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


def split(name: str, **columns: Any) -> datasets.Dataset:
    pictures = [Image.fromarray(each) for each in PICTURES[name]]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=NAMES)})
    labels = [n % 3 for n in range(len(pictures))]
    made = datasets.Dataset.from_dict({"image": pictures, "label": labels}, features)
    for column, values in columns.items():
        made = made.add_column(column, values)
    return made


def repository(folder: Path, splits: tuple[str, ...], shards: int = 2) -> dict[str, bytes]:
    """The files of a dataset's repository: shards of each split, a card and what git keeps."""
    members = {"README.md": b"---\n---\n", ".gitattributes": b"*.parquet filter=lfs"}
    for name in splits:
        for number in range(shards):
            path = folder / "shard.parquet"
            split(name).shard(shards, number, contiguous=True).to_parquet(path, batch_size=5)
            members[f"data/{name}-{number:05}-of-{shards:05}.parquet"] = path.read_bytes()
    return members


def look(folder: Path, data: bytes, size: int | None = None, **said: Any) -> dict[str, Any]:
    (folder / "upload").write_bytes(data)
    return examine(folder / "upload", folder / "bundle.npz", size, reading=Reading(**said))


def kept(folder: Path, part: str) -> list[tuple[bytes, str]]:
    """The pictures that were kept with their classes' names."""
    arrays = np.load(folder / "bundle.npz")
    return sorted(
        (image.tobytes(), str(arrays["class_names"][label]))
        for image, label in zip(arrays[f"x_{part}"], arrays[f"y_{part}"], strict=True)
    )


def right(*splits: str) -> list[tuple[bytes, str]]:
    return sorted((image.tobytes(), NAMES[n % 3]) for each in splits for n, image in enumerate(PICTURES[each]))


@pytest.mark.parametrize("pack", [packed, tarred])
def test_a_repository_of_shards_is_its_splits(tmp_path: Path, pack: Callable[..., bytes]) -> None:
    members = repository(tmp_path, ("train", "validation", "test"))
    found = look(tmp_path, pack({f"mnist-main/{name}": data for name, data in members.items()}))
    assert found["class_names"] == tuple(NAMES)
    assert (found["train_count"], found["validation"], found["test_count"]) == (30, 6, 12)
    assert kept(tmp_path, "train") == right("train", "validation")
    assert kept(tmp_path, "test") == right("test")
    assert "The pictures are the column 'image', their classes 'label'." in found["remarks"]
    assert {path.name for path in tmp_path.iterdir()} <= {"upload", "bundle.npz", "shard.parquet", "cache"}


def test_validation_is_the_test_set_where_there_is_none(tmp_path: Path) -> None:
    look(tmp_path, packed(repository(tmp_path, ("train", "validation"))))
    assert (kept(tmp_path, "train"), kept(tmp_path, "test")) == (right("train"), right("validation"))


def test_one_file_is_split_here_and_a_folder_of_the_hubs_own_is_read_by_its_folders(tmp_path: Path) -> None:
    split("train").to_parquet(tmp_path / "shard.parquet")
    one = (tmp_path / "shard.parquet").read_bytes()
    look(tmp_path, one)
    assert sorted(kept(tmp_path, "train") + kept(tmp_path, "test")) == right("train")
    split("test").to_parquet(tmp_path / "shard.parquet")
    members = {
        "default/train/0000.parquet": one,
        "default/test/0000.parquet": (tmp_path / "shard.parquet").read_bytes(),
    }
    look(tmp_path, packed(members))
    assert (kept(tmp_path, "train"), kept(tmp_path, "test")) == (right("train"), right("test"))


def test_what_save_to_disk_writes_is_read(tmp_path: Path) -> None:
    datasets.DatasetDict({name: split(name) for name in ("train", "test")}).save_to_disk(tmp_path / "saved")
    members = {
        str(path.relative_to(tmp_path)): path.read_bytes() for path in (tmp_path / "saved").rglob("*") if path.is_file()
    }
    assert sum(name.endswith(".arrow") for name in members) == 2
    look(tmp_path, packed(members))
    assert (kept(tmp_path, "train"), kept(tmp_path, "test")) == (right("train"), right("test"))


def test_rows_without_a_label_are_left_out_and_counted(tmp_path: Path) -> None:
    """As the test splits of competitions are."""
    members = repository(tmp_path, ("train",), shards=1)
    bare = split("test").remove_columns("label").add_column("label", [-1] * 12)
    bare.to_parquet(tmp_path / "shard.parquet")
    members["data/test-00000-of-00001.parquet"] = (tmp_path / "shard.parquet").read_bytes()
    found = look(tmp_path, packed(members))
    assert "Rows without a label were left out: 12 of 'data/test-00000-of-00001.parquet'." in found["remarks"]
    assert found["train_count"] + found["test_count"] == 24


def test_one_of_several_labels_is_taken_and_the_others_are_said(tmp_path: Path) -> None:
    coarse = datasets.Features(
        {"fine_label": datasets.ClassLabel(names=NAMES), "coarse_label": datasets.ClassLabel(names=["b", "a"])}
    )
    made = split("train").rename_column("label", "fine_label").add_column("coarse_label", [n % 2 for n in range(24)])
    made = made.cast_column("coarse_label", coarse["coarse_label"])
    made.to_parquet(tmp_path / "shard.parquet")
    data = (tmp_path / "shard.parquet").read_bytes()
    found = look(tmp_path, data)
    assert found["class_names"] == tuple(NAMES)
    assert "label_column may name 'coarse_label' in its place" in " ".join(found["remarks"])
    assert look(tmp_path, data, label_column="coarse_label")["class_names"] == ("b", "a")


@pytest.mark.parametrize("labels", [[NAMES[n % 3] for n in range(24)], [10 * (n % 3) for n in range(24)]])
def test_pictures_of_pandas_have_their_words_or_numbers_as_classes(tmp_path: Path, labels: list[Any]) -> None:
    files = [encoded(Image.fromarray(each)) for each in PICTURES["train"]]
    pandas.DataFrame({"picture": files, "label": labels}).to_parquet(tmp_path / "upload")
    found = examine(tmp_path / "upload", tmp_path / "bundle.npz", None)
    assert found["class_names"] == (("Käse", "ant", "zebra") if labels[0] == "zebra" else ("0", "10", "20"))


def test_pictures_of_several_sizes_are_scaled_and_a_broken_one_is_named_by_its_row(tmp_path: Path) -> None:
    sizes: list[NDArray[np.uint8]] = [DRAW.integers(0, 256, (8 + n, 9)).astype(np.uint8) for n in range(9)]
    files = [{"bytes": encoded(Image.fromarray(each)), "path": None} for each in sizes]
    table = pa.table({"image": files, "label": [n % 3 for n in range(9)]})
    parquet.write_table(table, tmp_path / "upload", row_group_size=2)
    assert examine(tmp_path / "upload", tmp_path / "bundle.npz", 8)["shape"] == (1, 8, 8)
    files[7]["bytes"] = b"no picture"
    parquet.write_table(pa.table({"image": files, "label": table["label"]}), tmp_path / "upload")
    with pytest.raises(DatasetInvalid, match="'the Parquet file/row 7' cannot be read as a picture"):
        examine(tmp_path / "upload", tmp_path / "bundle.npz", 8)


def paths(folder: Path) -> bytes:
    table = pa.table(
        {"image": [{"bytes": None, "path": f"{n}.png"} for n in range(9)], "label": [n % 3 for n in range(9)]}
    )
    parquet.write_table(table, folder / "shard.parquet")
    return (folder / "shard.parquet").read_bytes()


def several(folder: Path) -> bytes:
    members = repository(folder, ("train",), shards=1)
    return packed({f"{name}/{path}": data for name in ("mnist", "emnist") for path, data in members.items()})


def note(folder: Path) -> bytes:
    return packed({"data/train-00000-of-00001.parquet": b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n"})


def half(folder: Path) -> bytes:
    return packed({name: data[:400] for name, data in repository(folder, ("train",), shards=1).items()})


def beyond(folder: Path) -> bytes:
    made = split("train")
    table = made.data.table.set_column(1, "label", pa.array([7] * 24)).replace_schema_metadata(
        made.data.table.schema.metadata
    )
    parquet.write_table(table, folder / "shard.parquet")
    return (folder / "shard.parquet").read_bytes()


def unlabelled(folder: Path) -> bytes:
    split("train").rename_column("label", "kind").cast_column("kind", datasets.Value("int64")).to_parquet(
        folder / "shard.parquet"
    )
    return (folder / "shard.parquet").read_bytes()


REFUSED: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "paths in the place of pictures": (paths, r"holds the path '.\.png' in the place of a picture; .*embeds pictures"),
    "several sets": (several, "several sets of tables, in 'emnist', 'mnist'; leave the files of all but one out"),
    "a note of Git LFS": (note, "Run `git lfs pull`"),
    "half a file": (half, "cannot be read: .*write it anew with the library `datasets`"),
    "labels beyond the names": (beyond, "'label' holds 7, but its feature names 3 classes; correct its names"),
    "no usual label": (unlabelled, "say which with label_column, for instance label_column=kind"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_with_its_fix(tmp_path: Path, case: str) -> None:
    made, words = REFUSED[case]
    with pytest.raises(DatasetInvalid, match=words):
        look(tmp_path, made(tmp_path))


def test_an_arrow_file_alone_is_asked_for_in_a_zip(tmp_path: Path) -> None:
    split("train").save_to_disk(tmp_path / "saved")
    data = next((tmp_path / "saved").glob("*.arrow")).read_bytes()
    with pytest.raises(DatasetInvalid, match="but an Arrow file; pack it into a zip"):
        look(tmp_path, data)
    look(tmp_path, packed({"data.arrow": data}))
    assert sorted(kept(tmp_path, "train") + kept(tmp_path, "test")) == right("train")


def worded(folder: Path, labels: list[str]) -> bytes:
    """A file of the training pictures, whose classes are words."""
    made = split("train").remove_columns("label").add_column("label", labels)
    made.to_parquet(folder / "shard.parquet")
    return (folder / "shard.parquet").read_bytes()


def test_blanks_around_a_label_are_no_part_of_it(tmp_path: Path) -> None:
    assert look(tmp_path, worded(tmp_path, ["ant", "ant ", " bee"] * 8))["class_names"] == ("ant", "bee")


def test_labels_that_are_gaps_are_dropped_as_asked(tmp_path: Path) -> None:
    found = look(tmp_path, worded(tmp_path, ["ant", "bee", "NA"] * 8), missing="drop")
    assert found["class_names"] == ("ant", "bee")
    assert [each["count"] for each in found["left_out"]] == [8]
