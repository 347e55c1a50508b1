"""Check an artifact's folder against its own checksums, with the standard library alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

SUMS = "SHA256SUMS"
MANIFEST = "manifest.json"


def verify(folder: Path, digest: str | None = None) -> list[str]:
    """Everything wrong with the artifact in `folder`; empty if every byte is as published.

    `SHA256SUMS` is checked file by file, then `manifest.json` must say the same (names, bytes, sha256). Files that
    neither of them names are not looked at. Who changes a file and both lists is told by the `digest` of the artifact
    that it must be, see `digest_of`.
    """
    problems: list[str] = []
    try:
        expected = dict(_sums(folder / SUMS))
        listed = dict(_manifest(folder / MANIFEST))
    except FileNotFoundError as error:
        return [f"{Path(str(error.filename)).name} is missing: this is no complete artifact."]
    except (ValueError, KeyError, TypeError) as error:
        return [f"The list of files is damaged: {error}"]
    actual: dict[str, str] = {}
    for name in sorted(expected):
        if not is_inside(name):
            problems.append(f"{name}: the name leads out of the artifact.")
        elif not (folder / name).is_file():
            problems.append(f"{name}: missing.")
        else:
            actual[name] = sha256(folder / name)
            if actual[name] != expected[name]:
                problems.append(f"{name}: its sha256 is {actual[name]}, published was {expected[name]}.")
    for name, (size, listing) in sorted(listed.items()):
        if expected.get(name) != listing:
            problems.append(f"{name}: {MANIFEST} and {SUMS} disagree.")
        elif name in actual and (folder / name).stat().st_size != size:
            problems.append(f"{name}: {(folder / name).stat().st_size} bytes, published were {size}.")
    problems += [f"{name}: {SUMS} lists it, {MANIFEST} does not." for name in sorted({*expected} - {*listed, MANIFEST})]
    if MANIFEST not in expected:
        problems.append(f"{MANIFEST}: {SUMS} does not list it.")
    if digest is not None and digest_of(folder) != digest:
        problems.append(f"{MANIFEST}: this is the artifact {digest_of(folder)}, not {digest}.")
    return problems


def digest_of(folder: Path) -> str:
    """The identity of the artifact in `folder`: `sha256:` and the SHA-256 of its manifest.json."""
    return f"sha256:{sha256(folder / MANIFEST)}"


def published(folder: Path, ending: str = "") -> dict[str, str]:
    """The SHA-256 of every file that the artifact in `folder` put there, by name; nothing where there is no artifact.

    Other tools write a `SHA256SUMS` and a `manifest.json`, too: these are an artifact's where both list the very same
    files, and `manifest.json` is what the service writes. The files themselves may be missing or changed.

    Args:
        ending: what the names of the two lists end with, for those of a download that is not finished.
    """
    sums, manifest = folder / f"{SUMS}{ending}", folder / f"{MANIFEST}{ending}"
    try:
        content = json.loads(manifest.read_text("utf-8"))
        listed = {name: digest for name, (_, digest) in _manifest(manifest)}
        lists = {MANIFEST: sha256(manifest), SUMS: sha256(sums)}
        agree = dict(_sums(sums)) == {**listed, MANIFEST: lists[MANIFEST]}
        ours = content["digest"].startswith("sha256:") and isinstance(content["request"], dict)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):  # no artifact, or not all of it
        return {}
    except (ValueError, KeyError, TypeError, AttributeError):  # somebody else's lists
        return {}
    return {**listed, **lists} if ours and agree and all(map(is_inside, listed)) else {}


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_inside(name: str) -> bool:
    """Whether a published name stays inside its folder on every system."""
    path = PurePosixPath(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts and not set(name) & set("\\:\0")


def _sums(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        digest, gap, name = line[:64], line[64:66], line[66:]
        if gap not in ("  ", " *") or not name or set(digest) - set("0123456789abcdef"):
            raise ValueError(f"{SUMS}, line {number}: '{line[:100]}'")
        yield name, digest


def _manifest(path: Path) -> Iterator[tuple[str, tuple[int, str]]]:
    for entry in json.loads(path.read_text("utf-8"))["files"]:
        yield str(entry["name"]), (int(entry["bytes"]), str(entry["sha256"]).removeprefix("sha256:"))
