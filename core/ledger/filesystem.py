"""Refuse to keep SQLite's write-ahead log where it would be corrupted: on a file system shared between machines."""

from __future__ import annotations

import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")

_SHARED = re.compile(r"nfs|nfs4|cifs|smb\w*|ncpfs|afs|ceph|lustre|gpfs|glusterfs|fuse\.(sshfs|glusterfs|cephfs?|s3fs)")


def check_local(file: Path, mounts: str | None = None) -> None:
    """Check that this file lies on a disk of this machine; says nothing where the system does not tell.

    Args:
        file: the database; its folder exists.
        mounts: the mount table in the format of proc(5)'s mountinfo; default this process's.

    Raises:
        ValueError: it lies on a network file system.
    """
    if mounts is None:
        if not MOUNTS.exists():
            return
        mounts = MOUNTS.read_text(errors="surrogateescape")
    folder = file.resolve().parent
    nearest, kind = Path("/"), ""
    for line in mounts.splitlines():
        fields, _, source = line.partition(" - ")
        point = Path(_unescape(fields.split(" ")[4]))
        if folder.is_relative_to(point) and point.is_relative_to(nearest):
            nearest, kind = point, source.split(" ")[0]
    if _SHARED.fullmatch(kind):
        raise ValueError(
            f"{file} lies on {kind}, where SQLite's log is not safe: set STILLHOUSE_HOME to a folder on a local disk, "
            "or STILLHOUSE_DATABASE_URL to a PostgreSQL database."
        )


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
