"""A stored file as an HTTP response: entity tag, conditional and ranged requests (RFC 9110), digest (RFC 9530)."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from tempfile import SpooledTemporaryFile
from typing import IO, Final, Literal, cast
from urllib.parse import quote

import structlog
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from pydantic import ValidationError

from api.problems import Kind, ProblemError
from core.artifacts import MissingObject, Store
from core.artifacts.shard import write_shard
from core.ledger import File
from core.report import Report

log = structlog.stdlib.get_logger(__name__)

_CHUNK: Final = 1 << 18
_IN_MEMORY: Final = 8 << 20
"""Bytes of a shard beyond which it is written to disk."""
_RANGE: Final = re.compile(r"bytes=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*")


def send(
    request: Request, store: Store, file: File, disposition: Literal["attachment", "inline"] = "attachment"
) -> Response:
    """The file, or the part of it that was asked for, or 304 if the client has it.

    Raises:
        ProblemError: RANGE_NOT_SATISFIABLE, or NOT_READY when the store is away or has lost the file.
    """

    def opened() -> IO[bytes]:
        look_for(store, file)
        return stored(store, file)

    return answer(request, file, opened, disposition)


def answer(
    request: Request,
    file: File,
    opened: Callable[[], IO[bytes]],
    disposition: Literal["attachment", "inline"] = "attachment",
) -> Response:
    """The bytes of what `opened` opens, which is called only if some are to be sent, or may be."""
    etag = f'"{file.sha256}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=31536000, immutable",
        "Content-Disposition": content_disposition(disposition, file.name.rpartition("/")[2]),
        "Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(file.sha256)).decode()}:",
    }
    if matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    status, first, last = 200, 0, file.bytes - 1
    wanted = request.headers.get("range") if request.headers.get("if-range", etag) == etag else None
    if wanted is not None and (span := _span(wanted, file.bytes)) is not None:
        status, (first, last) = 206, span
        headers["Content-Range"] = f"bytes {first}-{last}/{file.bytes}"
    headers["Content-Length"] = str(last - first + 1)
    source = opened()
    if request.method == "HEAD":
        source.close()
        return Response(status_code=status, headers=headers, media_type=file.media_type)
    body = _read(source, first, last - first + 1)
    return StreamingResponse(body, status, headers=headers, media_type=file.media_type)


def text(store: Store, file: File) -> str:
    """A file of text as a whole.

    Raises:
        ProblemError: NOT_READY when the store is away or has lost the file.
    """
    look_for(store, file)
    return _text(store, file)


def shard(store: Store, parquet: File, name: str) -> tuple[File, IO[bytes]]:
    """An artifact's set as a WebDataset shard of this name, which is made here and now, on disk where it is large.

    Raises:
        ProblemError: NOT_READY when the store is away, or has lost or spoiled the set.
    """
    look_for(store, parquet)
    made = cast("IO[bytes]", SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115 (whoever sends it closes it)
    try:
        with stored(store, parquet) as source:
            write_shard(source, made)
    except ValueError as error:
        raise _unavailable(parquet, error) from error
    made.seek(0)
    sha256 = hashlib.sha256()
    while piece := made.read(_CHUNK):
        sha256.update(piece)
    return File(name, made.tell(), sha256.hexdigest(), "application/x-tar"), made


def report(store: Store, file: File) -> Report:
    """A file `report.json` as the typed report.

    Raises:
        ProblemError: NOT_READY when the store is away or has lost the file, UNREADABLE_REPORT when it is no report.
    """
    try:
        return Report.model_validate_json(text(store, file))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole file"
        raise ProblemError(
            Kind.UNREADABLE_REPORT,
            f"report.json cannot be read as a report: {place}: {first['msg']}.",
            hint="It was written by another version of Stillhouse, or changed since; the job's files can be downloaded "
            "as they are.",
        ) from None


def look_for(store: Store, *files: File) -> None:
    """See that the store has these files whole, before the first byte of an answer is sent.

    Raises:
        ProblemError: NOT_READY, naming the first that it does not give out.
    """
    for file in files:
        try:
            size = store.size(file.sha256)
        except (MissingObject, OSError) as error:
            raise _unavailable(file, error) from error
        if size != file.bytes:
            raise _unavailable(file, OSError(f"it has {size:,} bytes instead of {file.bytes:,}"))


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether the client's `If-None-Match` names this representation (weak comparison, RFC 9110 section 13.1.2)."""
    if if_none_match is None:
        return False
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in tags or etag in tags


def content_disposition(kind: Literal["attachment", "inline"], name: str) -> str:
    """The header's value for a file name of any characters (RFC 6266)."""
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name)
    return f'{kind}; filename="{plain}"' + ("" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}")


@lru_cache(maxsize=64)
def _text(store: Store, file: File) -> str:
    with stored(store, file) as source:
        return source.read().decode("utf-8")


def stored(store: Store, file: File) -> IO[bytes]:
    """The file's bytes, open for reading.

    Raises:
        ProblemError: NOT_READY when the store is away or has lost the file.
    """
    try:
        return store.open(file.sha256)
    except (MissingObject, OSError) as error:
        raise _unavailable(file, error) from error


def _unavailable(file: File, error: Exception) -> ProblemError:
    log.error("artifact not readable", sha256=file.sha256, reason=str(error))
    return ProblemError(
        Kind.NOT_READY,
        f"The artifact store does not give out '{file.name}'.",
        hint="Try again; if it persists, submit the same request: a result whose files are lost is made anew. "
        "The operator should check STILLHOUSE_STORE_URL.",
        headers={"Retry-After": "10"},
    )


def _span(header: str, size: int) -> tuple[int, int] | None:
    """First and last byte of the one range asked for; None for several or for what is no range: both may be ignored."""
    found = _RANGE.fullmatch(header)
    if found is None or not (found[1] or found[2]):
        return None
    first = int(found[1]) if found[1] else max(0, size - int(found[2]))
    last = min(int(found[2]), size - 1) if found[1] and found[2] else size - 1
    if found[1] and found[2] and int(found[2]) < first:
        return None
    if first >= size or (not found[1] and int(found[2]) == 0):
        raise ProblemError(
            Kind.RANGE_NOT_SATISFIABLE,
            f"The file has {size:,} bytes; the range asks for none of them.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return first, last


def _read(source: IO[bytes], first: int, length: int) -> Iterator[bytes]:
    with source:
        source.seek(first)
        while length > 0 and (chunk := source.read(min(_CHUNK, length))):
            length -= len(chunk)
            yield chunk
