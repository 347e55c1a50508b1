"""Bring an artifact here: resumable, every byte checked, complete files only under their final names."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx

from stillhouse.archive import members
from stillhouse.checksums import MANIFEST, SUMS, is_inside, published, sha256
from stillhouse.errors import HashMismatch, UsageError
from stillhouse.http import Http, path_to
from stillhouse.jobs import File

Received = Callable[[File, int], None]
"""Called with the file and the number of its bytes that are here, as they come."""

_LISTS: Final = (MANIFEST, SUMS)
"""The files that say which artifact a folder holds."""
_PART: Final = ".part"
_MANY: Final = 16
"""Files from which on they are asked for together."""


def download(
    http: Http,
    job_id: str,
    files: Sequence[File],
    folder: Path,
    received: Received | None = None,
    digest: str | None = None,
) -> int:
    """Bring every file into `folder`; returns the bytes that crossed the wire.

    A file that is already here with the published sha256 is left alone. Bytes arrive in `<name>.part`, which a later
    call continues, and take their final name in one step when their sha256 is right. Files of another artifact that was
    downloaded to the same folder are removed, so that its pictures do not mix with these; what somebody has put there
    or changed since stays.

    Raises:
        UsageError: files of somebody else have names of this artifact; nothing is fetched, and nothing changed.
        HashMismatch: a file's bytes are wrong even when fetched afresh, and nothing is left under its name; or the
            files are not those of the artifact that `digest` names, and nothing is fetched.
        Problem, Unreachable, OutOfTime: as every call of the service.
    """
    for file in files:
        if not is_inside(file.name):
            raise HashMismatch(f"The service publishes '{file.name}', a name that leads out of the artifact.")
    manifest = next((file.sha256 for file in files if file.name == MANIFEST), None)
    if digest is not None and digest != f"sha256:{manifest}":
        raise HashMismatch(f"The service publishes the artifact sha256:{manifest}, not {digest}.")
    if taken := names_taken(files, folder):
        raise _refusal(folder, taken, f"stillhouse get {job_id}")
    told, earlier, unfinished = received or _quiet, published(folder), published(folder, _PART)
    kept = earlier | {file.name: file.sha256 for file in files}
    if unfinished.get(MANIFEST) != manifest:
        _remove(folder, {name: digest for name, digest in unfinished.items() if digest != kept.get(name)})

    def url(file: File) -> str:
        return path_to("/v1/jobs/{}/files/", job_id) + quote(file.name)

    # The lists arrive first and are named last: at any moment those of before or these know every file that is here.
    lists = [file for name in _LISTS for file in files if file.name == name and not _is_here(file, folder / name)]
    fetched = sum(_arrive(http, url(file), file, folder / file.name, told) for file in lists)
    missing = [file for file in files if file not in lists and not _is_here(file, folder / file.name)]
    begun = any((folder / (file.name + _PART)).exists() for file in missing)
    fetched += _together(http, job_id, missing, folder, told) if not begun and _are_most(missing, files) else 0
    fetched += sum(_one(http, url(file), file, folder / file.name, told) for file in files if file not in lists)
    _remove(folder, {name: earlier[name] for name in {*earlier} - {file.name for file in files}})
    return fetched + sum(_one(http, url(file), file, folder / file.name, told) for file in lists)


def names_taken(files: Sequence[File], folder: Path) -> list[str]:
    """The names of an artifact's files that something else has in `folder`, which a download would replace.

    Files as this artifact has published them, or an earlier one, wholly here or not, are not something else; nor is any
    file of its names in a folder with a list of this very artifact, where a download mends what was damaged.
    """
    earlier, names = (published(folder), published(folder, _PART)), dict[str, None]()
    of_this = any(_is_here(file, folder / file.name) for file in files if file.name in _LISTS)
    for file in files:
        path = folder / file.name
        above = [each for each in path.parents if each != folder and each.is_relative_to(folder)]
        if obstacle := next((each for each in above if os.path.lexists(each) and not each.is_dir()), None):
            names[obstacle.relative_to(folder).as_posix()] = None
        elif path.is_file():
            if not of_this and sha256(path) not in (file.sha256, *(each.get(file.name) for each in earlier)):
                names[file.name] = None
        elif os.path.lexists(path):
            names[file.name] = None
    return list(names)


def download_shard(http: Http, job_id: str, folder: Path) -> Path:
    """Bring a job's set into `folder` as the WebDataset shard `train-000000.tar`; returns that file.

    Raises as `download` does.
    """
    url, target = path_to("/v1/jobs/{}/webdataset.tar", job_id), folder / "train-000000.tar"
    with http.stream(url, headers={"Accept-Encoding": "identity"}) as response:
        size, sha256 = int(response.headers["Content-Length"]), response.headers["ETag"].strip('"')
    shard = File(name=target.name, bytes=size, sha256=sha256, media_type="application/x-tar")
    if taken := names_taken([shard], folder):
        raise _refusal(folder, taken, f"stillhouse get {job_id} --format webdataset")
    _one(http, url, shard, target, _quiet)
    return target


def _refusal(folder: Path, taken: Sequence[str], command: str) -> UsageError:
    named = ", ".join([*taken[:3], *([f"{len(taken) - 3} more"] if len(taken) > 3 else [])])
    return UsageError(
        f"{folder} holds other files under names that the result would take: {named}. Nothing there was changed.\n"
        f"  Name an empty folder: {command} --out FOLDER"
    )


def _are_most(missing: Sequence[File], files: Sequence[File]) -> bool:
    """Whether one answer with everything is sooner here than an answer for each that is missing."""
    lacking, all_of_it = (sum(file.bytes for file in some) for some in (missing, files))
    return len(missing) > _MANY and 2 * lacking >= all_of_it


def _together(http: Http, job_id: str, missing: Sequence[File], folder: Path, received: Received) -> int:
    """Take of the archive what is missing, and as much of it as arrives whole; returns its bytes."""
    wanted, fetched = {file.name: file for file in missing}, 0
    with (
        suppress(httpx.TransportError, ValueError),  # the rest is asked for file by file, which says what is wrong
        http.stream(path_to("/v1/jobs/{}/archive.zip", job_id), headers={"Accept-Encoding": "identity"}) as response,
    ):
        for name, pieces in members(response.iter_bytes()):
            if (file := wanted.get(name)) is None:
                continue
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            part, arrived = target.with_name(target.name + _PART), 0
            with part.open("wb") as out:
                for piece in pieces:
                    http.left()
                    out.write(piece)
                    arrived += len(piece)
                    fetched += len(piece)
                    received(file, arrived)
            if _is_here(file, part):
                part.replace(target)
    return fetched


def _is_here(file: File, path: Path) -> bool:
    return path.is_file() and path.stat().st_size == file.bytes and sha256(path) == file.sha256


def _one(http: Http, url: str, file: File, target: Path, received: Received) -> int:
    if _is_here(file, target):
        received(file, file.bytes)
        return 0
    fetched = _arrive(http, url, file, target, received)
    target.with_name(target.name + _PART).replace(target)
    return fetched


def _arrive(http: Http, url: str, file: File, target: Path, received: Received) -> int:
    """Bring a file whole, under the name that it has until it is named `target`; returns the bytes fetched."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + _PART)
    fetched = 0
    for _ in range(2):  # what an earlier call left may be wrong; what comes afresh may not
        fetched += _fetch(http, url, file, part, received)
        if _is_here(file, part):
            return fetched
        part.unlink()
    raise HashMismatch(
        f"{file.name}: the bytes that arrived twice are not the published ones (sha256 {file.sha256}). "
        "Try again; if it persists, the service's store is damaged."
    )


