"""Uploads on their way in and out: the room that they take, and what is left of those that never arrive."""

from __future__ import annotations

import select
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event
from sqlalchemy.orm import Session

from api.app import create_app
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
        in_pieces = send(client, (pets[i : i + 100] for i in range(0, len(pets), 100)), key(ledger, "dave"))
        assert in_pieces.status_code == 429, "counted as it comes where nothing was announced"


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
