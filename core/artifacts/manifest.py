"""manifest.json and SHA256SUMS: what is in an artifact, byte by byte, and where it came from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, final

from core.artifacts import load
from core.artifacts.layout import MANIFEST, SUMS, files_in, media_type

SCHEMA_VERSION = 1


@final
@dataclass(frozen=True)
class FileEntry:
    """One file of an artifact; `name` is relative to its folder, with forward slashes."""

    name: str
    bytes: int
    sha256: str
    media_type: str


@final
@dataclass(frozen=True)
class Manifest:
    """Every file but manifest.json and SHA256SUMS, with what the artifact is and how it came to be.

    `digest` identifies the synthetic set: it leaves out timings, versions and the files that report them.
    """

    schema_version: int
    files: tuple[FileEntry, ...]
    fingerprint: str | None
    request: Mapping[str, Any]
    seeds: Any
    versions: Mapping[str, Any]
    timings: Mapping[str, Any]
    chosen: Sequence[Mapping[str, Any]]
    """The choices of probes where the request left them open: the field, its value and why."""
    size: Mapping[str, Any]
    """Bytes of the set by what they hold, and bits a class, as the report has them."""
    digest: str

    def json(self) -> str:
        """The text of manifest.json."""
        return json_text(asdict(self))


def write_manifest(
    folder: Path,
    request: Mapping[str, Any],
    provenance: Mapping[str, Any],
    size: Mapping[str, Any] = MappingProxyType({}),
) -> Manifest:
    """Describe all files in `folder` in manifest.json, cover them and it with SHA256SUMS."""
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        files=tuple(_entry(folder, name) for name in files_in(folder)),
        fingerprint=provenance.get("fingerprint"),
        request=dict(request),
        seeds=provenance.get("seeds"),
        versions=provenance.get("versions", {}),
        timings=provenance.get("timings", {}),
        chosen=provenance.get("chosen", ()),
        size=dict(size),
        digest="",
    )
    manifest = replace(manifest, digest=load.content_digest(json.loads(manifest.json())))
    (folder / MANIFEST).write_text(manifest.json(), encoding="utf-8")
    lines = [f"{entry.sha256}  {entry.name}\n" for entry in (*manifest.files, _entry(folder, MANIFEST))]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
    return manifest


def inventory(folder: Path) -> tuple[FileEntry, ...]:
    """Every file of a finished artifact, manifest.json and SHA256SUMS included: what a store has to keep."""
    return tuple(_entry(folder, name) for name in files_in(folder))


def verify(folder: Path) -> list[str]:
    """Problems of the artifact in `folder`, one sentence each; the very check that its `load.py` makes."""
    return load.verify(folder)


def json_text(content: Any) -> str:
    """Indented JSON with sorted keys: the same text for the same content, whatever order a database gave it."""
    return json.dumps(_finite(content), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def _entry(folder: Path, name: str) -> FileEntry:
    path = folder / name
    return FileEntry(name, path.stat().st_size, load.sha256(path), media_type(name))


def _finite(content: Any) -> Any:
    # JSON has no NaN or infinity, and a measurement that came out as one must not lose the whole result.
    match content:
        case float():
            return content if abs(content) < float("inf") else None
        case Mapping():
            return {str(key): _finite(value) for key, value in content.items()}
        case list() | tuple():
            return [_finite(value) for value in content]
        case _:
            return content
