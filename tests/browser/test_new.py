"""The form of a new job."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, expect

from core.measured_jobs import read
from tests.browser.browsing import Service, Watched, faults, visit


def test_it_shows_what_benchmarks_have_measured(chromium: Browser, service: Service) -> None:
    """The very rows that they wrote, of the dataset and the size that are chosen."""
    digits = [row for row in read() if row.dataset == "digits"]
    ipc = digits[0].ipc
    kept = {(row.within, row.method, row.accuracy, row.n) for row in digits if row.ipc == ipc}
    with visit(chromium, service.server.url) as watched:
        page = watched.page
        page.goto("/new?dataset=digits&ipc=7&method=random")
        page.locator("#ipc").fill(str(ipc))
        shown = page.locator("#measured tbody tr")
        expect(page.locator("#measured caption")).to_contain_text(f"{ipc} image")
        expect(shown).to_have_count(len(kept))
        for within, method, accuracy, n in kept:
            row = shown.filter(has=page.get_by_role("cell", name=re.compile(rf"^{method}\b")), has_text=within)
            expect(row).to_contain_text(f"{100 * accuracy:.1f} ")
            expect(row).to_contain_text(f"n = {n};")
        assert faults(page, "new-measured") == []


def test_an_outcome_is_asked_for_by_its_sliders(watched: Watched) -> None:
    page = watched.page
    page.goto("/new")
    expect(page.locator("#choose")).not_to_have_attribute("open", "")
    widths = "all => all.map(each => each.getBoundingClientRect().width)"
    form, beside, choose = page.locator(".columns.main > *").evaluate_all(widths)
    assert form == choose > beside > 300, "what it costs stands beside what is asked for"
    size, time = page.locator("#slide"), page.locator("#time")
    expect(time).to_have_attribute("aria-valuetext", "20m")
    size.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#size")).to_contain_text("110 images in place of 1,438: 7.0 kB of pixels")
    page.keyboard.press("Tab")
    expect(page.locator("#target")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#share")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#worth a")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#within")).to_be_focused()
    page.keyboard.press("Tab")
    expect(time).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#command")).to_contain_text("--within 10m")
    expect(page.locator("#within")).to_have_value("10m")
    page.locator("#buys").get_by_role("link", name="2m", exact=True).click()
    expect(page.locator("#within")).to_be_focused()
    expect(page.locator("#command")).to_contain_text("--within 2m")
    expect(page).to_have_url(re.compile("/new.dataset=digits&ipc=11&within=2m$"))
    page.keyboard.press("Control+A")
    page.keyboard.type("soon")
    expect(page.locator("#fault-within")).to_contain_text("Write '20m' for twenty minutes")
    expect(page.locator("#choose")).not_to_have_attribute("open", "")
    page.locator("#choose > summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator('[id="fault-recipe.network.width"]')).to_be_attached()
    page.locator("#seed").fill("-1")
    expect(page.locator("#fault-seed")).to_contain_text("at least 0")


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
