"""The catalogue of methods."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, expect

from core import methods
from tests.browser.browsing import Service, Watched, keep, visit


def test_methods_are_searched_while_one_types(watched: Watched) -> None:
    page = watched.page
    page.goto("/methods")
    entries = page.locator("article.method:visible")
    expect(entries).to_have_count(len(methods.all_names()))
    search = page.get_by_label("Search the methods")
    search.press_sequentially("cazenavette traj")
    expect(page.locator("#found")).to_have_text(re.compile(rf"\d+ of {len(methods.all_names())} methods"))
    expect(page.locator("article[aria-labelledby=mtt]")).to_be_visible()
    expect(page.locator("article[aria-labelledby=herding]")).to_be_hidden()
    expect(page.locator("#family-selection")).to_be_hidden()
    shown = entries.count()
    keep(page, "methods-searched")
    page.reload()
    expect(entries).to_have_count(shown)  # the server finds the same
    search.fill("")
    expect(entries).to_have_count(len(methods.all_names()))
    assert "?" not in page.url


def test_without_scripts_the_button_searches(chromium: Browser, service: Service) -> None:
    with visit(chromium, service.server.url, scripts=False) as found:
        page = found.page
        page.goto("/methods")
        page.get_by_label("Search the methods").fill("mtt")
        page.get_by_role("button", name="Search").click()
        expect(page.locator("article[aria-labelledby=mtt]")).to_be_visible()
        expect(page.locator("article[aria-labelledby=herding]")).to_be_hidden()
