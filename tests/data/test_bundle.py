"""Bundles: what is read, and that every broken one is refused with its fix."""

from __future__ import annotations

import contextlib
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib import format as npy
from numpy.typing import NDArray

from core.data import DatasetInvalid
from core.data.bundle import read_bundle, write_bundle
from core.data.glimpse import read_glimpse
from core.data.npz import opened
from tests.data.bundles import Arrays, place, sound


def test_grey_images_get_a_channel_and_labels_become_int64(tmp_path: Path) -> None:
    arrays = sound()
    arrays["y_train"] = arrays["y_train"].astype(np.uint8)
    bundle = read_bundle(place(tmp_path, "grey", arrays))
    assert bundle.train.images.shape == (120, 1, 8, 8)
    assert bundle.train.labels.dtype == np.int64
    assert np.array_equal(bundle.test.images[:, 0], arrays["x_test"])
    assert bundle.class_names[:3] == ("zero", "one", "two")


def test_channels_come_first(tmp_path: Path) -> None:
    arrays = sound(colour=True)
    bundle = read_bundle(place(tmp_path, "colour", arrays))
    assert bundle.train.images.shape == (120, 3, 8, 8)
    assert np.array_equal(bundle.train.images.transpose(0, 2, 3, 1), arrays["x_train"])


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_bundle(tmp_path / "a.npz", sound())
    assert len(read_bundle(tmp_path / "a.npz").train) == 120


