"""The list of jobs."""

from __future__ import annotations

import re
from datetime import timedelta

from playwright.sync_api import expect
from sqlalchemy import insert, inspect

from api.dashboard.jobs import SHOWN
from core.ledger.models import JobRow
from tests.browser.browsing import Service, Watched, keep


def test_five_hundred_jobs_are_listed_live(watched: Watched, service: Service, finished: str) -> None:
    ledger = service.server.workshop.ledger
    with ledger.database.write() as session:
        job = session.get_one(JobRow, finished)
        same = {each.key: getattr(job, each.key) for each in inspect(JobRow).column_attrs}
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


def test_jobs_are_found_by_their_words_and_sorted(watched: Watched, service: Service, finished: str) -> None:
    shop, page = service.server.workshop, watched.page
    words = {"name": "Baseline of the week", "commit": "3f2c1a9"}
    jobs = [shop.submit(method="herding", ipc=ipc, metadata=words | {"n": str(ipc)}) for ipc in (7, 5)]
    page.goto("/")
    page.locator(f"tr[data-job={jobs[0]}]").get_by_role("link", name="commit 3f2c1a9").click()
    listed = page.locator("tr[data-job]")
    expect(listed).to_have_count(2)
    expect(listed.first).to_contain_text("Baseline of the week")
    page.get_by_label("Order").select_option(label="Fewest images first")  # at once, without the button
    expect(page).to_have_url(re.compile("sort=ipc"))
    expect(listed).to_have_count(2)
    expect(listed.first).to_have_attribute("data-job", jobs[1])
    page.get_by_role("link", name="Stop asking for commit 3f2c1a9").click()
    expect(page).not_to_have_url(re.compile("tag="))
    page.get_by_label("Order").select_option(label="Most accurate first")
    expect(listed.first.locator(".accuracy")).to_contain_text("%")
    page.get_by_label("Search names").fill("line of the w")
    page.get_by_label("Search names").press("Enter")
    expect(listed).to_have_count(2)
    listed.first.get_by_role("link", name="Baseline of the week").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Baseline of the week")
    for job_id in jobs:
        shop.client.post(f"/v1/jobs/{job_id}/cancel")
