"""A client that does not come to the point is cut off; one that does may take its time for the rest."""

from __future__ import annotations

import asyncio
import time

import pytest
import uvicorn
from uvicorn.server import ServerState

from api import protocol
from api.protocol import Patient

PATIENCE = 60.0
WHOLE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def _application(scope: object, receive: object, send: object) -> None:
    await asyncio.sleep(0.3)  # longer than a head may take
    await send({"type": "http.response.start", "status": 204, "headers": []})  # type: ignore[operator]
    await send({"type": "http.response.body"})  # type: ignore[operator]


async def _conversation(*parts: bytes) -> tuple[bytes, float]:
    """All that is answered to these, each sent when the one before is answered; and the seconds after the last."""
    config = uvicorn.Config(_application, log_config=None, timeout_keep_alive=60)
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Patient(config, state, {}), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        heard = b""
        for part in parts[:-1]:
            writer.write(part)
            heard += await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
        writer.write(parts[-1])
        began = time.monotonic()
        heard += await asyncio.wait_for(reader.read(), PATIENCE)
        writer.close()
    return heard, time.monotonic() - began


@pytest.mark.parametrize("parts", [(b"",), (WHOLE[:20],), (WHOLE, WHOLE[:20]), (WHOLE, WHOLE, b"G")])
def test_half_a_head_is_waited_for_so_long(parts: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    heard, seconds = asyncio.run(_conversation(*parts))
    assert heard.count(b"HTTP/1.1 204") == len(parts) - 1, "what was asked for whole is answered, however long it takes"
    assert 0.1 < seconds < PATIENCE
