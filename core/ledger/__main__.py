"""Bring the ledger's schema up to date: `python -m core.ledger`; or make a key: `python -m core.ledger key OWNER`."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import timedelta

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
    key = parser.add_subparsers(dest="what").add_parser("key")
    key.add_argument("owner")
    key.add_argument("--name", required=True)
    key.add_argument("--scope", action="append", choices=SCOPES)
    key.add_argument("--days", type=float)
    asked = parser.parse_args()
    logs.configure(settings())
    ledger = Ledger(settings().ledger_url)
    try:
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


if __name__ == "__main__":
    main()
