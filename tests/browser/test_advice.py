"""The page of advice: asked, watched while it is measured, answered, and told what is wrong."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.api.test_advice import publish
from tests.browser.browsing import Service, faults, visit
from tests.core.test_advice import REAL, gained, measured


def test_advice_is_asked_for_watched_and_answered(chromium: Browser, service: Service, tmp_path: Path) -> None:
    """The worker's part is done by hand; the page follows without a reload."""
    shop, told = service.server.workshop, dict[str, list[str]]()
    with visit(chromium, service.server.url, "422") as watched:
        page = watched.page
        page.goto("/advice")
        expect(page.get_by_text("Nothing was measured yet")).to_be_visible()
        told["unmeasured"] = faults(page, "advice-none")
        page.get_by_role("button", name="Measure").click()
        line = page.locator("#answer [role=status]")
        expect(line).to_contain_text("Place 1 in the queue")
        (job,) = service.client.get("/v1/jobs?method=advice").json()["items"]
        claim = shop.start(job["id"])
        assert shop.ledger.record(claim, progress={"phase": "evaluating", "done": 3, "total": 12})
        expect(page.locator("#answer progress")).to_have_attribute("value", re.compile(r"3(\.0)?"))
        page.emulate_media(color_scheme="dark")
        told["measured"] = faults(page, "advice-now")
        publish(shop, job["id"], tmp_path / "advice", measured(REAL, gained(REAL, 0.5, 0.05), smallest=125))
        expect(page.locator("#verdict")).to_be_visible()
        expect(page.locator("#curves path.line").first).to_be_attached()
        told["answered"] = faults(page, "advice")

        page.get_by_label("Question").select_option("accuracy")
        page.get_by_label("Images a class, percent, or bytes").fill("80 %")
        page.get_by_role("button", name="Ask").click()
        expect(page.get_by_role("heading", name="Distilled images that reach it")).to_be_visible()
        page.get_by_label("Images a class, percent, or bytes").fill("many")
        page.get_by_role("button", name="Ask").click()
        expect(page.locator("#answer .notice.bad")).to_be_visible()
        page.emulate_media(color_scheme="light")
        told["wrong"] = faults(page, "advice-wrong")
        page.goto("/new?dataset=digits&method=random&ipc=3")
        expect(page.locator("#curves path.line").first).to_be_attached()
        page.locator("#worth").scroll_into_view_if_needed()
        told["new"] = faults(page, "new-curves")
    service.client.delete(f"/v1/jobs/{job['id']}")
    assert {state: each for state, each in told.items() if each} == {}
