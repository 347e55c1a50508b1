"""A file on its way to the service, and the bytes that are kept free for it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import IO, Final, final

import anyio
import structlog
from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool
from starlette.datastructures import Headers

from api.auth import not_good
from api.disk import LEAST_FREE, free_bytes, full
from api.problems import Kind, ProblemError, invalid, sentence
from api.services import Services
from core.data.formats import LOOKED_AT, never_read
from core.data.multi_index import is_multi_index
from core.data.reading import Reading
from core.ledger import NoRoom, UnknownUpload, Upload, new_upload_id
from core.recipe import FieldError

log = structlog.stdlib.get_logger(__name__)

_AT_ONCE: Final = 4
"""Uploads of an owner that may arrive or be inspected at a time."""
_UNANNOUNCED: Final = 1 << 20
"""Bytes that are kept free at least, where there are so many, for a body that announces no length."""

_UNHEARD: Final = 1 << 24
"""Bytes of a refused body that are read, and kept nowhere, before the refusal is sent."""


def announced(headers: Headers) -> int | None:
    """Bytes that a request says its body has; None where it says nothing."""
    length = headers.get("content-length", "")
    return int(length[:18]) if length.isdecimal() else None


@final
class Arrival:
    """An upload on its way: its file, and the bytes that are kept free for it."""

    def __init__(self, services: Services, file: IO[bytes], upload_id: str) -> None:
        self._services = services
        self._file = anyio.wrap_file(file)
        self._id = upload_id
        self._reserved = self._length = 0
        self._sent = hashlib.sha256()
        self._start = b""
        self._upload: Upload | None = None
        self._lost = False

    @property
    def length(self) -> int:
        """Bytes that have arrived."""
        return self._length

    @property
    def upload(self) -> Upload:
        """The upload that it has become."""
        assert self._upload is not None, "it has not arrived"
        return self._upload

    async def reserve(self, more: int | None) -> None:
        """Keep room for so many bytes beside those that arrived; None: for as many again, as far as there is room.

        Raises ProblemError where the owner, or the disk, has not so many left.
        """
        least, wish = (0, max(_UNANNOUNCED, self._length)) if more is None else (more, more)
        self._reserved = await run_in_threadpool(_kept_free, self._services, self._id, self._length, least, wish)

    async def take(
        self,
        pieces: AsyncIterator[bytes],
        name: str,
        size: int | None,
        mirror: bool | None,
        reading: Reading,
        digest: str | None = None,
    ) -> None:
        """Make these bytes an upload of the ledger: the one that they are equal to, if there is one.

        Args:
            digest: SHA-256 that the whole file is said to have, in hexadecimal digits; None: nothing is said of it.

        Raises ProblemError.
        """
        if not name.isprintable() or not name.strip():
            raise invalid([FieldError("name", "It has to be printable, and not all blank.", "Use a short plain name.")])
        if is_multi_index(name):
            raise invalid([FieldError("name", "A name that begins so is that of a formula.", "Use another name.")])
        most = self._services.settings.max_upload_bytes
        async for piece in pieces:
            self._sent.update(piece)
            self._length += len(piece)
            await self._look(piece, pieces)
            if self._length > most:  # of a file that came in several requests: of one, the middleware counts
                raise ProblemError(Kind.BODY_TOO_LARGE, f"The file exceeds {most:,} bytes.")
            if self._length > self._reserved:  # of a body that announced no length
                await self.reserve(None)
            await self._file.write(piece)
        if not self._length:
            raise invalid(
                [FieldError("body", "It is empty.", "Send a zip or tar of class folders, an npz bundle or a table.")]
            )
        self._refuse_other()
        if digest not in (None, self._sent.hexdigest()):
            fix = "Send the whole file anew: it was changed while it was sent, or its SHA-256 is another one."
            raise invalid([FieldError("Upload-Key", "The file that arrived does not have this SHA-256.", fix)])
        if self._services.caller is not None and not await self._services.watch.good(self._services.caller.id):
            raise not_good()  # by now: a body may take long to come
        add, words = self._services.ledger.uploads.add, (mirror, reading.said, self._sent.hexdigest())
        reserved = self._services.catalogue.reserved()
        self._upload = await run_in_threadpool(add, self._id, name, size, self._length, *words, reserved)
        if self._upload.id != self._id:
            self._lost = not await run_in_threadpool(kept, self._services, self._upload)

    def settle(self) -> None:
        """Have inspected what has arrived, if it is new or what the store has lost; else forget it."""
        inspector, uploads, upload = self._services.inspector, self._services.ledger.uploads, self.upload
        mine = upload.id == self._id
        if self._lost:
            mine = inspector.rename(self._id, upload.id)  # else an equal file puts it back just now
            with suppress(UnknownUpload):  # deleted a moment ago: its inspection ends with that
                self._upload = uploads.reopen(upload, self._length) if mine else uploads.get(upload.id)
        if mine:
            inspector.take(upload.id)
        else:
            inspector.drop(self._id)

    async def _look(self, piece: bytes, rest: AsyncIterator[bytes]) -> None:
        """Refuse a file as soon as its beginning says that it is none of ours."""
        if len(self._start) >= LOOKED_AT:
            return
        self._start += piece[: LOOKED_AT - len(self._start)]
        if len(self._start) < LOOKED_AT:
            return
        try:
            self._refuse_other()
        except ProblemError:
            read = 0
            async for more in rest:  # most clients read no answer before they have sent a body of common size
                read += len(more)
                if read > _UNHEARD:
                    break
            raise

    def _refuse_other(self) -> None:
        if found := never_read(self._start):
            fix = found[1]
            raise invalid([FieldError("body", f"It is {found[0]}.", f"{fix[0].upper()}{fix[1:]}.")])


def kept(services: Services, upload: Upload) -> bool:
    """Whether the store has every byte of an upload's bundle; one that has none has lost none."""
    if upload.sha256 is None:
        return True
    try:
        whole = services.store.intact(upload.sha256, upload.bytes)
    except OSError:  # the store is away, which says nothing of what it holds
        return True
    if not whole:
        log.error("an upload's bundle is damaged or gone; an equal file mends it", upload=upload.id)
    return whole


