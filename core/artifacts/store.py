"""Content-addressed storage of files over fsspec: a local folder, S3, or anything else with a URL."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import IO, Any, cast, final

import fsspec
from fsspec.core import url_to_fs

from core.artifacts.load import sha256 as sha256_of

_HEX = re.compile(r"[0-9a-f]{64}")
_PIECE = 1 << 20


@final
class StoreUnavailable(ValueError):
    """The store's URL cannot be used as the installation stands; the message says what to install or change."""


@final
class MissingObject(LookupError):
    """The store holds no object with this SHA-256."""


@final
class Store:
    """Files by their SHA-256, at `<url>/sha256/ab/<hex>`; equal content is kept once and never changes.

    An object is written under a temporary name and moved, so a reader finds it whole or not at all.
    """

    def __init__(self, url: str) -> None:
        try:
            # Listings are not cached: another process may have put an object since.
            filesystem, root = url_to_fs(url, use_listings_cache=False)
        except ImportError as fault:
            raise StoreUnavailable(
                f"the store {url!r} needs a package that is not installed ({fault}); for s3:// addresses: "
                "pip install 'stillhouse[s3]'"
            ) from fault
        except ValueError as fault:
            raise StoreUnavailable(
                f"the store {url!r} is not an address that can be opened ({fault}); use file:///folder or "
                "s3://bucket/prefix"
            ) from fault
        self._files: fsspec.AbstractFileSystem = filesystem
        self._root = root.rstrip("/")

    def put(self, path: Path) -> tuple[str, int]:
        """Store the file at `path`; returns (sha256 in hexadecimal, bytes). Storing the same content again is free."""
        sha256, size = sha256_of(path), path.stat().st_size
        address = self._address(sha256)
        if self.exists(sha256) and self.size(sha256) == size:
            return sha256, size
        draft = f"{self._root}/tmp/{secrets.token_hex(16)}"
        self._files.makedirs(f"{self._root}/tmp", exist_ok=True)
        try:
            with path.open("rb") as source, self._files.open(draft, "wb") as target:
                shutil.copyfileobj(source, target, _PIECE)
                _settle(target)
            self._files.makedirs(address.rpartition("/")[0], exist_ok=True)
            self._files.mv(draft, address)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                self._files.rm_file(draft)
            raise
        return sha256, size

    def open(self, sha256: str) -> IO[bytes]:
        """The object as a seekable binary file; the caller closes it. Raises MissingObject."""
        try:
            return cast("IO[bytes]", self._files.open(self._address(sha256), "rb"))
        except FileNotFoundError:
            raise MissingObject(f"the store holds no object {sha256}") from None

    def size(self, sha256: str) -> int:
        """Bytes of the object. Raises MissingObject."""
        try:
            return int(self._files.size(self._address(sha256)))
        except FileNotFoundError:
            raise MissingObject(f"the store holds no object {sha256}") from None

    def exists(self, sha256: str) -> bool:
        """Whether the store holds the object."""
        return bool(self._files.exists(self._address(sha256)))

    def delete(self, sha256: str) -> None:
        """Remove the object; no error if there is none."""
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._address(sha256))

    def _address(self, sha256: str) -> str:
        if not _HEX.fullmatch(sha256):
            raise ValueError(f"{sha256!r} is no SHA-256; give 64 lower-case hexadecimal digits")
        return f"{self._root}/sha256/{sha256[:2]}/{sha256}"


def _settle(target: Any) -> None:
    # A local file must be on the disk before it gets its name, or a power cut leaves an empty one under it.
    target.flush()
    with contextlib.suppress(AttributeError, OSError):
        os.fsync(target.fileno())
