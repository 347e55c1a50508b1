"""Pages that keep themselves up to date: what is being read stays where it is, and silence is told."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from core.settings import Settings
from tests.api.serving import serving
from tests.browser.browsing import Service, visit
from tests.services import free_port

SELECT = "each => getSelection().selectAllChildren(each)"
SELECTED = "getSelection().toString()"


def test_a_new_job_takes_neither_focus_nor_selection(chromium: Browser, service: Service) -> None:
    workshop = service.server.workshop
    jobs = [workshop.submit(method="herding", ipc=ipc) for ipc in (11, 12)]
    with visit(chromium, service.server.url) as found:
        page = found.page
        page.goto("/")
        row = page.locator(f"tr[data-job={jobs[0]}]")
        row.get_by_role("button", name="Cancel").focus()
        row.locator(".name .mono").evaluate(SELECT)
        page.locator(f"#pick-{jobs[1]}").evaluate("each => { each.checked = true; each.marked = true; }")
        jobs.append(workshop.submit(method="herding", ipc=13))
        expect(page.locator(f"tr[data-job={jobs[2]}]")).to_be_visible()
        workshop.client.post(f"/v1/jobs/{jobs[2]}/cancel")
        expect(page.locator(f"tr[data-job={jobs[2]}] .status")).to_have_text("cancelled")
        expect(row.get_by_role("button", name="Cancel")).to_be_focused()
        assert page.evaluate(SELECTED).strip() == jobs[0]
        assert page.locator(f"#pick-{jobs[1]}").evaluate("each => each.checked && each.marked"), (
            "it is the very same box"
        )
    for job in jobs[:2]:
        workshop.client.post(f"/v1/jobs/{job}/cancel")


def test_the_first_job_of_a_service_can_be_cancelled_where_it_appears(
    chromium: Browser, service: Service, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path, port=free_port(), device="cpu", broker_url=None, database_url=None)
    with serving(settings, service.artifact) as server, visit(chromium, server.url) as found:
        page = found.page
        page.goto("/")
        expect(page.get_by_role("heading", name="Nothing distilled yet")).to_be_visible()
        job = server.workshop.submit(method="herding", ipc=1)
        page.get_by_role("button", name=f"Cancel {job}").click()
        expect(page.locator(f"tr[data-job={job}] .status")).to_have_text("cancelled")
        expect(page.get_by_role("button", name="Compare selected")).to_be_visible()


def test_pages_say_that_the_service_is_gone_and_when_it_is_back(chromium: Browser, service: Service) -> None:
    with (
        visit(chromium, service.server.url, "net::ERR_") as listed,
        visit(chromium, service.server.url, "net::ERR_") as new,
    ):
        listed.page.goto("/system")
        new.page.goto("/new?dataset=digits&method=herding&ipc=1")
        expect(new.page.locator("#size")).to_contain_text("10 images in place of")
        service.leave()
        new.page.locator("#ipc").fill("3")
        for page in (listed.page, new.page):
            expect(page.locator("#away")).to_contain_text("does not answer")
        service.return_()
        for page in (listed.page, new.page):
            expect(page.locator("#away")).to_be_hidden()
        expect(new.page.locator("#size")).to_contain_text("30 images in place of")  # by itself
