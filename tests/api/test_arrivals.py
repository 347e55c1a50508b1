"""Uploads on their way in and out: the room that they take, and what is left of those that never arrive."""

from __future__ import annotations

import hashlib
import re
import select
import socket
import time
import zipfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import anyio
import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event
from sqlalchemy.orm import Session
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect

from api.app import create_app
from api.arrivals import arriving
from api.services import Services
from core.data.reading import Reading
from core.ids import new_id
from core.ledger import Ledger
from core.settings import Settings
from tests.api.serving import serving
from tests.api.test_uploads import PATIENCE, send, settled
from tests.api.workshop import ON_SQLITE, key
from tests.data.archives import classes, packed


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"auth": "keys"})


@ON_SQLITE
def test_an_owner_has_so_much_room(settings: Settings) -> None:
    pets = packed(classes(5))
    with TestClient(create_app(settings.model_copy(update={"max_stored_bytes": len(pets)}))) as client:
        ledger = client.app.state.services.ledger  # type: ignore[attr-defined]
        alice = key(ledger, "alice")
        settled(client, send(client, pets, alice).headers["Location"], alice)
        refused = send(client, pets, alice)
        assert (refused.status_code, refused.json()["allowed"]) == (429, len(pets))
        assert send(client, pets, key(ledger, "bob")).status_code == 202
        alone = send(client, pets + b"x", key(ledger, "carol"))
        assert (alone.status_code, alone.json()["current"]) == (429, 0)
        assert f"the {len(pets) + 1:,} of this one" in alone.json()["detail"]
        for owner, body, status in (("dave", pets, 202), ("erin", pets + b"x", 429)):
            in_pieces = send(client, (body[i : i + 100] for i in range(0, len(body), 100)), key(ledger, owner))
            assert in_pieces.status_code == status, "counted as it comes where nothing was announced"


@ON_SQLITE
def test_what_arrives_is_counted_and_what_a_crash_leaves_is_cleaned(settings: Settings, artifact: Path) -> None:
    settings = settings.model_copy(update={"max_stored_bytes": 24 << 20})
    with serving(settings, artifact) as server, ExitStack() as wires:
        alice = key(server.workshop.ledger, "alice")["Authorization"]
        head = f"POST /v1/datasets?name=pets HTTP/1.1\r\nHost: h\r\nAuthorization: {alice}\r\nContent-Length: {8 << 20}"
        ours = [wires.enter_context(socket.create_connection(server.address, PATIENCE)) for _ in range(8)]
        for wire in ours:
            wire.sendall(f"{head}\r\nContent-Type: application/zip\r\n\r\n".encode() + b"x" * 1000)
        deadline, answered = time.monotonic() + PATIENCE, list[socket.socket]()
        while len(answered) < 5:  # the others go on arriving
            assert time.monotonic() < deadline
            answered = select.select(ours, [], [], 1)[0]
        assert all(b"429 " in wire.recv(4096) for wire in answered)
        assert len(list(settings.uploads.iterdir())) == len(server.workshop.ledger.uploads.arriving()) == 3
        server.process.kill()
        server.process.wait(PATIENCE)
        assert len(list(settings.uploads.iterdir())) == 3
        with serving(settings, artifact) as successor:
            assert list(settings.uploads.iterdir()) == successor.workshop.ledger.uploads.arriving() == []


@ON_SQLITE
def test_an_upload_whose_key_is_revoked_while_it_arrives_is_refused(settings: Settings, artifact: Path) -> None:
    pets = packed(classes(5))
    with serving(settings, artifact) as server, socket.create_connection(server.address, PATIENCE) as wire:
        ledger, deadline = server.workshop.ledger, time.monotonic() + PATIENCE
        made, secret = ledger.keys.create("alice", "leaked")
        head = f"POST /v1/datasets?name=pets HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {secret}\r\n"
        head += f"Content-Length: {len(pets)}\r\nContent-Type: application/zip\r\n\r\n"
        wire.sendall(head.encode() + pets[:-1])
        while not ledger.uploads.arriving():
            assert time.monotonic() < deadline
        ledger.keys.revoke(made.id)
        wire.sendall(pets[-1:])
        assert b" 401 " in wire.recv(4096)
        assert ledger.uploads.all() == []
        assert ledger.uploads.arriving() == list(settings.uploads.iterdir()) == []


_LARGE = 16 << 20
"""Bytes of an upload that a server would be seen to hold in memory: whatever their number, it takes some 4 MB more."""


