"""Every form that an upload may have, and every fault that it may not have; the attacks among them."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import pickle
import re
import resource
import struct
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.data import Catalogue, DatasetInvalid
from core.data import inspection as inspecting
from core.data.archive import read_archive
from core.data.bundle import read_bundle
from core.data.facts import Copies
from core.data.inspection import examine, facts_of, inspect
from core.data.split import SPLIT_SEED, split_test
from core.ids import new_id
from tests.data.archives import classes, lie, packed, picture


def looked_at(tmp_path: Path, data: bytes, size: int | None = None) -> dict[str, object]:
    source = tmp_path / "upload"
    source.write_bytes(data)
    return examine(source, tmp_path / "bundle.npz", size)


def test_class_folders_become_a_bundle_that_can_be_distilled(tmp_path: Path) -> None:
    members = classes(10)
    found = looked_at(
        tmp_path, packed({f"pets/{name}": data for name, data in members.items()} | {"pets/README.txt": b"hi"})
    )
    assert (found["shape"], found["class_names"]) == ((1, 8, 8), ("cat", "dog"))
    assert (found["train_counts"], found["test_counts"]) == ([8, 8], [2, 2])
    assert found["remarks"] == (
        "A fifth of each class was set aside as the test set, drawn with seed 0.",
        "All images are grey: they have one channel.",
        "Left out, as they are no pictures: 'pets/README.txt'.",
    )
    bundle = read_bundle(tmp_path / "bundle.npz")
    _, test = split_test(np.repeat([0, 1], 10).astype(np.int64), SPLIT_SEED, np.arange(20, dtype=np.uint8))
    first = np.asarray(Image.open(io.BytesIO(members[list(members)[test[0]]])))
    np.testing.assert_array_equal(bundle.test.images[0, 0], first)
    upload_id = new_id("ds")
    (tmp_path / "uploads").mkdir()
    (tmp_path / "bundle.npz").rename(tmp_path / "uploads" / f"{upload_id}.npz")
    dataset = Catalogue(tmp_path).load(upload_id)
    assert dataset.facts.digest == facts_of(upload_id, "pets", found).digest
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (14, 2, 4)
    assert upload_id not in Catalogue(tmp_path).names()


def test_a_split_that_is_given_is_kept_and_colour_wins(tmp_path: Path) -> None:
    members = {f"Train/{name}": data for name, data in classes(3).items()}
    members |= {f"test/{name}": data for name, data in classes(2, mode="RGB").items()}
    members |= {"__MACOSX/train/cat/._1.png": b"x", "Train/.DS_Store": b"x", "Train/cat/Thumbs.db": b"x"}
    found = looked_at(tmp_path, packed(members))
    assert (found["shape"], found["train_counts"], found["test_counts"]) == ((3, 8, 8), [3, 3], [2, 2])
    assert "archive's own" in str(found["remarks"])


def test_pictures_of_any_size_are_scaled_where_that_is_said(tmp_path: Path) -> None:
    members = classes(4, mode="RGB", size=(20, 12), form="JPEG") | {"cat/tall.png": picture(9, (9, 40), "RGB")}
    with pytest.raises(DatasetInvalid, match=r"9 x 40 pixels, but .* 20 x 12; say `size`"):
        looked_at(tmp_path, packed(members))
    found = looked_at(tmp_path, packed(members), 6)
    assert found["shape"] == (3, 6, 6)
    assert "middle 6 x 6 kept" in str(found["remarks"])


def test_a_bundle_is_taken_without_anything_beside_its_arrays(tmp_path: Path) -> None:
    file = io.BytesIO()
    rng = np.random.default_rng(0)
    arrays = {"x_train": rng.integers(0, 255, (6, 8, 8, 3), dtype=np.uint8), "y_train": np.array([0, 0, 0, 1, 1, 1])}
    arrays |= {"x_test": rng.integers(0, 255, (2, 8, 8, 3), dtype=np.uint8), "y_test": np.array([0, 1])}
    np.savez(file, **arrays, class_names=np.array(["a", "b"]), secret=np.zeros(3))
    found = looked_at(tmp_path, file.getvalue())
    assert (found["shape"], found["train_counts"]) == ((3, 8, 8), [3, 3])
    assert "secret" not in np.load(tmp_path / "bundle.npz").files
    with pytest.raises(DatasetInvalid, match="leave it out"):
        looked_at(tmp_path, file.getvalue(), 8)
    objects = io.BytesIO()
    np.savez(objects, **arrays | {"x_train": np.array([{}] * 6, dtype=object)}, class_names=np.array(["a", "b"]))
    with pytest.raises(DatasetInvalid, match="run code"):
        looked_at(tmp_path, objects.getvalue())


def test_copies_of_a_picture_never_test_what_they_trained(tmp_path: Path) -> None:
    """A rare class made larger by copying its files: the split is the service's own, so it is made of pictures."""
    members = {f"common/{n}.png": picture(n) for n in range(60)}
    members |= {f"rare/{n}_{copy}.png": picture(100 + n) for n in range(6) for copy in range(10)}
    found = looked_at(tmp_path, packed(members))
    assert (found["train_counts"], found["test_counts"]) == ([48, 50], [12, 10])
    assert found["copies"] == {"train": 45, "test": 9, "across": 0, "classes": 0}
    assert found["remarks"][-1] == "54 images are copies of another one in the same split."  # type: ignore[index]
    dataset = read_bundle(tmp_path / "bundle.npz")
    assert not {x.tobytes() for x in dataset.train.images} & {x.tobytes() for x in dataset.test.images}


