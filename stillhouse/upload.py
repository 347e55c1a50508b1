"""A file on its way to the service, piece by piece; a folder is packed first."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypedDict

from stillhouse.checksums import sha256
from stillhouse.errors import Unreachable, UsageError
from stillhouse.http import Http, path_to

Size = int | Literal["auto"] | None
Missing = Literal["refuse", "mean", "median", "drop"]
TableKind = Literal["auto", "vectors", "series"]
Turned = Literal["auto", "yes", "no"]


class Reading(TypedDict, total=False):
    """How a file is to be read; what is missing says nothing."""

    label_column: str
    """The column of the labels; else the one by a usual name."""
    missing: Missing
    """The numbers that stand in for missing values; else these are refused."""
    kind: TableKind
    """Whether a table's columns are the steps of one series a row."""
    order: str
    """The classes in their order, each once, as a line of CSV."""
    train_folder: str
    """The folder of an archive that is the training set, where it is not called train or so."""
    test_folder: str
    """The one that is the test set."""
    skip_broken: bool
    """Whether files of an archive that cannot be taken are left out rather than the archive refused."""
    transposed: Turned
    """Whether pictures in IDX files or in a table of pixels have their rows as columns."""


_UNSAID: dict[str, Any] = {"size": None, "mirror": "auto", "label_column": "", "missing": "refuse", "kind": "auto"}
_UNSAID |= {"order": "", "train_folder": "", "test_folder": "", "skip_broken": False, "transposed": "auto"}
"""The words on how a file is to be read that say nothing."""
_SAID = re.compile(
    rf"`({'|'.join(_UNSAID)})`|\b({'|'.join(_UNSAID)})=(?=\w)|\b({'|'.join(name for name in _UNSAID if '_' in name)})\b"
)
"""How the service's sentences name these words."""
FILES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".npz", ".csv", ".parquet")
"""How the names of files end that hold a dataset."""
_PIECE = 1 << 20
_PAUSES = (0.0, 0.1, 0.3, 1.0, 3.0)
"""Seconds before each question for what has arrived."""
_MARK = stat.S_IFREG | 0o644
"""How a packed file is marked: a plain one, that anybody may read."""
_HIDDEN = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")


@contextmanager
def ready(path: Path) -> Iterator[Path]:
    """The file to send: the archive, bundle or table itself, or the zip that a folder becomes, for a while.

    Raises:
        UsageError: there is no such file, or something in the folder cannot be sent; it is named.
    """
    if path.is_dir():
        with tempfile.TemporaryDirectory() as folder:
            packed = Path(folder, "upload.zip")
            pack(path, packed)
            yield packed
    elif path.is_file():
        yield path
    else:
        raise UsageError(
            f"There is no file {path}: name a zip or tar of class folders or IDX files, such a folder, an npz bundle, "
            "or a table as CSV or Parquet."
        )


