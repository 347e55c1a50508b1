"""The chores of the store: jobs past their date are deleted, files read again, objects that nobody needs found.

The sweeper does the first two by itself, and once a day the third where ledger and store both lie in HOME.
`python -m worker.housekeeping` does it elsewhere: it looks for objects that attempts which died have left in the store,
and with `--delete` removes those that are older than a day. Run it only where no other database's results are kept at
STILLHOUSE_STORE_URL: they would be nobody's, too.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, final

import structlog

from core import logs
from core.artifacts.store import Store
from core.ledger import IllegalTransition, Ledger, UnknownJob
from core.ledger.keeping import BATCH
from core.masks import masked
from core.settings import Settings, settings

_RECENT: Final = 86_400.0
"""Seconds for which an object that nobody needs may still be on its way into the ledger."""

log = structlog.stdlib.get_logger(__name__)


@final
class Housekeeper:
    """Looks after ledger and store; any number may, since the ledger gives each its share of the work."""

    def __init__(self, settings: Settings, ledger: Ledger, store: Store) -> None:
        self._settings = settings
        self._ledger = ledger
        self._store = store

    def keep(self) -> None:
        """One round: delete what is out of date, too much or nobody's, read some files. Raises AWAY of the ledger."""
        try:
            if self._settings.retention_days is not None:
                self._retire(self._settings.retention_days)
            if self._settings.verified_bytes:
                self._verify()
            sharing, remove = self._ledger.sharing, self._store.delete
            sharing.forget_ended(self._settings.checkpoint_days, remove)
            sharing.trim_results(self._settings.expert_cache_bytes, remove)
            if self._is_alone and self._ledger.keeping.turn("collect", _RECENT):
                self._collect()
        except OSError as error:
            log.warning("the store does not answer", reason=masked(str(error)))

    @property
    def _is_alone(self) -> bool:
        """Whether no other ledger can need what is in the store."""
        return self._settings.store_url is None and self._settings.database_url is None

    def _collect(self) -> None:
        surplus = self.surplus()
        self.remove(list(surplus))
        if surplus:
            log.info("objects that nobody needs were removed", objects=len(surplus), bytes=sum(surplus.values()))

    def surplus(self) -> dict[str, int]:
        """The objects that nobody needs and that are no longer on their way, with their bytes."""
        needed = self._ledger.keeping.needed()
        return {
            address: length for address, length, age in self._store.objects() if address not in needed and age > _RECENT
        }

    def remove(self, surplus: Sequence[str]) -> None:
        """Remove those objects, but for what has become needed, and what writers that died have left half written."""
        for first in range(0, len(surplus), BATCH):
            self._ledger.keeping.remove(surplus[first : first + BATCH], self._store.delete)
        self._store.tidy(_RECENT)

    def _retire(self, days: float) -> None:
        for job_id in self._ledger.keeping.out_of_date(days):
            with suppress(UnknownJob, IllegalTransition):
                self._ledger.delete(job_id, self._store.delete)
                log.info("job deleted", job=job_id, days=days)

    def _verify(self) -> None:
        keeping, intact = self._ledger.keeping, dict[str, bool]()
        for address, length in keeping.due(self._settings.verified_bytes).items():
            intact[address] = self._store.intact(address, length)
            if not intact[address]:
                log.error("a stored file is damaged or gone", sha256=address, jobs=keeping.jobs_with(address))
        if intact:
            keeping.note(intact)


def main(arguments: Sequence[str] | None = None) -> None:
    """Say what nobody needs, and remove it if asked to."""
    parser = argparse.ArgumentParser(prog="python -m worker.housekeeping", description=__doc__)
    parser.add_argument("--delete", action="store_true", help="remove what nobody needs")
    delete = parser.parse_args(arguments).delete
    logs.configure(settings())
    ledger = Ledger(settings().ledger_url)
    keeper = Housekeeper(settings(), ledger, Store(settings().artifacts_url))
    surplus = keeper.surplus()
    print(f"{len(surplus)} objects, {sum(surplus.values()):,} bytes, are needed by nobody.")
    if delete:
        keeper.remove(list(surplus))
        print("They are removed.")
    damaged = ledger.keeping.damaged()
    for address in damaged:
        holders = ", ".join(ledger.keeping.jobs_with(address)) or "an upload"
        print(f"{address} is damaged or gone; it belongs to {holders}.")
    ledger.close()
    raise SystemExit(1 if damaged else 0)


if __name__ == "__main__":
    main()