def peak(pid: int) -> int:
    """The largest memory that a process has had, in bytes."""
    (line,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(line) << 10


@ON_SQLITE
def test_a_large_upload_goes_on_after_its_line_broke_and_takes_no_memory(settings: Settings, artifact: Path) -> None:
    body = packed(classes(5) | {"notes.txt": bytes(_LARGE)}, method=zipfile.ZIP_STORED)
    digest, half = hashlib.sha256(body).hexdigest(), len(body) // 2
    url = "/v1/datasets?name=pets"
    with serving(settings, artifact) as server, httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
        alice, bob = (key(server.workshop.ledger, owner) for owner in ("alice", "bob"))
        head = {"Content-Type": "application/zip", "Upload-Key": digest}
        first = f"POST {url} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n"
        first += "".join(f"{name}: {word}\r\n" for name, word in (alice | head).items())
        before = peak(server.process.pid)
        with socket.create_connection(server.address, PATIENCE) as wire:
            wire.sendall(f"{first}\r\n".encode() + body[:half])
        where, deadline, received = f"/v1/datasets/arrivals/{digest}", time.monotonic() + PATIENCE, 0
        while not received:  # until the service knows that the line is gone
            assert time.monotonic() < deadline
            received = client.get(where, headers=alice).json()["received"]
            time.sleep(0.05)
        assert 0 < received <= half
        assert client.get(where, headers=bob).json() == {"received": 0}
        for holder, offset in ((bob, received), (alice, received - 1)):
            rest = head | holder | {"Upload-Offset": str(offset)}
            refused = client.post(url, content=b"x", headers=rest)
            assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "Upload-Offset")
        pieces = (body[start : start + (1 << 20)] for start in range(received, len(body), 1 << 20))
        sent = client.post(url, content=pieces, headers=head | alice | {"Upload-Offset": str(received)})
        assert sent.status_code == 202
        assert peak(server.process.pid) - before < _LARGE // 2
        assert server.workshop.ledger.uploads.arriving() == []
        assert client.get(where, headers=alice).json() == {"received": 0}
        found = settled(client, sent.headers["Location"], alice)
        assert (found["state"], found["sent"]["sha256"]) == ("ready", digest)
        other = client.post("/v1/datasets?name=other", content=b"another file", headers=head | alice)
        assert (other.status_code, other.json()["errors"][0]["field"]) == (422, "Upload-Key")


@ON_SQLITE
def test_the_rest_of_an_upload_is_waited_for_in_one_place_and_for_a_while(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = create_app(settings).state.services
    services.ledger.migrate()
    waiting, name = services.interrupted, ("alice", "0" * 64)

    async def broken(length: int, within: float) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            yield bytes(length)
            raise ClientDisconnect

        monkeypatch.setattr("api.interrupted.PATIENCE", within)
        async with AsyncExitStack() as place:
            arrival = await place.enter_async_context(arriving(services, Headers()))
            with pytest.raises(ClientDisconnect):
                await arrival.take(pieces(), "pets", None, None, Reading())
            await waiting.keep(name, arrival, place.pop_all())

    def here() -> tuple[int, int, int]:
        return waiting.received(name), len(services.ledger.uploads.arriving()), len(list(settings.uploads.iterdir()))

    async def breaks() -> None:
        await broken(5, PATIENCE)
        await broken(7, PATIENCE)
        assert here() == (7, 1, 1), "the later attempt is what waits"
        await waiting.close()
        assert here() == (0, 0, 0)
        await broken(9, 0.0)
        with anyio.fail_after(PATIENCE):
            while here() != (0, 0, 0):
                await anyio.sleep(0.01)

    anyio.run(breaks)
    services.ledger.close()


@ON_SQLITE
def test_a_bundle_stays_that_becomes_anothers_while_its_upload_is_deleted(settings: Settings) -> None:
    ledger, another = Ledger(settings.ledger_url), Ledger(settings.ledger_url)
    ledger.migrate()
    twins, address = (new_id("ds"), new_id("ds")), "0" * 64
    for upload_id in twins:
        ledger.uploads.add(upload_id, upload_id, None, 1)
    ledger.uploads.conclude(twins[0], found={}, sha256=address, length=1)

    @event.listens_for(Session, "after_commit", once=True)  # of the deletion, which has its bundle to remove still
    def conclude(_: object) -> None:
        assert another.uploads.conclude(twins[1], found={}, sha256=address, length=1)

    removed: list[str] = []
    ledger.uploads.delete(twins[0], removed.append)
    assert removed == []
    ledger.uploads.delete(twins[1], removed.append)
    assert removed == [address]


@ON_SQLITE
def test_no_bundle_stays_of_an_upload_that_is_deleted_while_the_store_takes_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = Services.open(settings)
    ledger, store, upload_id = services.ledger, services.store, new_id("ds")
    ledger.migrate()
    with services.inspector.place(upload_id) as file:
        file.write(packed(classes(5)))
        ledger.uploads.add(upload_id, "pets", None, 1)
    put, stored = store.put, list[tuple[str, int]]()

    def put_while_it_is_deleted(bundle: Path) -> tuple[str, int]:
        stored.append(put(bundle))
        ledger.uploads.delete(upload_id, store.delete)
        return stored[-1]

    monkeypatch.setattr(store, "put", put_while_it_is_deleted)
    services.inspector._inspect(upload_id)
    assert len(stored) == 1
    assert not store.intact(*stored[0])
    assert not list(settings.uploads.iterdir())
    ledger.close()