def test_a_split_that_was_given_with_copies_is_kept_and_told(tmp_path: Path) -> None:
    members = {f"train/{name}": data for name, data in classes(6).items()}
    members |= {name.replace("train", "test"): data for name, data in members.items()}
    told = str(looked_at(tmp_path, packed(members))["remarks"])
    assert "12 of 12 test images are equal to a training image" in told
    assert "more than one class" not in told
    members["test/dog/0.png"] = members["train/cat/3.png"]
    found = looked_at(tmp_path, packed(members))
    assert found["copies"] == {"train": 0, "test": 1, "across": 12, "classes": 1}
    assert "1 picture is in more than one class" in str(found["remarks"])
    assert "All training images" not in str(found["remarks"])
    single = {f"{top}/{name}/{n}.png": picture(ord(name)) for top in TWO for name in "ab" for n in "1234"}
    single["train/b/1.png"] = picture()
    said = str(looked_at(tmp_path, packed(single))["remarks"])
    assert "All training images of a class are equal, so that it is validated on what it was trained on: 'a'." in said
    kept = facts_of("x", "pets", json.loads(json.dumps(found)))
    assert kept.copies == Copies(train=0, test=1, across=12, classes=1)
    assert facts_of("x", "pets", {n: v for n, v in found.items() if n not in ("copies", "brightest")}).copies is None


