"""Prometheus: what this process has answered, and what the ledger says about all of the service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from core.doorbell import FAILURES
from core.ledger import Ledger

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


@final
class Metrics:
    """The registry of one application, with its HTTP instruments. Labels are route templates, never ids."""

    def __init__(self, ledger: Ledger) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "stillhouse_http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "stillhouse_http_request_duration_seconds",
            "From the first byte of the request to the last of the response.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.streams = Gauge("stillhouse_sse_connections", "Event streams that are open now.", registry=self.registry)
        self.waits = Gauge("stillhouse_long_polls", "Long polls that are open now.", registry=self.registry)
        self.submissions = Counter(
            "stillhouse_submissions",
            "Accepted submissions: created, twin of an active job, cached result, replayed key.",
            ("outcome",),
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)
        self.registry.register(FAILURES)
        self.registry.register(LedgerCollector(ledger))

    async def counted(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The stream, counted among the open ones while it is read."""
        with self.streams.track_inprogress():
            async for chunk in stream:
                yield chunk


@final
class LedgerCollector(Collector):
    """Gauges read from the ledger at every scrape, so that they are right whichever process is asked."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def describe(self) -> list[GaugeMetricFamily]:
        """The names, without asking the ledger: registering must not need a database."""
        return [_jobs(), _workers(), _damaged()]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges now."""
        jobs = _jobs()
        for status, count in self._ledger.counts().items():
            jobs.add_metric([status], count)
        yield jobs
        workers = _workers()
        workers.add_metric([], len(self._ledger.workers()))
        yield workers
        damaged = _damaged()
        damaged.add_metric([], len(self._ledger.keeping.damaged()))
        yield damaged


def _jobs() -> GaugeMetricFamily:
    return GaugeMetricFamily("stillhouse_jobs", "Jobs by status.", labels=("status",))


def _workers() -> GaugeMetricFamily:
    return GaugeMetricFamily("stillhouse_workers", "Workers that have been heard of lately.", labels=())


def _damaged() -> GaugeMetricFamily:
    return GaugeMetricFamily("stillhouse_damaged_files", "Stored files that are not what they were.", labels=())
