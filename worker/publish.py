"""From a staging folder to the store: every byte is checked against the manifest before anyone is told of it."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from core.artifacts.layout import MANIFEST, SUMS, media_type
from core.artifacts.store import Store
from core.ledger import File
from worker.database_retry import Beyond

_UNLISTED: Final = frozenset({MANIFEST, SUMS})
"""Files that the manifest can't list: itself, and the sums of it and all others."""


class PublicationRefused(Beyond):
    """The content of the staging folder is not what its manifest promises."""


def collect(staging: Path, store: Store, tell: Callable[[int, int], None]) -> list[File]:
    """Puts every file of a staging folder into the store and returns them as rows of the ledger.

    Storing is by content and so harmless to repeat, and nothing refers to the blobs until the ledger does.

    Args:
        tell: called with (files stored, files in all) at the start and after each one.

    Raises:
        PublicationRefused: a file is missing, surplus, not a plain file, or differs from the manifest.
        OSError: the store can't be written.
    """
    promised = _manifest(staging)
    found = {path.relative_to(staging).as_posix(): path for path in sorted(staging.rglob("*")) if not path.is_dir()}
    if missing := sorted(promised.keys() - found.keys()):
        raise PublicationRefused(f"{missing[0]} is in the manifest but not in the staging folder.")
    if surplus := sorted(found.keys() - promised.keys() - _UNLISTED):
        raise PublicationRefused(f"{surplus[0]} is in the staging folder but not in the manifest.")
    files: list[File] = []
    tell(0, len(found))
    for name, path in found.items():
        if not stat.S_ISREG(path.lstat().st_mode):
            raise PublicationRefused(f"{name} is not a plain file.")
        sha256, size = store.put(path)
        entry = promised.get(name)
        if entry is not None and (sha256, size) != (entry["sha256"], entry["bytes"]):
            raise PublicationRefused(f"{name} is not what the manifest says: it changed after it was written.")
        kind = entry["media_type"] if entry else media_type(name)
        files.append(File(name=name, bytes=size, sha256=sha256, media_type=kind))
        tell(len(files), len(found))
    return files


def metrics_of(result: Path) -> dict[str, Any]:
    """The metrics that an attempt that is done gives of its result. Raises PublicationRefused."""
    try:
        return dict(json.loads(result.read_bytes())["metrics"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PublicationRefused(f"{result.name} cannot be read ({type(error).__name__}).") from error


def _manifest(staging: Path) -> dict[str, dict[str, Any]]:
    try:
        manifest = json.loads((staging / MANIFEST).read_bytes())
        return {entry["name"]: entry for entry in manifest["files"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PublicationRefused(f"{MANIFEST} cannot be read ({type(error).__name__}).") from error
