"""A browser that runs no scripts."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, expect

from tests.browser.browsing import Service, visit


def test_without_scripts_jobs_are_read_submitted_and_cancelled(
    chromium: Browser, service: Service, finished: str, stopped: str
) -> None:
    with visit(chromium, service.server.url, scripts=False) as found:
        page = found.page
        page.goto("/?q=" + finished)
        page.locator(f"tr[data-job={finished}]").get_by_role("link").first.click()
        expect(page.locator("#report .figure").first).to_contain_text("%")
        expect(page.locator("#curve-loss path.line")).to_have_attribute("d", re.compile("^M"))
        expect(page.locator("#frame")).to_have_js_property("naturalWidth", 10 * 9 - 1)
        page.locator("#all-film > summary").click()
        expect(page.locator("#film img").nth(20)).to_be_attached()
        for useless in ("#scrub", "#play", "#theme"):
            expect(page.locator(useless)).to_be_hidden()
        page.get_by_role("link", name="Duplicate with changes").click()
        page.locator("#ipc").fill("5000")
        page.get_by_role("button", name="Check and price").click()
        expect(page.locator("#fault-ipc")).to_contain_text("125")
        page.locator("#ipc").fill("3")
        page.get_by_role("button", name="Distil").click()
        expect(page).to_have_url(re.compile("/jobs/job_"))
        page.get_by_role("button", name="Cancel").click()
        assert service.ended(page.url.rpartition("/")[2]) == "cancelled"
