"""The list of jobs."""

from __future__ import annotations

from datetime import timedelta

from playwright.sync_api import expect
from sqlalchemy import insert

from api.dashboard.jobs import SHOWN
from core.ledger.models import JobRow
from tests.browser.browsing import Service, Watched, keep


def test_five_hundred_jobs_are_listed_live(watched: Watched, service: Service, finished: str) -> None:
    ledger = service.server.workshop.ledger
    with ledger.database.write() as session:
        job = session.get_one(JobRow, finished)
        same = {column.name: getattr(job, column.name) for column in JobRow.__table__.columns}
        same |= {"fingerprint": None, "created_at": job.created_at - timedelta(days=1)}
        session.execute(insert(JobRow), [same | {"id": f"{finished[:-5]}{place:05}"} for place in range(500)])
    page = watched.page
    page.goto("/")
    expect(page.locator("tr[data-job]")).to_have_count(SHOWN)
    weight = page.evaluate(
        "performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'))"
        ".reduce((sum, each) => sum + each.decodedBodySize, 0)"
    )
    assert weight < 150_000
    new = service.server.workshop.submit(method="herding", ipc=3)
    expect(page.locator(f"tr[data-job={new}]")).to_be_visible()  # by itself
    keep(page, "jobs")
    page.get_by_role("button", name=f"Cancel {new}").click()
    expect(page.locator(f"tr[data-job={new}] .status")).to_have_text("cancelled")
    page.get_by_role("link", name="Older").click()
    expect(page.locator("tr[data-job]")).to_have_count(SHOWN)
