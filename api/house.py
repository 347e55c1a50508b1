"""What every request needs: the settings and the doors to ledger, datasets and artifacts."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import Annotated, Self, final

from fastapi import Depends, Request

from api.metrics import Metrics
from api.pagination import Cursors, signing_key
from core.artifacts import Store
from core.data import Catalogue
from core.ledger import ApiKey, Ledger, Reach
from core.settings import Settings


@final
@dataclass(frozen=True)
class House:
    """One process's view of the service. `closing` is set when open streams should come to an end.

    An operation gets it as its `caller` sees it: what is not theirs is not in the ledger.
    """

    settings: Settings
    ledger: Ledger
    catalogue: Catalogue
    store: Store
    cursors: Cursors
    metrics: Metrics
    closing: threading.Event = field(default_factory=threading.Event)
    caller: ApiKey | None = None
    """The key that was shown; None where there are no keys, and on the few pages that everybody may see."""

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

    def seen_by(self, caller: ApiKey | None) -> Self:
        """The house as somebody sees it who had to show a key, or had none to show."""
        reach = Reach("", everything=False) if caller is None else caller.reach
        return replace(self, ledger=self.ledger.within(reach), caller=caller)


def _house(request: Request) -> House:
    house = request.app.state.house
    assert isinstance(house, House)
    return house if house.settings.auth == "off" else house.seen_by(request.state.caller)


Here = Annotated[House, Depends(_house)]
"""Parameter of an operation: the house it works in."""
