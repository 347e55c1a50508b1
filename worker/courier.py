"""Sends what the outbox holds to webhooks: signed, again and again until it is taken or its tries are used up."""

from __future__ import annotations

import random
import threading
import time
from typing import Final, final

import structlog

from core.ledger import AWAY, Answer, Ledger, Parcel
from core.settings import Settings
from core.webhooks import signature
from worker.database_retry import until_answered, until_ready
from worker.drain import Drain
from worker.post import Refused, Unanswered, post

AT_ONCE: Final = 8
"""Webhooks that are sent to at the same time, by one process."""

LONGEST_PAUSE: Final = 6 * 3600.0
"""Seconds between two tries, at most."""

_GROWTH: Final = 4.0
_SPREAD: Final = 0.2
_TICK: Final = 0.2

log = structlog.stdlib.get_logger(__name__)


@final
class Courier:
    """Delivers until drained; any number may, since the ledger hands each delivery to one of them."""

    def __init__(self, settings: Settings, ledger: Ledger, dice: random.Random) -> None:
        """
        Args:
            dice: draws by how much pauses differ, so that what failed together is not tried together again.
        """
        self._settings = settings
        self._ledger = ledger
        self._dice = dice
        self._lease = 3 * settings.webhook_timeout
        self._away: list[threading.Thread] = []
        self._last = ""
        """The webhook that had the last turn."""

    def run(self, drain: Drain) -> None:
        """Looks for deliveries at the interval of a poller; returns when drain is set. Never raises."""
        until_ready(self._ledger, drain)
        while not drain.is_set():
            found = 0
            try:
                found = self.send(drain)
            except AWAY as error:
                log.warning("the ledger does not answer", reason=type(error).__name__)
            except Exception:
                log.exception("sending to webhooks failed")
            if not found:
                drain.wait(self._settings.poll_interval)

    def send(self, drain: Drain) -> int:
        """Begin to send what is due, as far as hands are free; how many webhooks are sent to."""
        self._away = [thread for thread in self._away if thread.is_alive()]
        free = AT_ONCE - len(self._away)
        if not free:
            drain.wait(_TICK)
            return 1
        parcels = self._ledger.outbox.take(free, self._lease, after=self._last)
        for parcel in parcels:
            self._last = parcel.webhook_id
            # daemons: a name that is looked up for minutes holds up nobody's end, and the parcel is sent again
            thread = threading.Thread(target=self._round, args=(parcel, drain), name="courier", daemon=True)
            thread.start()
            self._away.append(thread)
        return len(parcels)

    def _round(self, first: Parcel, drain: Drain) -> None:
        """Send to one webhook what is due there, until one is not taken or its turn is over: others want hands, too."""
        waiting, ends = [first], time.monotonic() + self._settings.webhook_timeout
        try:
            while waiting:
                taken = self._deliver(waiting.pop(), drain)
                if taken and time.monotonic() < ends and not drain.is_set():
                    waiting = self._ledger.outbox.take(1, self._lease, first.webhook_id)
        except AWAY as error:
            log.warning("the ledger does not answer", reason=type(error).__name__)
        except Exception:
            log.exception("sending to a webhook failed", webhook=first.webhook_id)

    def _deliver(self, parcel: Parcel, drain: Drain) -> bool:
        """Whether the receiver has it now; the ledger knows."""
        answer, again = self._post(parcel)
        until_answered(lambda: self._ledger.outbox.conclude(parcel, answer, again), drain)
        said = {"webhook": parcel.webhook_id, "delivery": parcel.id, "attempt": parcel.attempt, "status": answer.status}
        if answer.taken:
            log.info("a webhook was told", **said)
        else:
            log.warning("a webhook was not told", **said, reason=answer.problem, again=again and round(again))
        return answer.taken

    def _post(self, parcel: Parcel) -> tuple[Answer, float | None]:
        """The answer to a delivery, and the seconds until the next try if there is one."""
        began, now = time.monotonic(), int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Stillhouse",
            "webhook-id": parcel.id,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(parcel.secrets, parcel.id, now, parcel.body),
        }
        status, wished, problem = None, None, None
        try:
            known = self._settings
            status, wished = post(parcel.url, parcel.body, headers, known.webhook_timeout, known.webhook_targets)
        except (Refused, Unanswered) as error:
            problem = str(error)
        if status is not None and not 200 <= status < 300:
            problem = f"It answered {status}."
            if 300 <= status < 400:
                problem = f"It answered {status}, and no redirect is followed: set the address that it leads to."
            if status == 410:
                problem = "It answered 410: it wants no more messages."
        again = None if parcel.tries >= self._settings.webhook_attempts else self._pause(parcel.tries, wished)
        return Answer(status, problem, time.monotonic() - began), again

    def _pause(self, tries: int, wished: str | None) -> float:
        """Seconds until the next try: four times as many each time, give or take a fifth; or as many as are wished."""
        grown = min(self._settings.webhook_pause * _GROWTH ** min(tries - 1, 20), LONGEST_PAUSE)
        asked = float(wished) if wished and wished.isdecimal() and len(wished) < 7 else 0.0
        return max(min(asked, LONGEST_PAUSE), grown * self._dice.uniform(1 - _SPREAD, 1 + _SPREAD))
