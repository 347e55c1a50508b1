"""A folder of files named by what determines their content, held to a size, least recently used first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, final

from core.files import PART, draft, is_orphan


class Freed(NamedTuple):
    """The files that were deleted to stay within the limit: how many, and their bytes."""

    files: int
    size: int  # bytes


@final
@dataclass(frozen=True)
class Cache:
    """Expert trajectories and reference results, shared by every job on the same data and network.

    Several engines may use the folder at once. A file that one of them has mapped can be read to its end even if
    another one deletes it.
    """

    folder: Path
    limit: int
    """Bytes the folder is held to, what is being written included."""

    def path(self, name: str) -> Path:
        """Where the content of that name lies, or is to be written. Marks it as used."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / name
        if path.exists():
            path.touch()
        return path

    def write(
        self, path: Path, content: bytes, log: Callable[[str], None], keep: frozenset[Path] = frozenset()
    ) -> None:
        """Make room and say so, then write so that a reader finds the old content or the new one, whole.

        Content larger than the limit is written all the same: the job needs it. The next `trim` deletes it.
        """
        freed = self.trim(keep, room=len(content), replaced=path)
        if freed.files:
            log(
                f"Evicted {freed.size:,} bytes in {freed.files} file(s), those used longest ago, from the cache of "
                f"experts: its limit is {self.limit:,} bytes."
            )
        with draft(path, settled=False) as file:
            file.truncate(len(content))  # so that a process that counts the bytes sees it whole
            file.write(content)

    def trim(self, keep: frozenset[Path] = frozenset(), *, room: int = 0, replaced: Path | None = None) -> Freed:
        """Delete the files used longest ago until the rest fits beside `room` bytes; `keep` are in use and stay.

        What a crash left half written is deleted; what another engine is writing counts. `replaced` is about to be
        written anew and does not count, nor do folders.
        """
        known, freed = [], Freed(0, 0)
        for path in self.folder.glob("*"):
            try:
                found = path.stat()
                if path.suffix == PART and is_orphan(path):
                    path.unlink(missing_ok=True)
                elif path != replaced and not path.is_dir():
                    known.append((found.st_mtime, found.st_size, path))
            except FileNotFoundError:  # another engine trims or finishes writing at the same time
                continue
        excess = sum(size for _, size, _ in known) + room - self.limit
        for _, size, path in sorted(known):
            if excess <= 0:
                break
            if path not in keep and path.suffix != PART:
                path.unlink(missing_ok=True)
                excess -= size
                freed = Freed(freed.files + 1, freed.size + size)
        return freed