def _remove(folder: Path, digests: Mapping[str, str]) -> None:
    """Remove the files with these names that still have these SHA-256, as a download has left them there."""
    for name, digest in digests.items():
        if (folder / name).is_file() and sha256(folder / name) == digest:
            (folder / name).unlink()


def _fetch(http: Http, url: str, file: File, part: Path, received: Received) -> int:
    """Append what is missing to `part`, through interruptions as long as each brings something new."""
    fetched, whole = 0, _size(part) >= file.bytes > 0
    while not whole:
        here = _size(part)
        try:
            _append(http, url, file, part, here, received)
            whole = True
        except httpx.TransportError as error:
            if _size(part) <= here:
                raise http.lost(error) from error
        fetched += max(0, _size(part) - here)
    return fetched


def _append(http: Http, url: str, file: File, part: Path, here: int, received: Received) -> None:
    headers = {"Accept-Encoding": "identity"}
    if here:
        headers |= {"Range": f"bytes={here}-", "If-Range": f'"{file.sha256}"'}
    with http.stream(url, headers=headers) as response:
        resumed = response.status_code == 206
        arrived = here if resumed else 0
        with part.open("ab" if resumed else "wb") as out:
            for piece in response.iter_bytes():  # as they come: a larger buffer would be lost with the line
                http.left()
                out.write(piece)
                arrived += len(piece)
                received(file, arrived)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _quiet(file: File, arrived: int) -> None:
    """Tell nobody."""


def writable(folder: Path) -> bool:
    """Whether the folder can be written, or made in the first one above it that is there."""
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)
