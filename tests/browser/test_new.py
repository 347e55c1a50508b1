"""The form of a new job."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.browsing import Watched


def test_faults_appear_beside_their_fields_while_typing(watched: Watched) -> None:
    page = watched.page
    page.goto("/new?dataset=digits&method=mtt&ipc=1")
    page.locator("#ipc").fill("5000")
    expect(page.locator("#fault-ipc")).to_contain_text("125")
    expect(page.locator("#ipc")).to_have_attribute("aria-invalid", "true")
    page.locator("#ipc").fill("10")
    expect(page.locator("#fault-ipc")).to_be_empty()
    expect(page.locator("#command")).to_contain_text("--ipc 10")
    page.locator("#part-schedule > summary").click()
    page.locator('[id="recipe.schedule.steps"]').fill("12")
    expect(page.locator("#command")).to_contain_text("--set schedule.steps=12")
    page.get_by_text("Gradient", exact=True).click()
    page.get_by_role("radio", name=re.compile("^dsa")).check()
    expect(page.locator('[id="recipe.objective.batch_size"]')).to_be_attached()
    expect(page.locator("#command")).to_contain_text("--method dsa --set schedule.steps=12")  # what was typed stays
