"""The store: content-addressed, atomic, the same over every file system."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.artifacts import MissingObject, Probe, Store, StoreUnavailable, StoreUnreachable
from tests.artifacts.s3 import credentials, s3_server

CONTENT = bytes(range(256)) * 5000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(params=["file", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty store on a disk, in memory, and behind S3's protocol."""
    if request.param == "file":
        yield Store(f"file://{tmp_path}/store with a space")
    elif request.param == "memory":
        yield Store(f"memory://{tmp_path.name}")
    else:
        with s3_server() as endpoint:
            for name, value in credentials(endpoint).items():
                monkeypatch.setenv(name, value)
            yield Store(f"s3://bucket/{tmp_path.name}")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.bin"
    path.write_bytes(CONTENT)
    return path


def test_what_is_put_is_found_by_its_hash(store: Store, source: Path) -> None:
    assert not store.exists(SHA256)
    assert store.put(source) == (SHA256, len(CONTENT))
    assert store.exists(SHA256)
    assert store.size(SHA256) == len(CONTENT)
    with store.open(SHA256) as file:
        file.seek(1000)
        assert file.read(300) == CONTENT[1000:1300]
        file.seek(0)
        assert file.read() == CONTENT


def test_putting_again_changes_nothing_and_deleting_twice_is_no_error(store: Store, source: Path) -> None:
    assert store.put(source) == store.put(source)
    store.delete(SHA256)
    store.delete(SHA256)
    assert not store.exists(SHA256)


def test_a_missing_object_is_named(store: Store) -> None:
    for look in (store.open, store.size):
        with pytest.raises(MissingObject, match=SHA256):
            look(SHA256)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", SHA256[:-1], SHA256.upper(), f"{SHA256}/..", f"{SHA256}\n"])
def test_only_a_hash_is_an_address(tmp_path: Path, name: str) -> None:
    store = Store(f"file://{tmp_path}")
    for look in (store.open, store.size, store.exists, store.delete):
        with pytest.raises(ValueError, match="64 lower-case hexadecimal digits"):
            look(name)


def test_the_layout_is_the_documented_one(tmp_path: Path, source: Path) -> None:
    Store(f"file://{tmp_path}/store").put(source)
    files = [path.relative_to(tmp_path / "store") for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert files == [Path("sha256", SHA256[:2], SHA256)]


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    store = Store(f"file://{tmp_path}/store")
    with monkeypatch.context() as patched:
        patched.setattr("core.files.os.fsync", no_space)
        with pytest.raises(OSError, match="No space left"):
            store.put(source)
    assert not store.exists(SHA256)
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []
    assert store.put(source) == (SHA256, len(CONTENT))


def test_a_torn_object_is_replaced(tmp_path: Path, source: Path) -> None:
    store = Store(f"file://{tmp_path}/store")
    store.put(source)
    (tmp_path / "store" / "sha256" / SHA256[:2] / SHA256).write_bytes(CONTENT[:100])
    store.put(source)
    assert store.size(SHA256) == len(CONTENT)


def test_a_rotten_object_is_replaced_whatever_its_size(store: Store, source: Path, tmp_path: Path) -> None:
    store.put(source)
    address = store._address(SHA256)
    for rot in (CONTENT[:-1] + b"?", b"", None):
        if rot is None:
            store._files.rm_file(address)
        else:
            store._files.pipe_file(address, rot)
        assert not store.intact(SHA256, len(CONTENT))
        with pytest.raises(MissingObject, match=SHA256):
            store.fetch(SHA256, tmp_path / "copy")
        assert not (tmp_path / "copy").exists()
        store.put(source)
        assert store.intact(SHA256, len(CONTENT))


def test_a_probe_says_whether_the_store_can_be_written(tmp_path: Path) -> None:
    root = tmp_path / "store"
    store = Store(f"file://{root}")
    probe = Probe(store)
    assert probe.trouble() is None
    assert [path for path in root.rglob("*") if path.is_file()] == [], "it leaves nothing"
    root.rename(tmp_path / "away")
    root.touch()
    assert probe.trouble() is None, "what was found out holds for some seconds"
    assert "NotADirectoryError" in (Probe(store).trouble() or "")


def test_a_probe_of_a_store_that_hangs_keeps_nobody_waiting_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.artifacts.probe._PATIENCE", 0.05)
    hung, go_on, store = threading.Event(), threading.Event(), Store(f"file://{tmp_path}")

    def hang(self: Store) -> None:
        hung.set()
        go_on.wait(30)

    monkeypatch.setattr(Store, "probe", hang)
    probe = Probe(store)
    first = threading.Thread(target=probe.trouble)
    first.start()
    assert hung.wait(30)
    assert probe.trouble() == "The store has not answered for 0.05 s."
    go_on.set()
    first.join()


def test_many_writers_of_one_object(tmp_path: Path, source: Path) -> None:
    store, results = Store(f"file://{tmp_path}/store"), []
    threads = [threading.Thread(target=lambda: results.append(store.put(source))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert results == [(SHA256, len(CONTENT))] * 8
    assert len([path for path in (tmp_path / "store").rglob("*") if path.is_file()]) == 1


def test_an_unknown_kind_of_address_is_refused_with_the_fix() -> None:
    with pytest.raises(StoreUnavailable, match="use file:///folder or s3://bucket/prefix"):
        Store("gopher://example.org/x")


def test_without_s3fs_the_error_says_how_to_get_it() -> None:
    script = "import sys; sys.modules['s3fs'] = None; from core.artifacts import Store; Store('s3://bucket/x')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "pip install s3fs" in done.stderr


def test_a_server_that_is_away_is_an_os_error(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
    settings = {"ENDPOINT_URL": endpoint, "ACCESS_KEY_ID": "k", "SECRET_ACCESS_KEY": "s", "MAX_ATTEMPTS": "1"}
    for name, value in (settings | {"DEFAULT_REGION": "us-east-1"}).items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with pytest.raises(StoreUnreachable, match="Could not connect"):
        Store("s3://nowhere/x").put(source)