def test_flat_pictures_are_read_again_after_they_were_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are packed a thousand times smaller, as bombs are, and nobody but the service wrote them so."""
    monkeypatch.setattr("core.data.npz._SMALL", 1000)
    labels = np.arange(40) % 2
    flat = np.broadcast_to(labels.astype(np.uint8)[:, None, None] * 255, (40, 100, 100))
    arrays: Arrays = {"x_train": flat, "y_train": labels, "x_test": flat[:2], "y_test": labels[:2]}
    write_bundle(tmp_path / "flat.npz", arrays | {"class_names": np.array(["black", "white"])})
    np.testing.assert_array_equal(read_bundle(tmp_path / "flat.npz").train.images[:, 0], flat)


def test_fortran_order_is_only_another_way_to_store(tmp_path: Path) -> None:
    arrays = sound(colour=True)
    plain = read_bundle(place(tmp_path, "c", arrays))
    other = read_bundle(place(tmp_path, "f", arrays | {"x_train": np.asfortranarray(arrays["x_train"])}))
    assert np.array_equal(plain.train.images, other.train.images)


@pytest.mark.parametrize("colour", [False, True])
def test_the_first_rows_are_those_of_the_array_whatever_its_order(tmp_path: Path, colour: bool) -> None:
    arrays = sound(colour=colour)
    path = place(tmp_path, "f", {name: np.asfortranarray(array) for name, array in arrays.items()})
    with opened(path, "") as npz:
        for count in (1, 3, 119, 120, 500):
            assert np.array_equal(npz.rows("x_train", count), arrays["x_train"][:count])
            assert np.array_equal(npz.rows("y_train", count), arrays["y_train"][:count])
    plain = read_glimpse(place(tmp_path, "c", arrays))
    assert np.array_equal(read_glimpse(path).images, plain.images)
    assert np.array_equal(read_glimpse(path).labels, plain.labels)


def changed(name: str, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Arrays:
    arrays = sound()
    arrays[name] = change(arrays[name])
    return arrays


BROKEN: dict[str, tuple[Callable[[], Arrays], str, str]] = {
    "missing array": (lambda: {k: v for k, v in sound().items() if k != "x_test"}, "no array x_test", "a bundle is"),
    "float pixels": (lambda: changed("x_train", lambda x: x / 255), "float64", "astype(np.uint8)"),
    "flat pixels": (lambda: changed("x_train", lambda x: x.reshape(len(x), -1)), "(120, 64)", "(N, H, W)"),
    "channels first": (
        lambda: changed("x_train", lambda x: np.stack([x, x, x], axis=1)),
        "channels come last",
        "np.transpose(x_train, (0, 2, 3, 1))",
    ),
    "two channels": (lambda: changed("x_train", lambda x: np.stack([x, x], axis=-1)), "(120, 8, 8, 2)", "3 (RGB)"),
    "no images": (lambda: changed("x_test", lambda x: x[:0]) | {"y_test": np.empty(0, int)}, "no pixels", "at least"),
    "other size": (lambda: changed("x_test", lambda x: x[:, :4]), "(4, 8)", "resize"),
    "float labels": (lambda: changed("y_train", lambda y: y * 1.0), "float64", "astype(np.int64)"),
    "one-hot labels": (lambda: changed("y_train", lambda y: np.eye(10, dtype=int)[y]), "(120, 10)", "one label"),
    "too few labels": (lambda: changed("y_train", lambda y: y[1:]), "119 labels for 120 images", "exactly one"),
    "label too high": (lambda: changed("y_test", lambda y: y + 1), "from 1 to 10", "number the classes from 0"),
    "negative label": (lambda: changed("y_train", lambda y: y - 1), "from -1 to 8", "number the classes from 0"),
    "extra name": (
        lambda: changed("class_names", lambda n: np.append(n, "ten")),
        "class 'ten' has 0 train image(s)",
        "leave the class out",
    ),
    "single image": (
        lambda: {k: (v[11:] if k in ("x_train", "y_train") else v) for k, v in sound().items()},
        "class 'zero' has 1 train image(s) but needs 2",
        "held out for validation",
    ),
    "class without test": (
        lambda: {k: (v[12:] if k in ("x_test", "y_test") else v) for k, v in sound().items()},
        "class 'zero' has 0 test image(s) but needs 1",
        "add images",
    ),
    "names as numbers": (lambda: changed("class_names", lambda n: np.arange(10)), "int64", "dtype=str"),
    "names as bytes": (lambda: changed("class_names", lambda n: n.astype("S")), "bytes", "dtype=str"),
    "same name twice": (lambda: changed("class_names", lambda n: np.array(["a"] * 10)), "'a' more than once", "own"),
    "blank name": (lambda: changed("class_names", lambda n: np.array([" ", *n[1:]])), "' '", "printable"),
    "one class": (lambda: changed("class_names", lambda n: n[:1]), "has 1 names", "two classes or more"),
    "name with a line break": (lambda: changed("class_names", lambda n: np.array(["a\nb", *n[1:]])), "a\\nb", "print"),
    "objects": (
        lambda: changed("class_names", lambda n: np.array([*n[:9], None], dtype=object)),
        "Python objects",
        "dtype=str",
    ),
    "structured pixels": (
        lambda: changed("x_train", lambda x: np.zeros(len(x), dtype=[("a", "u1")])),
        "void8",
        "store pixels as uint8",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_bundle_is_refused_with_its_fault_and_its_fix(tmp_path: Path, case: str) -> None:
    make, fault, fix = BROKEN[case]
    path = place(tmp_path, "broken", make())
    with pytest.raises(DatasetInvalid) as refusal:
        read_bundle(path)
    text = str(refusal.value)
    assert text.startswith("broken.npz: "), text
    assert fault in text, text
    assert fix in text, text


def npy_claiming(shape: tuple[int, ...], data: bytes = b"") -> bytes:
    file = io.BytesIO()
    npy.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.getvalue() + data


def test_a_header_that_claims_terabytes_is_not_believed(tmp_path: Path) -> None:
    path = place(tmp_path, "bomb", {k: v for k, v in sound().items() if k != "x_train"})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x_train.npy", npy_claiming((120, 300_000, 300_000)))
    with pytest.raises(DatasetInvalid, match="claims 10,800,000,000,000 bytes of data but the file holds 0"):
        read_bundle(path)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = place(tmp_path, "bomb", {k: v for k, v in sound().items() if k != "x_train"})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", npy_claiming((120, 1024, 1024), bytes(120 << 20)))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(DatasetInvalid, match="zip bomb"):
        read_bundle(path)


def test_more_than_is_read_is_refused_by_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.data.npz.MAX_BYTES", 1000)
    with pytest.raises(DatasetInvalid, match="more than the 1,000 that are read; use fewer or smaller images"):
        read_bundle(place(tmp_path, "large", sound()))


def test_an_object_array_is_never_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
            return os.system, (f"touch {tmp_path / 'sprung'}",)

    path = place(tmp_path, "trap", sound() | {"class_names": np.array([Trap()] * 10, dtype=object)})
    with pytest.raises(DatasetInvalid, match="could run code"):
        read_bundle(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"x,y\n1,2\n"])
def test_what_is_no_zip_is_no_bundle(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.npz"
    path.write_bytes(content)
    with pytest.raises(DatasetInvalid, match=r"odd\.npz: not a whole npz archive .* np\.savez"):
        read_bundle(path)


@settings(max_examples=60)
@given(data=st.data())
def test_no_damage_escapes_as_another_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Cut off or overwrite a sound file anywhere: it is still sound, or it is refused; nothing else happens."""
    path = place(tmp_path_factory.mktemp("damage"), "damaged", sound(per_class=3))
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    for place_, byte in data.draw(
        st.lists(st.tuples(st.integers(0, max(0, len(content) - 1)), st.integers(0, 255)), max_size=8)
    ):
        if content:
            content[place_] = byte
    path.write_bytes(content)
    with contextlib.suppress(DatasetInvalid):
        read_bundle(path)
