"""A folder on the way to the service: all of it is packed, or the command says what cannot be."""

from __future__ import annotations

import os
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from stillhouse import UsageError
from stillhouse.upload import pack


def folder(tmp_path: Path) -> Path:
    for name in ("pets/cat/1.png", "pets/cat/2.png", "pets/dog/1.png", "elsewhere/eel/1.png", "elsewhere/3.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path / "pets"


def packed(tmp_path: Path) -> dict[str, bytes]:
    pack(tmp_path / "pets", tmp_path / "packed.zip")
    with zipfile.ZipFile(tmp_path / "packed.zip") as archive:
        assert archive.testzip() is None
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())
        return {info.filename: archive.read(info) for info in archive.infolist()}


def test_links_are_followed(tmp_path: Path) -> None:
    pets = folder(tmp_path)
    (pets / "eel").symlink_to(tmp_path / "elsewhere/eel")
    (pets / "moray").symlink_to(Path("..", "elsewhere", "eel"))  # the same folder once more
    (pets / "cat/3.png").symlink_to(tmp_path / "elsewhere/3.png")
    assert packed(tmp_path) == {
        "cat/1.png": b"pets/cat/1.png",
        "cat/2.png": b"pets/cat/2.png",
        "cat/3.png": b"elsewhere/3.png",
        "dog/1.png": b"pets/dog/1.png",
        "eel/1.png": b"elsewhere/eel/1.png",
        "moray/1.png": b"elsewhere/eel/1.png",
    }


@pytest.mark.parametrize("date", [0, -(10**9), 5 * 10**9, 2**33])
def test_a_date_is_no_part_of_a_dataset(tmp_path: Path, date: int) -> None:
    pets = folder(tmp_path)
    before = packed(tmp_path)
    whole = (tmp_path / "packed.zip").read_bytes()
    os.utime(pets / "cat/1.png", (date, date))
    assert packed(tmp_path) == before
    assert (tmp_path / "packed.zip").read_bytes() == whole


def test_what_a_name_hides_may_be_anything(tmp_path: Path) -> None:
    """Version control and editors leave sockets and links that lead nowhere; the service tells of hidden pictures."""
    pets = folder(tmp_path)
    (pets / "cat/.#1.png").symlink_to("nobody@nowhere")
    os.mkfifo(pets / ".pipe")
    (pets / ".empty").mkdir()
    (pets / ".git/objects").mkdir(parents=True)
    (pets / ".git/HEAD").write_bytes(b"x")
    (pets / ".net").mkdir()
    (pets / ".net/1.png").write_bytes(b"x")
    assert set(packed(tmp_path)) == {"cat/1.png", "cat/2.png", "dog/1.png", ".net/1.png"}


def not_utf8(pets: Path) -> None:
    (pets / os.fsdecode(b"cat/k\xe4se.png")).write_bytes(b"x")


def folder_not_utf8(pets: Path) -> None:
    (pets / os.fsdecode(b"k\xe4se")).mkdir()
    (pets / os.fsdecode(b"k\xe4se/1.png")).write_bytes(b"x")


def a_socket(pets: Path) -> None:
    os.chdir(pets)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("cat/socket")


def only_hidden(pets: Path) -> None:
    (pets / "eel").mkdir()
    (pets / "eel/.DS_Store").write_bytes(b"x")


UNSENDABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a name that is not UTF-8": (not_utf8, r"cat/k\\xe4se.png has a name that is not UTF-8: rename it"),
    "a folder that is not UTF-8": (folder_not_utf8, r"k\\xe4se/1.png has a name that is not UTF-8"),
    "a backslash": (lambda pets: (pets / "cat\\1.png").write_bytes(b"x"), "has a backslash in its name"),
    "a link that leads nowhere": (
        lambda pets: (pets / "cat/l.png").symlink_to("nowhere"),
        "cat/l.png is a link that leads nowhere: delete it",
    ),
    "a link to itself": (
        lambda pets: (pets / "cat/l.png").symlink_to("l.png"),
        "cat/l.png is a link that leads nowhere",
    ),
    "a link to its folder": (lambda pets: (pets / "cat/l").symlink_to("."), "cat/l is a link that leads back"),
    "a link to the whole": (lambda pets: (pets / "cat/l").symlink_to(pets), "cat/l is a link that leads back"),
    "a pipe": (lambda pets: os.mkfifo(pets / "cat/pipe"), "cat/pipe is neither a file nor a folder"),
    "a socket": (a_socket, "cat/socket is neither a file nor a folder"),
    "an empty folder": (
        lambda pets: (pets / "eel").mkdir(),
        "pets/eel is empty: put pictures into it, or delete",
    ),
    "an empty folder, linked": (lambda pets: (pets / "eel").symlink_to(pets.parent / "void"), "pets/eel is empty"),
    "a folder of what is hidden": (only_hidden, "pets/eel is empty"),
}


@pytest.mark.parametrize(("spoil", "words"), UNSENDABLE.values(), ids=UNSENDABLE)
def test_what_cannot_be_packed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], object], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    pets = folder(tmp_path)
    (tmp_path / "void").mkdir()
    spoil(pets)
    with pytest.raises(UsageError, match=words) as refused:
        packed(tmp_path)
    str(refused.value).encode()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["cat/1.png", "cat"])
def test_what_may_not_be_read_is_named(tmp_path: Path, name: str) -> None:
    pets = folder(tmp_path)
    (pets / name).chmod(0)
    with pytest.raises(UsageError, match=f"{name} cannot be .*Permission denied"):
        packed(tmp_path)
    (pets / name).chmod(0o700)
