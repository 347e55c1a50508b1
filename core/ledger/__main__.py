"""Bring the ledger's schema up to date: `python -m core.ledger`."""

from __future__ import annotations

import argparse

from core.ledger import Ledger
from core.settings import settings


def main() -> None:
    """Migrate the ledger of this process's settings; safe to run often, and by several processes at once."""
    ledger = Ledger(settings().ledger_url)
    ledger.migrate()
    ledger.close()


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    main()
