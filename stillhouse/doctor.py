"""The needs of a newcomer's machine, checked one at a time; imports nothing of the service."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stillhouse import server
from stillhouse.api import Client
from stillhouse.errors import ClientError
from stillhouse.home import home_folder

_TORCH = (
    "import json, torch; c = torch.cuda.is_available(); "
    "print(json.dumps([torch.__version__, torch.cuda.get_device_name() if c else 'CPU', torch.get_num_threads()]))"
)
_REINSTALL = "Install the locked environment again: make install"
_NEEDED_BYTES = 2 * 2**30


@dataclass(frozen=True)
class Finding:
    """One check: `ok` is None where the answer is only worth knowing."""

    name: str
    ok: bool | None
    found: str
    fix: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The finding for a script."""
        return asdict(self)


def examine(home: Path | None, host: str, port: int) -> Iterator[Finding]:
    """Check Python and the service at STILLHOUSE_URL; where the server is installed, also what a service here needs.

    That is torch and its device, the state folder, free disk and the port.
    """
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", sys.version_info >= (3, 11), version, "Install Python 3.11 or newer.")
    reachable = _service()
    if not server.is_here():
        yield Finding("server", None, "not installed: this is the client alone, for a service that runs elsewhere")
    elif lacks := server.missing():
        yield Finding("server", False, f"lacks {', '.join(lacks)}", _REINSTALL)
    else:
        yield from _server(home_folder(home), host, port, running=bool(reachable.ok))
    yield reachable


def _server(home: Path, host: str, port: int, *, running: bool) -> Iterator[Finding]:
    yield _torch()
    nearest = next(folder for folder in (home, *home.parents) if folder.exists())
    yield Finding(
        "home", os.access(nearest, os.W_OK | os.X_OK), str(home), f"Make {nearest} writable, or set STILLHOUSE_HOME."
    )
    free = shutil.disk_usage(nearest).free
    yield Finding("disk", free >= _NEEDED_BYTES, f"{free / 2**30:.1f} GiB free", "Free 2 GiB, or set STILLHOUSE_HOME.")
    yield _port(host, port, taken_is_fine=running)


def _torch() -> Finding:
    # In a child: importing torch takes seconds and hundreds of megabytes that a command line should not keep.
    run = subprocess.run([sys.executable, "-P", "-c", _TORCH], capture_output=True, text=True, check=False)
    if run.returncode:
        reason = (run.stderr.strip().splitlines() or ["no message"])[-1]
        return Finding("torch", False, reason, _REINSTALL)
    torch, device, threads = json.loads(run.stdout)
    return Finding("torch", True, f"{torch} on {device}, {threads} threads")


def _port(host: str, port: int, *, taken_is_fine: bool) -> Finding:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            fix = "Choose another with 'stillhouse serve --port'."
            return Finding("port", None if taken_is_fine else False, f"{host}:{port}: {error.strerror or error}", fix)
    return Finding("port", True, f"{host}:{port} is free")


def _service() -> Finding:
    try:
        with Client(timeout=5) as client:
            client.ready()
            return Finding("service", True, f"ready at {client.url}")
    except ClientError as error:
        return Finding("service", None, str(error).splitlines()[0])
