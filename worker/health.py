"""Whether this machine's worker is alive, as an exit status for container health checks. `python -m worker.health`."""

from __future__ import annotations

import socket
import sys

from core import logs
from core.ledger import Ledger
from core.settings import Settings, settings


def alive(settings: Settings, hostname: str) -> bool:
    """Whether a worker on this host has lately been seen in the ledger, at work or looking for some."""
    interval = settings.backstop_interval if settings.broker_url else settings.poll_interval
    patience = 3 * max(settings.heartbeat_interval, interval)
    ledger = Ledger(settings.ledger_url)
    try:
        return any(worker.hostname == hostname for worker in ledger.workers(seen_within=patience))
    finally:
        ledger.close()


if __name__ == "__main__":
    logs.configure(settings())
    sys.exit(0 if alive(settings(), socket.gethostname()) else 1)
