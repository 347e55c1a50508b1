"""Bring the ledger's schema up to date: `python -m core.ledger`.

`python -m core.ledger key OWNER` makes a key as well; `python -m core.ledger backup FILE` copies a ledger of SQLite
that is in use, and does nothing else.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from sqlalchemy.exc import OperationalError

from core import logs
from core.ledger import SCOPES, Ledger
from core.masks import masked
from core.settings import settings


def main() -> None:
    """Migrate the ledger of this process's settings; safe to run often, and by several processes at once.

    Then, if a key is asked for, make it and print it as JSON: whoever may open the database may give out keys.
    """
    parser = argparse.ArgumentParser(prog="python -m core.ledger", description=__doc__)
    commands = parser.add_subparsers(dest="what")
    commands.add_parser("backup").add_argument("file", type=Path)
    key = commands.add_parser("key")
    key.add_argument("owner")
    key.add_argument("--name", required=True)
    key.add_argument("--scope", action="append", choices=SCOPES)
    key.add_argument("--days", type=float)
    asked = parser.parse_args()
    logs.configure(settings())
    ledger = Ledger(settings().ledger_url)
    try:
        if asked.what == "backup":
            _copy(ledger, asked.file)
            return
        ledger.migrate()
        if asked.what == "key":
            lifetime = None if asked.days is None else timedelta(days=asked.days)
            made, secret = ledger.keys.create(asked.owner, asked.name, asked.scope or SCOPES[:-1], lifetime)
            print(json.dumps(vars(made) | {"secret": secret}, default=str))
    except (ValueError, OverflowError) as error:
        sys.exit(masked(str(error)))
    except OperationalError as error:
        sys.exit(masked(f"The database does not answer: {' '.join(str(error.orig).split())}"))
    finally:
        ledger.close()


def _copy(ledger: Ledger, file: Path) -> None:
    source = ledger.database.file
    if source is None:
        sys.exit("The ledger is in PostgreSQL: use pg_dump, as docs/OPERATIONS.md says.")
    if not source.exists():
        sys.exit(f"There is no ledger at {source}: set STILLHOUSE_HOME, or STILLHOUSE_DATABASE_URL.")
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    with closing(sqlite3.connect(source)) as there, closing(sqlite3.connect(part)) as here:
        there.backup(here)
    part.replace(file)


if __name__ == "__main__":
    main()
