"""The things every request needs: the settings and the doors to ledger, datasets and artifacts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Annotated, Final, Self, final

import structlog
from fastapi import Depends, Request

from api.inspector import Inspector
from api.interrupted import Interrupted
from api.metrics import Metrics
from api.rate_limiter import RateLimiter
from api.visible_datasets import VisibleDatasets
from api.watching import Watch
from core.artifacts import Probe, Store
from core.data import Catalogue
from core.ledger import ApiKey, Ledger, Reach
from core.masks import masked
from core.settings import Settings

_LOCK_WAIT: Final = 5.0
"""Seconds a request waits for another writer before it is told to come again: less than a client's patience, and a
thread that waits serves nobody."""

_KEYS_TRIED: Final = 5
"""An address may show so many times fewer keys that are not good than a good one may make requests."""

log = structlog.stdlib.get_logger(__name__)


@final
@dataclass(frozen=True)
class Services:
    """One process's view of the service. `closing` is set when open streams should come to an end.

    An operation gets it as its `caller` sees it: what is not theirs is not in the ledger.
    """

    settings: Settings
    ledger: Ledger
    catalogue: VisibleDatasets
    store: Store
    probe: Probe
    metrics: Metrics
    inspector: Inspector
    interrupted: Interrupted
    closing: threading.Event
    watch: Watch
    failures: RateLimiter
    """Keys that were not good, an address."""
    caller: ApiKey | None = None
    """The key that was shown; None where there are no keys, and on the few pages that everybody may see."""

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """The services of these settings; nothing is connected before it is needed."""
        ledger = Ledger(settings.ledger_url, lock_wait=_LOCK_WAIT)
        store, closing = Store(settings.artifacts_url), threading.Event()
        return cls(
            settings,
            ledger,
            VisibleDatasets(Catalogue(settings.datasets), ledger.uploads, store, settings.datasets),
            store,
            Probe(store),
            Metrics(ledger),
            Inspector(settings.uploads, ledger, store, closing),
            Interrupted(),
            closing,
            Watch(ledger, closing),
            RateLimiter(max(1, settings.max_requests / _KEYS_TRIED)),
        )

    @contextmanager
    def parting(self, gone: str) -> Iterator[None]:
        """A job or an upload is deleted in the block, by its id, even where the store does not let its objects go."""
        try:
            yield
        except OSError as error:  # it is gone by then; that nothing needs them is found out later
            log.warning("objects that nothing needs stay in the store", of=gone, reason=masked(str(error)))

    def seen_by(self, caller: ApiKey | None) -> Self:
        """The services as the holder of this key sees them, or as a caller without a key does."""
        reach = Reach("", everything=False) if caller is None else caller.reach
        ledger = self.ledger.within(reach)
        catalogue = replace(self.catalogue, uploads=ledger.uploads)
        return replace(self, ledger=ledger, catalogue=catalogue, caller=caller)


async def _services(request: Request) -> Services:  # waits for nothing, and so needs no thread
    services = request.app.state.services
    assert isinstance(services, Services)
    return services if services.settings.auth == "off" else services.seen_by(request.state.caller)


ServicesDep = Annotated[Services, Depends(_services)]
"""Parameter of an operation: what it works with."""
