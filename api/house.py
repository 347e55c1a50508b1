"""What every request needs: the settings and the doors to ledger, datasets and artifacts."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Annotated, Self, final

from fastapi import Depends, Request

from api.metrics import Metrics
from api.pagination import Cursors, signing_key
from core.artifacts import Store
from core.data import Catalogue
from core.ledger import Ledger
from core.settings import Settings


@final
@dataclass(frozen=True)
class House:
    """One process's view of the service. `closing` is set when open streams should come to an end."""

    settings: Settings
    ledger: Ledger
    catalogue: Catalogue
    store: Store
    cursors: Cursors
    metrics: Metrics
    closing: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """The house of these settings; nothing is connected before it is needed."""
        ledger = Ledger(settings.ledger_url)
        return cls(
            settings,
            ledger,
            Catalogue(settings.datasets),
            Store(settings.artifacts_url),
            Cursors(signing_key(settings.home / "cursor.key")),
            Metrics(ledger),
        )


def _house(request: Request) -> House:
    house = request.app.state.house
    assert isinstance(house, House)
    return house


Here = Annotated[House, Depends(_house)]
"""Parameter of an operation: the house it works in."""
