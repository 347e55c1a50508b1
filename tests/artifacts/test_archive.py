"""The archive: the same bytes each time, whole for readers with and without seek."""

from __future__ import annotations

import io
import zipfile
from functools import partial
from pathlib import Path

import pytest

from core.artifacts import archive, build, zip_bytes, zip_stream
from core.artifacts.archive import Entry
from core.artifacts.layout import files_in
from tests.artifacts.results import result


def entry(name: str, content: bytes) -> Entry:
    return name, lambda: io.BytesIO(content)


def test_order_of_entries_does_not_matter() -> None:
    entries = [entry("b", b"2"), entry("a/c", b"3"), entry("a", b"1")]
    assert zip_bytes(entries) == zip_bytes(reversed(entries))


def test_an_artifact_unpacks_to_itself(tmp_path: Path) -> None:
    build(tmp_path, result())
    names = files_in(tmp_path)
    content = zip_bytes(entry(name, (tmp_path / name).read_bytes()) for name in names)
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == names
        assert all(opened.read(name) == (tmp_path / name).read_bytes() for name in names)
        assert {info.date_time for info in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.compress_type for info in opened.infolist()} == {zipfile.ZIP_STORED}
        assert {info.external_attr >> 16 for info in opened.infolist()} == {0o100644}


def test_sizes_stand_in_front_of_the_bytes() -> None:
    with zipfile.ZipFile(io.BytesIO(zip_bytes([entry("a", b"12345")]))) as opened:
        info = opened.getinfo("a")
    assert info.flag_bits & 0x08 == 0, "no data descriptor"


def test_a_file_too_large_for_memory_comes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_IN_MEMORY", 1000)
    large = bytes(range(256)) * 20_000
    pieces = list(zip_stream([entry("large", large), entry("small", b"s")]))
    assert max(map(len, pieces)) <= 1 << 20
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as opened:
        assert opened.read("large") == large
        assert opened.testzip() is None


def test_files_come_one_by_one() -> None:
    opened = []

    def open_(name: str) -> io.BytesIO:
        opened.append(name)
        return io.BytesIO(name.encode())

    stream = zip_stream((name, partial(open_, name)) for name in "abc")
    next(stream)
    assert opened == ["a"]


def test_nothing_makes_an_empty_archive() -> None:
    assert zipfile.ZipFile(io.BytesIO(zip_bytes([]))).namelist() == []


def test_names_need_not_be_ascii() -> None:
    with zipfile.ZipFile(io.BytesIO(zip_bytes([entry("猫.txt", b"x")]))) as opened:
        assert opened.namelist() == ["猫.txt"]
