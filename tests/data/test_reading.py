"""The uploader's word: the order of classes, which folder is which split, broken files that are skipped."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.data import DatasetInvalid
from core.data.bundle import read_bundle
from core.data.evidence import read_near
from core.data.facts import NearCopies
from core.data.inspection import examine
from core.data.reading import Reading
from tests.data.archives import classes, packed, picture


def read(tmp_path: Path, data: bytes, **words: Any) -> dict[str, Any]:
    source = tmp_path / "upload"
    source.write_bytes(data)
    return examine(source, tmp_path / "bundle.npz", None, None, Reading.of(words))


def means(tmp_path: Path) -> dict[str, float]:
    """The mean pixel of each class of the bundle that was written."""
    bundle = read_bundle(tmp_path / "bundle.npz")
    train = bundle.train
    return {name: train.images[train.labels == label].mean() for label, name in enumerate(bundle.class_names)}


def npz() -> bytes:
    rng, file = np.random.default_rng(0), io.BytesIO()
    pixels = rng.integers(0, 255, (9, 8, 8), dtype=np.uint8)
    labels = np.repeat([0, 1, 2], 3)
    names = np.array(["a, b", "c", "d"])
    np.savez(file, x_train=pixels, y_train=labels, x_test=255 - pixels, y_test=labels, class_names=names)
    return file.getvalue()


def test_classes_come_in_the_order_that_is_said(tmp_path: Path) -> None:
    members = {f"{label}/{n}.png": picture(10 * place + n) for place, label in enumerate("LSM") for n in range(5)}
    assert read(tmp_path, packed(members))["class_names"] == ("L", "M", "S")
    before = means(tmp_path)
    found = read(tmp_path, packed(members), order="S, M, L")
    assert found["class_names"] == ("S", "M", "L")
    assert "The classes are in the order that was said: 'S', 'M', 'L'." in found["remarks"]
    assert means(tmp_path) == before
    assert read(tmp_path, npz(), order='d,c,"a, b"')["class_names"] == ("d", "c", "a, b")
    with pytest.raises(
        DatasetInvalid, match="leaves out 'd'; there is no class 'e'; it says twice 'c': order=\"a, b\",c,d"
    ):
        read(tmp_path, npz(), order='c,c,e,"a, b"')
    table = "\n".join(["u,v,size", *(f"{n % 7},{n % 5},{'ml'[n % 2]}" for n in range(40))])
    assert read(tmp_path, table.encode(), label_column="size", order="m,l")["class_names"] == ("m", "l")


@pytest.mark.parametrize("names", [["cafe\u0301", "b", "c"], [" a ", "b", "c"]], ids=["in parts", "with blanks"])
def test_the_line_that_a_refused_order_offers_is_taken(tmp_path: Path, names: list[str]) -> None:
    arrays = {**np.load(io.BytesIO(npz())), "class_names": np.array(names)}
    file = io.BytesIO()
    np.savez(file, **arrays)
    for wrong in ("b,c", "\n".join(names), f"{names[0]}\rb,c", "a,b\n\nc"):
        with pytest.raises(DatasetInvalid, match="`order` has to") as refused:
            read(tmp_path, file.getvalue(), order=wrong)
        offered = str(refused.value).rpartition("order=")[2]
        assert read(tmp_path, file.getvalue(), order=f"{offered}\n")["class_names"] == tuple(names)


def test_the_uploader_says_which_folder_is_which_split(tmp_path: Path) -> None:
    folders = {"fit": 5, "holdout": 3, "extra": 4}
    sizes = {name: classes(count) for name, count in folders.items()}
    data = packed({f"set/{folder}/{name}": data for folder, members in sizes.items() for name, data in members.items()})
    found = read(tmp_path, data, train_folder="fit", test_folder="holdout/")
    assert (found["train_counts"], found["test_counts"]) == ([5, 5], [3, 3])
    assert "Taken as splits: 'fit' as train/, 'holdout' as test/." in found["remarks"]
    assert "The folders of the splits were said; left out beside them: 'extra'." in found["remarks"]
    drawn = read(tmp_path, data, train_folder="fit")
    assert (drawn["train_counts"], drawn["test_counts"]) == ([4, 4], [1, 1])
    for words, fault in (
        ({"test_folder": "holdout"}, "which of 'extra', 'fit' is the training set"),
        ({"test_folder": "x"}, "no folder 'x' at the top, only 'extra', 'fit', 'holdout'"),
        ({"test_folder": "fit", "train_folder": "fit"}, "cannot be both"),
    ):
        with pytest.raises(DatasetInvalid, match=fault):
            read(tmp_path, data, **words)
    two = packed({f"{top}/{name}": data for top in ("train", "b") for name, data in classes(4).items()})
    assert read(tmp_path, two, test_folder="b")["test_counts"] == [4, 4]
    assert read(tmp_path, two, test_folder="train")["train_counts"] == [4, 4]


def test_broken_files_are_skipped_where_that_is_said_and_named(tmp_path: Path) -> None:
    members = classes(8)
    broken = {f"cat/broken{n:02}.png": picture()[:40] for n in range(11)} | {"dog/notes.txt": b"hi", "dog/x.heic": b"x"}
    with pytest.raises(DatasetInvalid, match="cannot be taken"):
        read(tmp_path, packed(members | broken))
    found = read(tmp_path, packed(members | broken), skip_broken=True)
    assert (found["train_counts"], found["test_counts"]) == ([6, 6], [2, 2])
    assert {each["file"] for row in found["evidence"] for each in row["pictures"]} <= members.keys()
    told = next(each for each in found["remarks"] if each.startswith("Left out, as they cannot be taken, 13 files: "))
    assert (told.count("'"), told.endswith(" and 3 more.")) == (20, True)
    assert "'dog/x.heic', 'dog/notes.txt' each is no picture that is read, 'cat/broken00.png', " in told
    none = {f"{label}/{n}.png": b"" for label in "ab" for n in range(6)}
    with pytest.raises(DatasetInvalid, match="12 files cannot be taken"):
        read(tmp_path, packed(none), skip_broken=True)
    few = {"cat/1.png": picture(1), "cat/2.png": picture()[:40], "cat/3.png": b""}
    with pytest.raises(DatasetInvalid, match="too few pictures in the class folders 'cat'"):
        read(tmp_path, packed({name: data for name, data in members.items() if "dog" in name} | few), skip_broken=True)


def test_a_bundle_carries_its_counts_of_near_copies_to_whoever_loads_it(tmp_path: Path) -> None:
    found = read(tmp_path, packed(classes(6)))
    assert read_near(tmp_path / "bundle.npz") == NearCopies(**found["near"])
    (tmp_path / "plain.npz").write_bytes(npz())
    assert read_near(tmp_path / "plain.npz") is None


def test_what_is_left_out_is_named_whatever_it_is(tmp_path: Path) -> None:
    """Files beside the pictures, hidden ones, other folders than were said, and broken ones; a bundle's arrays."""
    members = {f"{top}/{name}": data for top in ("fit", "extra") for name, data in classes(5).items()}
    members |= {"notes.txt": b"x", "fit/.git/1.png": picture(), **{f"fit/cat/b{n:03}.png": b"x" for n in range(120)}}
    found = read(tmp_path, packed(members), train_folder="fit", skip_broken=True)
    left = {tuple(each["names"])[:2]: each for each in found["left_out"]}
    assert left[("fit/cat/b000.png", "fit/cat/b001.png")]["count"] == 120
    assert len(left[("fit/cat/b000.png", "fit/cat/b001.png")]["names"]) == 100
    assert {("extra",), ("notes.txt",), ("fit/.git/1.png",)} < set(left)
    assert all(each["remark"] in found["remarks"] for each in found["left_out"])
    file = io.BytesIO(npz())
    with np.load(file) as held:
        (tmp_path / "more.npz").touch()
        np.savez(tmp_path / "more.npz", **held, weights=np.zeros(3))
    found = read(tmp_path, (tmp_path / "more.npz").read_bytes())
    assert found["left_out"] == [{"remark": "Left out: weights.", "count": 1, "names": ["weights"]}]


def test_words_that_would_go_unheard_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetInvalid, match="`train_folder` and `skip_broken`: said of archives of pictures, and this is a bundle"
    ):
        read(tmp_path, npz(), skip_broken=True, train_folder="x")
    with pytest.raises(DatasetInvalid, match="this is a table"):
        read(tmp_path, b"a,label\n1,x\n2,y\n", test_folder="x")
