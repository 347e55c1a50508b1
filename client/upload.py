"""A file on its way to the service, piece by piece; a folder is packed first."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from client.errors import UsageError
from client.http import Http

_PIECE = 1 << 20


def upload(http: Http, path: Path, name: str, size: int | None, mirror: str = "auto") -> dict[str, Any]:
    """Send a zip, an npz bundle or a folder of class folders; what the service calls it and says of it.

    Raises:
        UsageError: there is no such file.
    """
    if path.is_dir():
        with tempfile.TemporaryDirectory() as folder:
            packed = Path(folder, "upload.zip")
            _pack(path, packed)
            return upload(http, packed, name, size, mirror)
    if not path.is_file():
        raise UsageError(f"There is no file {path}: name a zip of class folders, such a folder, or an npz bundle.")
    headers = {"Content-Type": "application/zip", "Content-Length": str(path.stat().st_size)}
    with path.open("rb") as file:
        pieces: Iterator[bytes] = iter(lambda: file.read(_PIECE), b"")
        params = {"name": name, "size": size, "mirror": None if mirror == "auto" else mirror}
        return dict(http.json("POST", "/v1/datasets", content=pieces, params=params, headers=headers))


def _pack(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:  # pictures are compressed already
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                archive.write(path, path.relative_to(folder).as_posix())