def equal(
    datasets: Iterable[Mapping[str, Any]], file: Path, name: str | None, asked: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """The dataset that an upload of the file would be once more, if it can be used; of several the latest.

    Args:
        name: what it has to be called, or to have come under; None: anything.
        asked: how it is to be read, in the parameters of the request; what is None or not there says nothing.
    """
    wanted = _UNSAID | {key: word for key, word in asked.items() if word is not None}
    same = [each for each in _of_file(datasets, file, name) if read_as(each, wanted)]
    return same[-1] if same else None


def standing(
    datasets: Iterable[Mapping[str, Any]], file: Path, path: Path, name: str | None, said: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """The dataset that the file was uploaded as before, read however it was where nothing is said of that now.

    Of several it is one that nothing was said of then either, else one called as the file; the latest of them.

    Args:
        file: what would be sent for `path`.
        name: as in `equal`.
        said: how it is to be read, no more than was said.
    """
    plain = {**_UNSAID, "size": "auto", **said}
    same = [each for each in _of_file(datasets, file, name) if read_as(each, said)]
    ranked = [(read_as(each, plain), each["title"] == title_of(path), place) for place, each in enumerate(same)]
    return same[max(ranked)[-1]] if ranked else None


def read_as(dataset: Mapping[str, Any], words: Mapping[str, Any]) -> bool:
    """Whether an upload was read by these words, or by others that make the same of its file."""
    sent = dataset["sent"]
    sizes = {None, "auto"} if sent.get("either_size") else set()
    return all(
        sent.get(key, _UNSAID[key]) == word or (key == "size" and {sent["size"], word} <= sizes)
        for key, word in words.items()
    )


def words_of(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """The words by which an upload was read, those that say something."""
    return {key: dataset["sent"][key] for key, word in _UNSAID.items() if dataset["sent"].get(key, word) != word}


def _of_file(datasets: Iterable[Mapping[str, Any]], file: Path, name: str | None) -> list[Mapping[str, Any]]:
    """The uploads of an equal file that can be used, the latest last, as the service lists them."""
    try:
        digest = sha256(file)
    except PermissionError:
        return []  # sending it says so
    usable = [each for each in datasets if each.get("sent") and each.get("state") == "ready"]
    named = [each for each in usable if name in (None, each.get("title"), each["sent"].get("name"))]
    return [each for each in named if each["sent"]["sha256"] == digest]


def send(http: Http, path: Path, name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Send a file; what the service calls it and says of it. It goes on from what has arrived, also of an earlier call.

    Raises:
        UsageError: it cannot be read.
        Unreachable: nobody answers any more, or nothing arrives.
    """
    said = {key: word for key, word in asked.items() if word not in (None, _UNSAID[key])}
    try:
        key, length = sha256(path), path.stat().st_size
        arrived = _received(http, key)
        with path.open("rb") as file:
            while True:
                file.seek(arrived)
                pieces: Iterator[bytes] = iter(lambda: file.read(_PIECE), b"")
                headers = {"Content-Type": "application/zip", "Content-Length": str(length - arrived)}
                headers |= {"Upload-Key": key, "Upload-Offset": str(arrived)}
                try:
                    params = {"name": name, **said}
                    needed = ("name", "title", "state")
                    return dict(
                        http.json("POST", "/v1/datasets", content=pieces, params=params, headers=headers, has=needed)
                    )
                except Unreachable:
                    before, arrived = arrived, _received(http, key, _PAUSES)
                    if arrived <= before:
                        raise
    except PermissionError as fault:
        raise UsageError(f"{_named(path)} cannot be read ({fault.strerror}).") from None


def _received(http: Http, key: str, pauses: Iterable[float] = (0.0,)) -> int:
    """Bytes of a file that the service has; after a break it may be some moments until it knows of that."""
    received = 0
    for pause in pauses:
        time.sleep(pause)
        received = int(http.json("GET", path_to("/v1/datasets/arrivals/{}", key), has=("received",))["received"])
        if received:
            break
    return received


def as_options(text: str) -> str:
    """A sentence of the service in which the words on how a file is read are options: "--missing drop"."""

    def option(found: re.Match[str]) -> str:
        flag = f"--{(found[1] or found[2] or found[3]).replace('_', '-')}"
        return f"`{flag}`" if found[1] else f"{flag} " if found[2] else flag

    return _SAID.sub(option, text)


def title_of(path: Path) -> str:
    """The name of a file or folder as the title of a dataset: printable, and of at most 100 characters."""
    whole = path.absolute()
    word = _named(Path(whole.name if whole.is_dir() else _stem(whole)))
    return "".join(each if each.isprintable() else "_" for each in word).strip()[:100] or "pictures"


def _stem(path: Path) -> str:
    """The name of a file without what says its format: `pets` of `pets.tar.gz`."""
    name = path.name
    while (rest := Path(name)).suffix.lower() in FILES and rest.stem:
        name = rest.stem
    return name if name != path.name else path.stem


def pack(folder: Path, target: Path) -> None:
    """Write the files of the folder to the zip `target`, links followed; dates are no part of a dataset.

    Raises UsageError for what cannot be packed, and names it: nothing is left out without a word.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:  # pictures are compressed already
        for path in _files(folder, ()):
            name = path.relative_to(folder).as_posix()
            if "\\" in name:
                raise UsageError(f"{_named(path)} has a backslash in its name, which zips cannot hold: rename it.")
            try:
                name.encode()
            except UnicodeEncodeError:
                raise UsageError(f"{_named(path)} has a name that is not UTF-8: rename it.") from None
            info = zipfile.ZipInfo(name)
            info.external_attr = _MARK << 16
            try:
                info.file_size = path.stat().st_size
                with path.open("rb") as source, archive.open(info, "w") as packed:
                    shutil.copyfileobj(source, packed, _PIECE)
            except OSError as fault:
                raise UsageError(f"{_named(path)} cannot be packed ({fault.strerror}).") from None


def _files(folder: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    """The files in the folder and below it, in order, links followed; never fewer than there are without a word.

    Args:
        above: device and number of the folders that it lies in, each once.

    Raises UsageError for links that lead back or nowhere, for what is neither file nor folder, and for empty folders.
    Folders whose name begins with a dot, as those of version control and editors, may hold what they like.
    """
    try:
        status = folder.stat()
        paths = sorted(folder.iterdir())
    except OSError as fault:
        raise UsageError(f"{_named(folder)} cannot be read ({fault.strerror}).") from None
    within = (*above, (status.st_dev, status.st_ino))
    filled = False
    for path in paths:
        hidden = path.name.startswith(".")
        try:
            kind = path.stat()
        except OSError as fault:
            if hidden:
                continue
            told = "is a link that leads nowhere" if path.is_symlink() else f"cannot be read ({fault.strerror})"
            raise UsageError(f"{_named(path)} {told}: delete it, or put the file there.") from None
        if stat.S_ISDIR(kind.st_mode):
            if hidden:  # the service says which pictures it left out, if there are any
                yield from (
                    each for each in sorted(path.rglob("*")) if each.suffix.lower() in _HIDDEN and each.is_file()
                )
                continue
            if (kind.st_dev, kind.st_ino) in within:
                raise UsageError(f"{_named(path)} is a link that leads back to a folder around it: delete it.")
            yield from _files(path, within)
            filled = True
        elif stat.S_ISREG(kind.st_mode):
            yield path
            filled |= not hidden
        elif not hidden:
            raise UsageError(f"{_named(path)} is neither a file nor a folder: delete it, or move it away.")
    if not filled:
        raise UsageError(f"The folder {_named(folder)} is empty: put pictures into it, or delete it.")


def _named(path: Path) -> str:
    """The path as it can be printed, whatever bytes it has."""
    return os.fsencode(path).decode(errors="backslashreplace")
