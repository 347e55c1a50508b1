"""Content-addressed storage of files over fsspec: a local folder, S3, or anything else with a URL."""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, cast, final

import fsspec
from fsspec.core import url_to_fs
from fsspec.utils import get_protocol

from core.artifacts.load import sha256 as sha256_of
from core.files import draft, settle

_HEX = re.compile(r"[0-9a-f]{64}")
_PIECE = 1 << 20


@final
class StoreUnavailable(ValueError):
    """The store's URL cannot be used as the installation stands; the message says what to install or change."""


@final
class StoreUnreachable(OSError):
    """The store's server did not answer as it should; trying again later may help."""


@final
class MissingObject(LookupError):
    """The store holds no object with this SHA-256, or something else under its address."""


@final
class Store:
    """Files by their SHA-256, at `<url>/sha256/ab/<hex>`; equal content is kept once and never changes.

    An object is written under a temporary name and moved, so a reader finds it whole or not at all. Every method
    raises OSError (StoreUnreachable, where the trouble is not the operating system's) if the store fails.
    """

    def __init__(self, url: str) -> None:
        self._files, self._root = _filesystem(url)

    def put(self, path: Path) -> tuple[str, int]:
        """Store the file at `path`; returns (sha256 in hexadecimal, bytes).

        An object that is there already is read, and replaced if it has rotted.
        """
        sha256, size = sha256_of(path), path.stat().st_size
        address, draft = self._address(sha256), self._draft()
        with _one_kind_of_trouble():
            if self._holds(sha256, size):
                return sha256, size
            try:
                with path.open("rb") as source, self._files.open(draft, "wb") as target:
                    shutil.copyfileobj(source, target, _PIECE)
                    settle(target)
                self._files.mv(draft, address)
            except BaseException:
                with contextlib.suppress(Exception):
                    self._files.rm_file(draft)
                raise
        return sha256, size

    def open(self, sha256: str) -> IO[bytes]:
        """The object as a seekable binary file, which the caller closes. Raises MissingObject."""
        with _one_kind_of_trouble(), _found(sha256):
            return cast("IO[bytes]", self._files.open(self._address(sha256), "rb"))

    def fetch(self, sha256: str, path: Path) -> None:
        """Copy the object to `path`, which has it whole or not at all. Raises MissingObject."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with self.open(sha256) as source, draft(path) as target:
            shutil.copyfileobj(source, target, _PIECE)
            target.flush()
            if sha256_of(Path(target.name)) != sha256:
                raise MissingObject(f"the store's object {sha256} is damaged: it is not what its address says")

    def size(self, sha256: str) -> int:
        """Bytes of the object. Raises MissingObject."""
        with _one_kind_of_trouble(), _found(sha256):
            return int(self._files.size(self._address(sha256)))

    def exists(self, sha256: str) -> bool:
        """Whether the store holds the object."""
        with _one_kind_of_trouble():
            return bool(self._files.exists(self._address(sha256)))

    def intact(self, sha256: str, size: int) -> bool:
        """Whether the store holds the object and every byte of it is right: it is read."""
        with _one_kind_of_trouble():
            return self._holds(sha256, size)

    def probe(self) -> None:
        """Write something small and delete it again; raises OSError where that fails."""
        draft = self._draft()
        with _one_kind_of_trouble():
            with self._files.open(draft, "wb") as target:
                target.write(b"ready?")
            self._files.rm_file(draft)

    def objects(self) -> Iterator[tuple[str, int, float]]:
        """SHA-256, bytes and age in seconds of all that is stored, in no order."""
        with _one_kind_of_trouble():
            for address, found in self._found_below("sha256"):
                if _HEX.fullmatch(name := address.rpartition("/")[2]):
                    yield name, int(found["size"]), self._age(address)

    def tidy(self, older_than: float) -> int:
        """Delete what writers that died have left half written, if it is older than so many seconds; how many."""
        with _one_kind_of_trouble():
            drafts = [address for address, _ in self._found_below("tmp") if self._age(address) > older_than]
            for draft in drafts:
                with contextlib.suppress(FileNotFoundError):
                    self._files.rm_file(draft)
        return len(drafts)

    def _found_below(self, folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
        try:
            yield from self._files.find(f"{self._root}/{folder}", detail=True).items()
        except FileNotFoundError:
            return

    def _age(self, address: str) -> float:
        modified: datetime = self._files.modified(address)
        return (datetime.now(UTC) - modified.astimezone(UTC)).total_seconds()

    def delete(self, sha256: str) -> None:
        """Remove the object; no error if there is none."""
        with _one_kind_of_trouble(), contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._address(sha256))

    def _holds(self, sha256: str, size: int) -> bool:
        address = self._address(sha256)
        try:
            if self._files.size(address) != size:
                return False
            with self._files.open(address, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except FileNotFoundError:
            return False

    def _draft(self) -> str:
        return f"{self._root}/tmp/{secrets.token_hex(16)}"

    def _address(self, sha256: str) -> str:
        if not _HEX.fullmatch(sha256):
            raise ValueError(f"{sha256!r} is no SHA-256; give 64 lower-case hexadecimal digits")
        return f"{self._root}/sha256/{sha256[:2]}/{sha256}"


def _filesystem(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    # Neither listings nor connections are shared: another process may have put an object since the last look, and
    # two stores may have the same address on different servers.
    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    if get_protocol(url) in ("file", "local"):
        options["auto_mkdir"] = True
    try:
        filesystem, root = url_to_fs(url, **options)
    except ImportError as fault:
        raise StoreUnavailable(
            f"the store {url!r} needs a package that is not installed ({fault}); for s3:// addresses: pip install s3fs"
        ) from fault
    except ValueError as fault:
        raise StoreUnavailable(
            f"the store {url!r} is not an address that can be opened ({fault}); use file:///folder or "
            "s3://bucket/prefix"
        ) from fault
    return filesystem, root.rstrip("/")


@contextlib.contextmanager
def _one_kind_of_trouble() -> Iterator[None]:
    # Every file system brings its own family of exceptions; callers that store an artifact know only OSError.
    try:
        yield
    except (OSError, ValueError, MissingObject):
        raise
    except Exception as fault:
        raise StoreUnreachable(f"the store does not work: {fault}") from fault


@contextlib.contextmanager
def _found(sha256: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise MissingObject(f"the store holds no object {sha256}") from None
