"""`stillhouse key`: the keys of a service. The first is made on the server's machine, the others anywhere."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime
from typing import Annotated

import typer

from stillhouse import server
from stillhouse.api import Client
from stillhouse.errors import UsageError
from stillhouse.home import Home, home_folder
from stillhouse.output import Commands, JsonOption, data, say, table

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    help="Make, list and revoke keys, for a service that runs with STILLHOUSE_AUTH=keys.",
)


@app.command()
def create(
    owner: Annotated[str, typer.Argument(metavar="OWNER", help="Whose key it is; owners see their own jobs only.")],
    home: Home = None,
    name: Annotated[str, typer.Option("--name", help="What the key is for.")] = "made on the server",
    admin: Annotated[bool, typer.Option("--admin", help="It may do everything, and sees everybody's.")] = False,
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="jobs:read, jobs:write, datasets:write; default all three.")
    ] = None,
    days: Annotated[float | None, typer.Option("--days", min=0, help="Days until it expires. Default: never.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key on the server's machine, in its database, and print the secret: once, for it is not kept."""
    server.require("stillhouse key create")
    scopes = [*(scope or ()), *(["admin"] if admin else [])]
    if admin and not scope:
        scopes = ["jobs:read", "jobs:write", "datasets:write", "admin"]
    options = [word for each in scopes for word in ("--scope", each)]
    options += [] if days is None else ["--days", str(days)]
    command = server.python("core.ledger", "key", owner, "--name", name, *options)
    environment = {**os.environ, "STILLHOUSE_HOME": str(home_folder(home))}
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise UsageError((done.stderr.strip().splitlines() or ["The key could not be made."])[-1])
    made = json.loads(done.stdout)
    if as_json:
        data(made)
        return
    data(made["secret"])
    say(f"The key of {made['owner']} is shown this once. Use it: put it into the variable STILLHOUSE_API_KEY.")


@app.command("list")
def list_keys(as_json: JsonOption = False) -> None:
    """List your keys."""
    with Client() as client:
        rows = client.keys()
    if as_json:
        data(rows)
        return
    table(
        ("KEY", "OWNER", "NAME", "BEGINS WITH", "MAY", "LAST USED", "STATE"),
        [
            (
                key["id"],
                key["owner"],
                key["name"],
                key["prefix"],
                " ".join(key["scopes"]),
                (key["last_used_at"] or "never")[:16],
                _state(key["revoked_at"], key["expires_at"]),
            )
            for key in rows
        ],
    )


def _state(revoked_at: str | None, expires_at: str | None) -> str:
    if revoked_at:
        return "revoked"
    return "expired" if expires_at and datetime.fromisoformat(expires_at) <= datetime.now(UTC) else "good"


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="Id of a key.")],
    alone: Annotated[bool, typer.Option("--alone", help="Leave the keys that were made with it.")] = False,
    as_json: JsonOption = False,
) -> None:
    """End a key and all that were made with it; their owners' jobs go on."""
    with Client() as client:
        client.revoke_key(key_id, alone=alone)
    if as_json:
        data({"id": key_id, "alone": alone, "revoked": True})
    say(f"{key_id} opens nothing any more{'' if alone else ', nor does a key that was made with it'}.")
