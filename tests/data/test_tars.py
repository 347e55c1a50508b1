"""Tar archives: the same as the zip of the same files, and what nobody should send in one."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from core.data import DatasetInvalid
from core.data.folders import tars
from core.data.inspection import examine
from tests.data.archives import classes, packed, picture, tarred

SOUND = classes()


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def looked_at(folder: Path, data: bytes) -> dict[str, object]:
    (folder / "upload").write_bytes(data)
    return examine(folder / "upload", folder / "bundle.npz", None)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_is_the_dataset_that_its_zip_is_and_leaves_nothing_behind(tmp_path: Path, mode: str) -> None:
    zipped, tar = (looked_at(tmp_path, data) for data in (packed(SOUND), tarred(SOUND, mode, top="./")))
    assert zipped == tar
    assert {path.name for path in tmp_path.iterdir()} == {"upload", "bundle.npz"}


def test_a_tar_of_before_posix_is_one(tmp_path: Path) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in SOUND.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            block = bytearray(info.tobuf())
            block[257:512] = bytes(255)
            block[148:156] = b" " * 8
            block[148:156] = b"%06o\0 " % sum(block)
            archive.fileobj.write(bytes(block) + data.ljust(-(-len(data) // 512) * 512, b"\0"))
    assert looked_at(tmp_path, file.getvalue())["train_counts"] == [4, 4]


ATTACKS: dict[str, tuple[bytes, str]] = {
    "a way out": (tarred(SOUND | {"../../etc/passwd.png": picture()}), "leads out"),
    "an absolute path": (tarred(SOUND, "w:gz", entry("/etc/x.png")), "leads out"),
    "a link": (tarred(SOUND, "w", entry("cat/l.png", tarfile.SYMTYPE, "/etc/passwd")), "link or a device; pack the"),
    "a hard link": (tarred(SOUND, "w", entry("cat/l.png", tarfile.LNKTYPE, "cat/0.png")), "--hard-dereference"),
    "a device": (tarred(SOUND, "w", entry("cat/null", tarfile.CHRTYPE)), "link or a device"),
    "a pipe": (tarred(SOUND, "w", entry("cat/pipe", tarfile.FIFOTYPE)), "link or a device"),
    "a name twice": (tarred(SOUND, "w", entry("cat/0.png")), "'cat/0.png' is in the archive twice"),
    "no UTF-8": (tarred(SOUND, "w", entry("cat/\udcff.png")), "name that is not UTF-8; rename it"),
    "an empty class": (tarred(SOUND, "w", entry("eel", tarfile.DIRTYPE)), "'eel' is an empty folder"),
    "half a tar": (tarred(SOUND, "w")[:7000], "damaged .*; pack it anew"),
    "half a tar.gz": (tarred(SOUND)[:1000], "damaged .*; pack it anew"),
}


@pytest.mark.parametrize(("data", "words"), ATTACKS.values(), ids=ATTACKS)
def test_what_is_wrong_is_refused_with_its_fix(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(DatasetInvalid, match=words):
        looked_at(tmp_path, data)


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tars, "_SMALL", 2**20)
    with pytest.raises(DatasetInvalid, match=r"more than 200 times its size .*; send fewer"):
        looked_at(tmp_path, tarred(SOUND | {"cat/bomb.png": bytes(8 * 2**20)}))
    assert looked_at(tmp_path, tarred(SOUND | {"note.txt": bytes(2**18)}))["train_counts"] == [4, 4]


def test_files_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("members", "tars"):
        monkeypatch.setattr(f"core.data.folders.{module}.MOST_FILES", 5)
    with pytest.raises(DatasetInvalid, match="more than 5"):
        looked_at(tmp_path, tarred(SOUND))


def test_a_zip_of_a_tar_says_which_file_to_send(tmp_path: Path) -> None:
    with pytest.raises(DatasetInvalid, match=r"holds no pictures, only 'pets\.tar'"):
        looked_at(tmp_path, packed({"pets.tar": tarred(SOUND, "w")}, method=zipfile.ZIP_STORED))
