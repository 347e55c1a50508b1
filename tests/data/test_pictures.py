"""Pictures of every kind: the pixels that are kept of them, and the notes about the rest."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from core.data import DatasetInvalid
from core.data.archive import read_archive
from core.data.folders import AUTO, Folders
from core.data.folders.pixels import Look, pixels_of, size_of
from tests.data.archives import classes, deep, packed, picture, tiff
from tests.data.neighbours import encoded


def read(tmp_path: Path, members: Mapping[str, bytes], size: int | None = None) -> Folders:
    (tmp_path / "upload").write_bytes(packed(members))
    return read_archive(tmp_path / "upload", size)


def everything(found: Folders) -> np.ndarray:
    """All pictures of both splits."""
    return np.concatenate([found.arrays["x_train"], found.arrays["x_test"]])


@pytest.mark.parametrize(
    ("sizes", "kept"),
    [
        ([(20, 30)], (30, 20)),
        ([(65, 40)], (32, 32)),
        ([(100, 70), (70, 64), (64, 300)], (64, 64)),
        ([(100, 70), (50, 64), (60, 300)], (32, 32)),
        ([(3, 9), (9, 3)], (4, 4)),
    ],
)
def test_a_side_is_chosen_where_the_pictures_ask_for_one(
    tmp_path: Path, sizes: list[tuple[int, int]], kept: tuple[int, int]
) -> None:
    members = {
        f"{label}/{number}.png": picture(number, size) for label in "ab" for number, size in enumerate(sizes * 6)
    }
    found = read(tmp_path, members, AUTO)
    assert everything(found).shape[1:3] == kept
    assert any("say a size to have another side" in remark for remark in found.remarks) == (len(set(kept)) == 1)


def icon(ink: tuple[int, int, int], shown: int = 5) -> bytes:
    """A transparent picture, in whose middle are `shown` rows of ink; hidden colours are noise."""
    rng = np.random.default_rng(shown + sum(ink))
    pixels = rng.integers(0, 256, (9, 9, 4)).astype(np.uint8)
    pixels[..., 3] = 0
    pixels[2 : 2 + shown] = (*ink, 255)
    return encoded(Image.fromarray(pixels))


@pytest.mark.parametrize(
    ("ink", "ground", "words"),
    [
        ((0, 0, 0), 255, "6 of 6 pictures are transparent in places: they were laid on white."),
        ((255, 255, 255), 0, "6 of 6 pictures are transparent in places: they were laid on black."),
        ((250, 250, 250), 0, "laid on black."),
        ((200, 10, 10), 255, "laid on white."),
    ],
)
def test_ink_on_a_transparent_ground_is_seen(
    tmp_path: Path, ink: tuple[int, int, int], ground: int, words: str
) -> None:
    members = {f"{label}/{n}.png": icon(ink, 1 + n) for label in ("a", "b") for n in range(3)}
    found = read(tmp_path, members)
    assert words in " ".join(found.remarks)
    for image in everything(found):
        colours = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
        assert {tuple(pixel) for pixel in colours.reshape(-1, 3).tolist()} == {ink, (ground,) * 3}


def test_pictures_that_show_nothing_on_their_ground_are_counted(tmp_path: Path) -> None:
    inks = {"a": [(0, 0, 0)] * 4, "b": [(0, 0, 0)] * 3 + [(255, 255, 255)]}
    members = {f"{label}/{n}.png": icon(ink, n + 1) for label, each in inks.items() for n, ink in enumerate(each)}
    members |= {"a/empty.png": icon((9, 9, 9), 0)}
    assert "laid on white, on which 2 show nothing." in " ".join(read(tmp_path, members).remarks)


def test_sixteen_bits_are_scaled_by_the_brightest_that_can_be_seen(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    samples = [rng.integers(0, 1000, (6, 7, 4)).astype(np.uint16) for _ in range(6)]
    for each in samples:
        each[..., 3] = 65535
        each[0, 0] = (65535, 65535, 65535, 0)  # hidden
        each[1, 1, :3] = 1000
    members = {f"{'ab'[n % 2]}/{n}.png": deep(each) for n, each in enumerate(samples)}
    found = read(tmp_path, members)
    assert "6 of 6 pictures have 16 bits a channel: they were scaled so that 1,000 became 255." in found.remarks
    for each in samples:
        each[0, 0] = 1000
    right = {np.rint(each[..., :3] * 0.255).astype(np.uint8).tobytes() for each in samples}
    assert {image.tobytes() for image in everything(found)} == right


@pytest.mark.parametrize("channels", [1, 3])
def test_a_transparent_colour_of_sixteen_bits_is_compared_with_all_of_them(tmp_path: Path, channels: int) -> None:
    members = {}
    for number in range(6):
        samples = np.full((6, 6, channels), 0x1234, np.uint16)
        samples[0] = 0x1235  # differs in the lower byte alone
        samples[1] = 0xFFFF
        samples[2] = 0x0100 * number
        members[f"{'ab'[number % 2]}/{number}.png"] = deep(samples, (0x1234,) * channels)
    first = [image.reshape(6, 6, -1)[:, 0, 0].tolist() for image in everything(read(tmp_path, members))]
    assert sorted(first) == [[18, 255, number, 255, 255, 255] for number in range(6)]


def exif(*tags: tuple[int, int, bytes]) -> bytes:
    """An EXIF block of (tag, type, the four bytes of its value or of where that lies: 0 for itself)."""
    table = b"".join(struct.pack("<HHI", tag, kind, 1) + value for tag, kind, value in tags)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + table + b"\0\0\0\0"


SIDEWAYS = (0x0112, 3, struct.pack("<HH", 6, 0))
CARELESS: dict[str, bytes] = {
    "nothing else": exif(SIDEWAYS),
    "software as a rational": exif(SIDEWAYS, (0x0131, 5, struct.pack("<I", 0))),
    "compression of 100,000": exif((0x0103, 4, struct.pack("<I", 100_000)), SIDEWAYS),
    "a picture within that is not there": exif(SIDEWAYS, (0x8769, 4, struct.pack("<I", 99_999))),
    "a type that is none": exif(SIDEWAYS, (0x0131, 99, b"abcd")),
    "longer than it is": exif(SIDEWAYS) + b"\xff" * 3,
}


@pytest.mark.parametrize("block", CARELESS.values(), ids=CARELESS)
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_nothing_but_the_orientation_is_read_of_exif(tmp_path: Path, form: str, block: bytes) -> None:
    rng = np.random.default_rng(1)
    lying = [Image.fromarray(rng.integers(0, 256, (5, 9, 3)).astype(np.uint8)) for _ in range(6)]
    files = [encoded(each, form, exif=block, lossless=True) for each in lying]
    found = read(tmp_path, {f"{'ab'[n % 2]}/{n}.{form.lower()}": data for n, data in enumerate(files)})
    right = {np.rot90(np.asarray(Image.open(io.BytesIO(data))), -1).tobytes() for data in files}
    assert {image.tobytes() for image in everything(found)} == right


def test_an_exif_that_is_no_exif_turns_nothing_and_is_told(tmp_path: Path) -> None:
    pictures = [Image.fromarray(np.full((5, 9), n * 9, np.uint8)) for n in range(6)]
    members = {
        f"{'ab'[n % 2]}/{n}.png": encoded(each, "PNG", exif=b"Exif\0\0nonsense") for n, each in enumerate(pictures)
    }
    found = read(tmp_path, members)
    assert everything(found).shape == (6, 5, 9)
    assert "EXIF of these could not be read" in " ".join(found.remarks)


def test_several_pictures_in_a_file_are_its_first(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((6, 6, 3), (n, 0, 0), np.uint8)) for n in (10, 200)]
    members = classes(3, mode="RGB", size=(6, 6))
    members["cat/a.png"] = encoded(frames[0], save_all=True, append_images=frames[1:])
    members["cat/b.jpg"] = encoded(frames[0], "MPO", save_all=True, append_images=frames[1:])  # as cameras store
    found = read(tmp_path, members)
    assert "The first picture alone was kept of files with several: 'cat/a.png'." in found.remarks
    assert sum(image[..., 0].max() < 20 for image in everything(found)) == 2


@pytest.mark.parametrize("form", ["GIF", "TIFF"])
def test_the_first_of_several_pictures_is_kept_of_other_formats_and_said(tmp_path: Path, form: str) -> None:
    frames = [Image.fromarray(np.full((6, 6), value, np.uint8)) for value in (10, 200)]
    members = classes(3, size=(6, 6)) | {
        f"cat/a.{form.lower()}": encoded(frames[0], form, save_all=True, append_images=frames[1:])
    }
    found = read(tmp_path, members)
    assert f"The first picture alone was kept of files with several: 'cat/a.{form.lower()}'." in found.remarks
    assert sum((image == 10).all() for image in everything(found)) == 1


@pytest.mark.parametrize("form", ["TIFF", "JPEG", "PNG"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_size_by_the_header_is_that_of_the_pixels(form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = encoded(Image.fromarray(np.zeros((12, 20), np.uint8)), form, exif=exif)
    assert size_of(data) == pixels_of(data, None, Look()).kept.shape[::-1]


@pytest.mark.parametrize(("orientation", "shape"), [(6, (9, 5)), (1, (5, 9))])
def test_a_tiff_is_turned_once(tmp_path: Path, orientation: int, shape: tuple[int, int]) -> None:
    pixels = [np.random.default_rng(n).integers(0, 256, (5, 9)).astype(np.uint8) for n in range(6)]
    files = [encoded(Image.fromarray(each), "TIFF", tiffinfo={0x0112: orientation}) for each in pixels]
    found = read(tmp_path, {f"{'ab'[n % 2]}/{n}.tif": data for n, data in enumerate(files)}, AUTO)
    assert everything(found).shape == (6, *shape)
    right = {(np.rot90(each, -1) if orientation == 6 else each).tobytes() for each in pixels}
    assert {image.tobytes() for image in everything(found)} == right


SAMPLES = np.random.default_rng(2).integers(0, 4096, (6, 8, 4)).astype(np.uint16)


@pytest.mark.parametrize(
    "data",
    [
        tiff(SAMPLES[..., :1], photometric=0),
        tiff(SAMPLES[..., :3], planar=2),
        tiff(SAMPLES[..., :1], format=2),
        tiff(SAMPLES, extra=1),
        encoded(Image.fromarray(SAMPLES[..., 0].astype(np.float32)), "TIFF"),
        encoded(Image.fromarray(SAMPLES[..., 0].astype(np.int32)), "TIFF"),
    ],
    ids=["white is 0", "planes", "signed", "premultiplied", "floats", "32 bits"],
)
def test_a_tiff_of_other_numbers_is_refused_with_the_fix(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DatasetInvalid, match=r"'cat/a.tif' (is a TIFF of|cannot be read).* save it"):
        read(tmp_path, classes(3) | {"cat/a.tif": data})


def test_a_note_of_git_lfs_is_told_from_a_broken_picture(tmp_path: Path) -> None:
    with pytest.raises(DatasetInvalid, match="run `git lfs pull`"):
        read(tmp_path, classes(3) | {"cat/a.png": b"version https://git-lfs.github.com/spec/v1\noid sha256:0"})


def test_grey_counts_one_channel_unless_a_picture_is_in_colour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members = classes(4)
    monkeypatch.setattr("core.data.folders.pictures.MOST_BYTES", 8 * 64)
    assert everything(read(tmp_path, members)).shape == (8, 8, 8)
    with pytest.raises(DatasetInvalid, match="more than 512 bytes of pixels"):
        read(tmp_path, members | {"cat/9.png": picture(9)})
    monkeypatch.setattr("core.data.folders.pictures.MOST_BYTES", 8 * 64 * 3 - 1)
    with pytest.raises(DatasetInvalid, match="bytes of pixels"):
        read(tmp_path, members | {"cat/0.png": picture(9, mode="RGB")})


def test_numbers_are_ordered_as_numbers_and_the_order_is_told(tmp_path: Path) -> None:
    members = {f"{label}/{n}.png": picture(label * 3 + n) for label in range(12) for n in range(3)}
    found = read(tmp_path, members)
    assert found.arrays["class_names"].tolist() == [str(n) for n in range(12)]
    assert "ordered as such: '0', '1', '2', '3', '4', '5', '6', '7', '8', '9' and 2 more." in " ".join(found.remarks)
    assert "ordered" not in " ".join(read(tmp_path, {f"0{name}": data for name, data in classes(3).items()}).remarks)


@pytest.mark.parametrize(
    ("names", "ordered"),
    [
        (["2.5", "10.5", "1.5", "3"], True),
        (["-2", "10", "-3.5"], True),
        (["1_daisy", "10_rose", "2_tulip"], True),
        (["1. daisy", "10. rose", "2. tulip"], True),
        (["class1", "class10", "class2"], True),
        (["c0", "c1", "c10"], False),
        (["001.Auk", "002.Bee", "010.Cat"], False),
        (["2d", "3d", "10d"], False),
        (["a1", "b10", "a2"], False),
        (["1_2", "1_10", "10_1"], False),
    ],
)
def test_names_with_numbers_are_in_their_order_and_it_is_told(tmp_path: Path, names: list[str], ordered: bool) -> None:
    members = {f"{label}/{n}.png": picture(place * 3 + n) for place, label in enumerate(names) for n in range(3)}
    found = read(tmp_path, members)
    numbers = {name: float(re.sub("[^0-9.-]", "", name).strip(".")) for name in names} if ordered else {}
    assert found.arrays["class_names"].tolist() == sorted(names, key=lambda name: (numbers.get(name, 0), name))
    assert ("were ordered as such" in " ".join(found.remarks)) == ordered


def test_names_that_differ_in_capitals_are_two(tmp_path: Path) -> None:
    members = classes(3) | {"cat/0.PNG": picture(7)}
    assert len(everything(read(tmp_path, members))) == 7
    members |= {f"Dog/{n}.png": picture(50 + n) for n in range(3)}
    assert "differ from another in capitals alone: 'Dog'" in " ".join(read(tmp_path, members).remarks)


def test_masks_among_the_pictures_of_a_class_are_told(tmp_path: Path) -> None:
    members = classes(3) | {"cat/0_mask.png": picture(8), "cat/2_mask_1.png": picture(9), "dog/a_mask.png": picture(10)}
    told = "masks of others are taken as pictures of their class: 'cat/0_mask.png', 'cat/2_mask_1.png'."
    assert told in " ".join(read(tmp_path, members).remarks)


def renamed(members: Mapping[str, bytes], name: str, raw: bytes, extra: bytes = b"") -> bytes:
    """The members as a zip in which the folder `name`, as long as `raw`, is written so and without a flag."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for path, data in members.items():
            info = zipfile.ZipInfo(path)
            full = raw + path.encode()[len(raw) :]
            if extra and path.startswith(name):
                field = b"\1" + zlib.crc32(full).to_bytes(4, "little") + extra + path.encode()[len(raw) :]
                info.extra = struct.pack("<HH", 0x7075, len(field)) + field
            archive.writestr(info, data)
    return file.getvalue().replace(name.encode() + b"/", raw + b"/")


def test_names_that_are_not_utf8_are_read_as_dos_wrote_them_or_as_told_beside(tmp_path: Path) -> None:
    members = {f"{label}/{n}.png": picture(n + len(label)) for label in ("Xrgr", "dog") for n in range(3)}
    raw = "Bärg".encode("cp437")
    (tmp_path / "upload").write_bytes(renamed({n.replace("Xrgr", "Xxrg"): d for n, d in members.items()}, "Xxrg", raw))
    found = read_archive(tmp_path / "upload")
    assert found.arrays["class_names"].tolist() == ["Bärg", "dog"]
    assert "does not say how its names are written: 'Bärg/0.png'" in " ".join(found.remarks)
    shift_jis = "犬".encode("shift-jis") + b"ab"
    (tmp_path / "upload").write_bytes(renamed(members, "Xrgr", shift_jis, "犬ab".encode()))
    found = read_archive(tmp_path / "upload")
    assert found.arrays["class_names"].tolist() == ["dog", "犬ab"]
    assert "does not say" not in " ".join(found.remarks)
