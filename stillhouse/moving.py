"""`stillhouse export` and `stillhouse import`: a service's whole state in a folder, and a new service from it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Annotated, Any

import typer

from stillhouse import paths, server
from stillhouse.errors import ClientError, UsageError
from stillhouse.home import Home, home_folder
from stillhouse.output import JsonOption, data

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", parser=paths.folder, help="Folder of the export.")]


def export_state(folder: Folder, home: Home = None, as_json: JsonOption = False) -> None:
    """Write all that the service of this machine holds into a folder, while it runs; again: go on where it stopped."""
    done = _run("export", folder, home, as_json)
    if done["missing"]:
        raise ClientError(f"The export is whole but for {len(done['missing'])} objects that the store has lost.")


def import_state(folder: Folder, home: Home = None, as_json: JsonOption = False) -> None:
    """Fill an empty service of this machine from an export, by SQLite or PostgreSQL whichever it was."""
    _run("import", folder, home, as_json)


def _run(what: str, folder: Path, home: Path | None, as_json: bool) -> dict[str, Any]:
    server.require(f"stillhouse {what}")
    environment = {**os.environ, "STILLHOUSE_HOME": str(home_folder(home))}
    command = server.python("worker.transfer", what, str(folder))
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if not done.stdout:
        raise UsageError((done.stderr.strip().splitlines() or [f"The {what} has failed."])[-1])
    said: dict[str, Any] = json.loads(done.stdout)
    data(said if as_json else f"{said['jobs']} jobs, {said['objects']:,} objects, {said['bytes']:,} bytes.")
    return said
