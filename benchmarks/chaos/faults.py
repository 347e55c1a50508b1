"""The faults: each strikes a running service, lasts a moment, and leaves every part of it running again."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, final

from benchmarks.chaos.house import LEASE, PARTS, WORKERS, House, until

_AIM: Final = 12.0
"""Seconds in which there should be something to strike."""
_HELPED: Final = """
SELECT job_parts.worker_id AS helper FROM job_parts JOIN jobs ON jobs.id = job_parts.job_id
WHERE job_parts.state = 'held' AND jobs.status = 'running' AND job_parts.worker_id <> jobs.worker_id
"""


@final
class Missed(Exception):
    """There was nothing to strike."""


@final
class Faults:
    """Strikes a house, each time as a seeded draw says."""

    def __init__(self, house: House, draw: random.Random, only: Sequence[str] = ()) -> None:
        """
        Args:
            only: words of which a fault's name has to contain one; none: all are drawn.
        """
        self._house, self._draw = house, draw
        kinds: dict[str, Callable[[], str]] = {
            "engine killed": self._kill_engine,
            "engine stopped for a while": self._stop_engine,
            "worker killed": self._kill_worker,
            "worker stopped past its lease": self._stop_worker,
            "worker told to end": self._drain_worker,
            "helper's engine killed": self._kill_helper,
            "API killed": self._kill_api,
            "Redis killed": self._kill_redis,
            "Redis stopped for a while": self._stop_redis,
            "PostgreSQL restarted": self._restart_postgres,
            "PostgreSQL away past a lease": self._postgres_away,
            "connections to PostgreSQL ended": self._end_connections,
            "store away": self._store_away,
            "all killed at once": self._kill_everything,
        }
        self._kinds = {name: kind for name, kind in kinds.items() if not only or any(word in name for word in only)}
        self._left: list[str] = []

    def strike(self) -> tuple[str, str]:
        """The name of the next fault that found something to strike, once it is over, and what it struck.

        Every kind has its turn before one comes again.
        """
        while True:
            if not self._left:
                self._left = self._draw.sample(list(self._kinds), len(self._kinds))
            name = self._left.pop()
            try:
                return name, self._kinds[name]()
            except Missed:
                continue

    def _busy(self) -> tuple[str, int]:
        """A worker that is at work, and its engine."""
        found: list[tuple[str, int]] = []

        def look() -> bool:
            found[:] = [(name, engine) for name in WORKERS for engine in self._house.engines(name)]
            return bool(found)

        with suppress(TimeoutError):
            until(look, "an engine is at work", _AIM)
        if not found:
            raise Missed
        worker, engine = self._draw.choice(found)
        time.sleep(self._draw.uniform(0, 3))  # somewhere in the life of a job
        return worker, engine

    def _kill_engine(self) -> str:
        worker, engine = self._busy()
        self._to_engine(engine, signal.SIGKILL)
        return worker

    def _stop_engine(self) -> str:
        worker, engine = self._busy()
        self._to_engine(engine, signal.SIGSTOP)
        time.sleep(LEASE / 2)
        with suppress(Missed):
            self._to_engine(engine, signal.SIGCONT)
        return worker

    def _to_engine(self, engine: int, number: signal.Signals) -> None:
        if not any(engine in self._house.engines(name) for name in WORKERS):
            raise Missed
        with suppress(ProcessLookupError):
            os.kill(engine, number)

    def _kill_worker(self) -> str:
        worker, _ = self._busy()
        self._house.end(worker)
        self._house.start(worker)
        return worker

    def _stop_worker(self) -> str:
        worker, _ = self._busy()
        self._house.signal(worker, signal.SIGSTOP)
        time.sleep(LEASE + 1.5)
        self._house.signal(worker, signal.SIGCONT)
        return worker

    def _drain_worker(self) -> str:
        worker, _ = self._busy()
        self._house.end(worker, signal.SIGTERM)
        self._house.start(worker)
        return worker

    def _kill_helper(self) -> str:
        held: list[dict[str, Any]] = []

        def look() -> bool:
            held[:] = self._house.rows(_HELPED)
            return bool(held)

        with suppress(TimeoutError):
            until(look, "a worker helps another one", _AIM)
        name = self._house.worker_of(held[0]["helper"]) if held else None
        engines = self._house.engines(name) if name else []
        if name is None or not engines:
            raise Missed
        self._to_engine(engines[0], signal.SIGKILL)
        return name

    def _kill_api(self) -> str:
        self._house.end("api")
        self._house.start("api")
        until(self._house.answers, "the API answers again")
        return ""

    def _kill_redis(self) -> str:
        self._house.end("redis")
        time.sleep(self._draw.uniform(0, 2))
        self._house.start("redis")
        return ""

    def _stop_redis(self) -> str:
        self._house.signal("redis", signal.SIGSTOP)
        time.sleep(self._draw.uniform(1, 3))
        self._house.signal("redis", signal.SIGCONT)
        return ""

    def _restart_postgres(self) -> str:
        self._house.end("postgres", signal.SIGQUIT)  # without a word to its clients: it recovers at its next start
        self._house.start("postgres")
        return ""

    def _postgres_away(self) -> str:
        self._house.end("postgres", signal.SIGQUIT)
        time.sleep(LEASE + 1)
        self._house.start("postgres")
        return ""

    def _end_connections(self) -> str:
        ended = self._house.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' "
            "AND pid <> pg_backend_pid()"
        )
        return f"{len(ended)} of them"

    def _store_away(self) -> str:
        """A plain file in the place of the store's folder, which even root cannot write into."""
        away = self._house.store.with_name("store.away")
        self._house.store.rename(away)
        self._house.store.touch()
        time.sleep(self._draw.uniform(1, 6))
        self._house.store.unlink()
        away.rename(self._house.store)
        return ""

    def _kill_everything(self) -> str:
        for name in (*PARTS, "redis"):
            self._house.end(name)
        self._house.end("postgres", signal.SIGQUIT)
        for name in ("postgres", "redis", *PARTS):
            self._house.start(name)
        until(self._house.answers, "the API answers again")
        return ""