@asynccontextmanager
async def arriving(services: Services, headers: Headers) -> AsyncIterator[Arrival]:
    """An upload that begins to arrive; inspected afterwards, unless it was not taken. Raises ProblemError."""
    upload_id = new_upload_id()
    async with contextmanager_in_threadpool(_reserving(services, upload_id)) as file:
        arrival = Arrival(services, file, upload_id)
        await arrival.reserve(announced(headers))
        yield arrival
    await run_in_threadpool(arrival.settle)


@contextmanager
def _reserving(services: Services, upload_id: str) -> Iterator[IO[bytes]]:
    try:
        with services.inspector.place(upload_id) as file:
            yield file
    except BaseException:
        if services.settings.auth == "keys":
            services.ledger.uploads.release(upload_id)
        raise


def _kept_free(services: Services, upload_id: str, arrived: int, least: int, wish: int) -> int:
    """Bytes that are kept for an upload, those that arrived among them: `least` more, or up to `wish` if there are."""
    settings = services.settings
    free = free_bytes(settings.home) - LEAST_FREE
    if least > free:
        raise full()
    wish = max(least, min(wish, free, settings.max_upload_bytes - arrived))
    if settings.auth == "off":
        return arrived + wish
    try:
        uploads = services.ledger.uploads
        return uploads.reserve(upload_id, arrived + least, settings.max_stored_bytes, _AT_ONCE, arrived + wish)
    except NoRoom as error:
        hint = "Delete one: DELETE /v1/datasets/{id}." if error.of == "bytes" else "Wait until one of them is done."
        raise ProblemError(
            Kind.QUOTA_EXCEEDED,
            sentence(error),
            hint=hint,
            headers={"Retry-After": "30"},
            allowed=error.allowed,
            current=error.current,
        ) from None