def truncated() -> bytes:
    whole = packed(classes())
    return whole[: len(whole) // 2]


def damaged() -> bytes:
    whole = bytearray(packed({"cat/9.png": bytes(range(256)) * 40} | classes()))
    whole[80:90] = b"\xff" * 10
    return bytes(whole)


SOUND = classes()
TWO = ("train", "test")
ATTACKS: dict[str, tuple[bytes, str]] = {
    "no zip": (b"MZ" + b"\0" * 500, "not a whole zip"),
    "half a zip": (truncated(), "not a whole zip"),
    "a damaged member": (damaged(), "'cat/9.png' is damaged in the archive .*; pack the folder anew"),
    "nothing in it": (packed({}), "holds no pictures"),
    "a bundle in it": (packed({"pets.npz": packed({})}), r"'pets\.npz': arrays are sent as one npz file .* no archive"),
    "a way out": (packed(SOUND | {"../../etc/passwd.png": picture()}), "leads out"),
    "an absolute path": (packed(SOUND | {"/etc/x.png": picture()}), "leads out"),
    "a backslash": (packed(SOUND | {"..\\x.png": picture()}), "leads out"),
    "a drive": (packed(SOUND | {"C:/x.png": picture()}), "leads out"),
    "a link": (packed(SOUND, {"cat/link.png": "/etc/passwd"}), "link or a device"),
    "a bomb": (packed(SOUND | {"cat/bomb.png": b"\0" * (3 * 2**20)}), "200 times"),
    "a large header": (packed(SOUND | {"cat/big.png": lie(60_000, 60_000)}), "50,000,000 pixels"),
    "a long header": (packed(SOUND | {"cat/big.png": lie(4_000, 4_000)}), "cannot be read"),
    "no picture": (packed(SOUND | {"cat/evil.png": b"#!/bin/sh\nrm -rf /"}), "cannot be read as a picture"),
    "half a picture": (packed(SOUND | {"cat/half.png": picture()[:60]}), "cannot be read as a picture"),
    "a format not taken": (packed(SOUND | {"cat/x.png": picture(form="TGA")}), "cannot be read as a picture"),
    "a pickle": (packed(SOUND | {"cat/model.pkl": b"\x80\x04."}), "no picture that is read"),
    "an archive in it": (packed(SOUND | {"cat/more.zip": packed(SOUND)}), "no picture that is read"),
    "one class": (packed({f"cat/{n}.png": picture(n) for n in range(5)}), "two classes"),
    "a class of two": (packed(SOUND | {f"eel/{n}.png": picture(n) for n in range(2)}), "eel.* three or more"),
    "two images a class": (packed(classes(2)), "'cat', 'dog', 2 in the first; give each class three or more"),
    "a class of one": (packed(SOUND | {"eel/1.png": picture(9)}), "'eel', 1 in the first; give each class three"),
    "classes that share all": (
        packed(
            {
                f"{label}/{n}.png": picture(n)
                for label, three in enumerate([(1, 2, 3), (1, 2, 4), (3, 4, 5)])
                for n in three
            }
        ),
        "no split leaves enough of '2' to train .*; leave each picture in one class",
    ),
    "a class of copies": (
        packed(SOUND | {f"eel/{n}.png": picture() for n in range(20)}),
        "too few pictures that differ in a class: 'eel' has 1; give each class three or more",
    ),
    "nothing but black": (
        packed({f"{top}/{n}.png": lie(8, 8) for top in ("cat", "dog") for n in range(4)}),
        "differ in a class: 'cat' has 1, 'dog' has 1",
    ),
    "a black split": (
        packed({f"{split}/{name}/{n}.png": picture() for split in TWO for name in "ab" for n in "12"}),
        "all 4 training images are equal in every pixel",
    ),
    "no class folders": (packed({f"{n}.png": picture(n) for n in range(5)}), "no class folder"),
    "too deep": (packed({f"a/{name}/x.png": data for name, data in SOUND.items()}), "deeper than in a class folder"),
    "a class not tested": (
        packed({f"train/{name}": data for name, data in SOUND.items()} | {"test/cat/1.png": picture()}),
        "'dog' in train/ but not in test/",
    ),
    "test alone": (packed({f"test/{name}": data for name, data in SOUND.items()}), "but no train/; add train/"),
    "tiny pictures": (packed(classes(size=(2, 2))), "sides have 4"),
    "large pictures": (packed(classes(3, size=(600, 600), form="JPEG")), "sides have 4 to 512"),
}


@pytest.mark.parametrize(("data", "words"), ATTACKS.values(), ids=ATTACKS)
def test_what_is_wrong_is_refused_with_its_fix(tmp_path: Path, data: bytes, words: str) -> None:
    before = set(tmp_path.parent.rglob("*"))
    with pytest.raises(DatasetInvalid, match=words) as refused:
        looked_at(tmp_path, data)
    assert ";" in str(refused.value) or ":" in str(refused.value), "says no fix"
    assert set(tmp_path.parent.rglob("*")) - before <= {tmp_path / "upload", tmp_path / "bundle.npz"}


def test_limits_count_files_and_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "upload").write_bytes(packed(SOUND))
    for place, limit, words in (
        ("members", "MOST_FILES", "10 files, more than 3"),
        ("pictures", "MOST_BYTES", "more than 3 bytes of pixels"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(f"core.data.folders.{place}.{limit}", 3)
            with pytest.raises(DatasetInvalid, match=words):
                read_archive(tmp_path / "upload")


def test_a_process_of_its_own_inspects_and_can_be_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "upload"
    source.write_bytes(packed(SOUND))
    monkeypatch.setenv("STILLHOUSE_DATABASE_URL", "secret")
    found = inspect(source, tmp_path, None, lambda: False)
    assert found is not None
    assert found["train_counts"] == [4, 4]
    assert inspect(source, tmp_path / "nowhere", None, lambda: True) is None
    monkeypatch.setattr(inspecting, "SECONDS", 0)
    began = time.monotonic()
    with pytest.raises(DatasetInvalid, match="send fewer or smaller images"):
        inspect(source, tmp_path / "nowhere", None, lambda: False)
    assert time.monotonic() - began < 60
    assert os.listdir(tmp_path) != []  # noqa: PTH208


def of_version(version: int) -> bytes:
    """A zip that says one needs so late a version of the format."""
    made = bytearray(packed(SOUND))
    made[made.rfind(b"PK\x01\x02") + 6] = version
    return bytes(made)


def bundle_of(name: str = "x_train", content: bytes | None = None, method: int = zipfile.ZIP_STORED) -> bytes:
    """A sound bundle, but that one array is other bytes."""
    arrays = {"x_train": np.arange(400, dtype=np.uint8).reshape(4, 10, 10), "y_train": np.arange(4) % 2}
    arrays |= {"x_test": arrays["x_train"], "y_test": arrays["y_train"], "class_names": np.array(["a", "b"])}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for each, array in arrays.items():
            member = io.BytesIO()
            np.save(member, array)
            archive.writestr(f"{each}.npy", content if each == name and content is not None else member.getvalue())
    return file.getvalue()


def header(text: str) -> bytes:
    """An `.npy` file with that header and no data."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def torn(content: bytes) -> bytes:
    """With noise in the middle of its first member."""
    return content[:60] + bytes(range(100, 130)) + content[90:]


TAR = b"cat/1.png".ljust(257, b"\0") + b"ustar\0" + bytes(300)
STRANGE: dict[str, tuple[bytes, str]] = {
    "parquet": (b"PAR1" + bytes(90), "the Parquet file cannot be read: "),
    "a broken tar": (TAR, "the tar archive is damaged .*; pack it anew"),
    "gzip": (gzip.compress(b"x" * 900), r"but a file packed by gzip \(.gz\); unpack it"),
    "csv": (b"label,pixel0\n1,0\n", "the column 'pixel0' holds one value in every row"),
    "one array": (header("x"), r"but one array \(.npy\); save its arrays with np.savez"),
    "a pickle": (pickle.dumps({"data": [1]}), "but a pickle, which could run code"),
    "a picture": (picture(), "but one picture; send a zip"),
    "a page": ("<!DOCTYPE html>\n<html>Grüße</html>".encode(), "but a page of the web .*; save the file that its link"),
    "JPEG 2000": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(90), "but one picture in JPEG 2000, which is not read; save"),
    "torch": (packed({"archive/data.pkl": b"\x80\x02", "archive/data/0": b"\0" * 8}), "a file of PyTorch"),
    "a zip of version 18.3": (of_version(183), "a zip of a kind that is not read"),
    "Deflate64": (packed(SOUND).replace(b"\x08\x00", b"\x09\x00"), "packed by Deflate64, which is not read; pack it"),
    "torn LZMA": (torn(bundle_of(method=zipfile.ZIP_LZMA)), "x_train cannot be read|is damaged"),
    "torn bzip2": (torn(bundle_of(method=zipfile.ZIP_BZIP2)), "x_train cannot be read|is damaged"),
    "pictures in torn LZMA": (b"", "packed by LZMA; pack the folder anew"),
    "brackets": (bundle_of(content=header("(" * 9000)), "x_train cannot be read .*; write the file anew"),
    "a header of code": (
        bundle_of(content=header("{'descr': '|u1', 'fortran_order': False, 'shape': print(1)}\n")),
        "x_train cannot be read",
    ),
    "a name that is no name": (bundle_of(content=header("{'descr': x, 'fortran_order': 0, 'shape': ()}\n")), "x_train"),
    "no array at all": (bundle_of(content=b"hello"), "x_train cannot be read"),
}


def lzma_of_pictures() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        for name, data in SOUND.items():
            archive.writestr(name, data * 3)
    return torn(file.getvalue())


@pytest.mark.parametrize("case", STRANGE)
def test_what_a_file_is_instead_is_said(tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the process itself, which no such file may end in any other way."""
    data, words = STRANGE[case]
    (tmp_path / "upload").write_bytes(data or lzma_of_pictures())
    monkeypatch.setattr(sys, "argv", ["inspection", str(tmp_path / "upload"), str(tmp_path)])
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)  # those of the process that runs the tests
    inspecting.main()
    told = json.loads((tmp_path / "finding.json").read_text())["fault"]
    assert re.search(words, told), told
    assert "ast." not in told, "no object of ours is quoted"
    assert "seconds" not in told
    assert ";" in told or ":" in told, "says no fix"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("kill -KILL $$", "fewer or smaller"),
        ("kill -XCPU $$", "fewer or smaller"),
        ("kill -SEGV $$", "damaged: its reader ended by SIGSEGV; save"),
        ("exit 1", "its log says why"),
    ],
)
def test_only_a_process_that_was_ended_for_it_took_too_much(
    tmp_path: Path, status: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = tmp_path / "python"
    reader.write_text(f"#!/bin/sh\n{status}\n")
    reader.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(reader))
    with pytest.raises((DatasetInvalid, RuntimeError), match=words) as told:
        inspect(tmp_path / "upload", tmp_path, None, lambda: False)
    assert isinstance(told.value, DatasetInvalid) == (status != "exit 1")


def full(number: int) -> Callable[..., None]:
    def refuse(*_: object) -> None:
        raise OSError(number, "no")

    return refuse


def test_memory_and_disk_are_told_from_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["inspection", str(tmp_path / "upload"), str(tmp_path)])
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    for examined in (lambda *_: np.empty(1 << 55), full(errno.EFBIG)):
        monkeypatch.setattr(inspecting, "examine", examined)
        inspecting.main()
        assert "fewer or smaller" in (tmp_path / "finding.json").read_text()
    monkeypatch.setattr(inspecting, "examine", full(errno.ENOSPC))
    with pytest.raises(OSError, match="no"):
        inspecting.main()
