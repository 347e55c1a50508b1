"""A folder of files named by what determines their content, trimmed to a size, least recently used first."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from core.request import canonical_json


@final
@dataclass(frozen=True)
class Cache:
    """Expert trajectories and reference results, shared by every job on the same data and network."""

    folder: Path
    limit: int
    """Bytes the folder is trimmed to."""

    def path(self, identity: dict[str, Any], suffix: str) -> Path:
        """Where the content determined by `identity` lies, or is to be written. Marks it as used."""
        name = hashlib.sha256(canonical_json(identity).encode()).hexdigest()
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}{suffix}"
        if path.exists():
            path.touch()
        return path

    def trim(self, keep: frozenset[Path] = frozenset()) -> None:
        """Delete the files used longest ago until the rest fits; `keep` are in use and stay."""
        known = []
        for path in self.folder.glob("*"):
            try:
                known.append((path.stat().st_mtime, path.stat().st_size, path))
            except FileNotFoundError:  # another engine trims at the same time
                continue
        excess = sum(size for _, size, _ in known) - self.limit
        for _, size, path in sorted(known):
            if excess <= 0:
                return
            if path not in keep:
                path.unlink(missing_ok=True)
                excess -= size
