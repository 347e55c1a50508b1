"""Behind PgBouncer in transaction mode, where the next transaction of a connection may be another server's."""

from __future__ import annotations

import collections
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fastapi.testclient import TestClient
from sqlalchemy import make_url

from api.app import create_app
from core.ledger import Ledger
from core.settings import Settings
from tests import services
from tests.api.workshop import LONG, request

SUBMISSIONS, CLIENTS, WORKERS = 150, 8, 3


def test_jobs_are_submitted_and_worked_at_through_a_pooler(postgres: services.Postgres, tmp_path: Path) -> None:
    with services.pooler(postgres) as port:
        url = make_url(postgres.url(postgres.create())).set(port=port).render_as_string()
        ledger, over = Ledger(url), threading.Event()

        def work(worker: int) -> int:
            """Take and report jobs as a worker does; returns how many."""
            done = 0
            while not over.is_set():
                if claim := ledger.claim(f"worker-{worker}", LONG):
                    assert ledger.record(claim, phase="distilling", events=[("metric", {"step": 0})])
                    done += 1
            return done

        with (
            TestClient(create_app(Settings(home=tmp_path, database_url=url)), raise_server_exceptions=False) as client,
            ThreadPoolExecutor(CLIENTS + WORKERS) as people,
        ):
            workers = [people.submit(work, worker) for worker in range(WORKERS)]
            asked = [people.submit(client.post, "/v1/jobs", json=request()) for _ in range(SUBMISSIONS)]
            answers = collections.Counter(answer.result().status_code for answer in asked)
            over.set()
            taken = sum(worker.result() for worker in workers)
            assert client.get("/readyz").json()["ready"]
        assert answers == {202: SUBMISSIONS}
        assert ledger.counts()["running"] == taken > 0
        ledger.close()
