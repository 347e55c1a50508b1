"""stillhouse.lock: which artifact belongs into which folder, for a repository to keep beside what trains on it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from stillhouse.checksums import sha256
from stillhouse.errors import UsageError
from stillhouse.upload import ready

VERSION: Final = 1
_FREE: Final = ("metadata", "webhook", "priority", "runs_on")
"""Fields of an order that say nothing about the result."""


@dataclass(frozen=True)
class Pin:
    """An artifact by its content, and the order that it answers."""

    request: Mapping[str, Any]
    """The order as it was written; its dataset, where that was uploaded, by its path from where the lock file is."""
    source: str | None
    """SHA-256 of the file that was uploaded for it, as the service has it; None for a dataset that the service has."""
    fingerprint: str | None
    """The service's name for order and dataset, by the engine of then."""
    digest: str
    """`sha256:` and the SHA-256 of the artifact's manifest.json, which covers every other file."""

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read an entry of a lock file."""
        return cls(dict(raw["request"]), raw["source"], raw["fingerprint"], str(raw["digest"]))

    def departures(self, request: Mapping[str, Any], source: str | None) -> list[str]:
        """How another order departs from the one that is pinned, a line a field."""
        before, now = self.request, pinned(request)
        found = [
            f"{name}: {json.dumps(before.get(name))} is pinned, {json.dumps(now.get(name))} asked for"
            for name in sorted({*before, *now})
            if before.get(name) != now.get(name)
        ]
        if not found and source != self.source:
            found.append(f"dataset: {now['dataset']} holds other files than those that were uploaded")
        return found


def pinned(order: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an order that decides the result, as JSON has it."""
    said = {name: value for name, value in order.items() if name not in _FREE and value not in (None, {})}
    return dict(json.loads(json.dumps(said)))


def source(path: Path) -> str:
    """SHA-256 of the file that is sent for a folder, zip or bundle. Raises UsageError: it cannot be sent."""
    with ready(path) as file:
        return sha256(file)


def read(lock: Path) -> dict[str, Pin]:
    """The pins of a lock file by folder; none where there is no such file.

    Raises:
        UsageError: it is no lock file, or one of a later version.
    """
    try:
        content = json.loads(lock.read_text("utf-8"))
        if content["version"] != VERSION:
            later = f"{lock} is of version {content['version']}, this command knows {VERSION}"
            raise UsageError(f"{later}: install a newer stillhouse.")
        return {name: Pin.from_json(raw) for name, raw in content["artifacts"].items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"{lock} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        fault = f"{lock} is no lock file ({error or type(error).__name__})"
        raise UsageError(f"{fault}: take it from version control again, or delete it.") from None


def write(lock: Path, folder: str, pin: Pin) -> None:
    """Put the pin of a folder into the lock file, and leave the others as they are."""
    pins = {**read(lock), folder: pin}
    content = {"version": VERSION, "artifacts": {name: asdict(pins[name]) for name in sorted(pins)}}
    draft = lock.with_name(f"{lock.name}.part")
    draft.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
    draft.replace(lock)


def path_in(lock: Path, path: Path) -> str:
    """The name of a file or folder in a lock file: its path from where the lock file is."""
    return Path(os.path.relpath(path.absolute(), lock.absolute().parent)).as_posix()
