"""Jobs beside each other."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.browsing import Service, Watched, keep, scrubber


def test_jobs_are_chosen_compared_and_scrubbed_together(
    watched: Watched, service: Service, finished: str, stopped: str
) -> None:
    shop, page = service.server.workshop, watched.page
    other = shop.submit(method="herding")
    shop.client.post(f"/v1/jobs/{other}/cancel")
    page.goto("/")
    for job_id in (finished, stopped, other):
        page.locator(f"#pick-{job_id}").check()
    page.get_by_role("button", name="Compare selected").click()
    expect(page.locator("tbody tr").first).to_contain_text("herding")  # as in the list, newest first
    expect(page.locator("figure.panel")).to_have_count(2)
    expect(page.get_by_text("1. digits herding ipc 1 has no picture.")).to_be_visible()
    shown = page.locator("figure [data-shown]")
    expect(shown).to_have_text([re.compile("step"), "step 60"])
    films = [
        page.locator(f"#film-{place} a").evaluate_all("all => all.map(each => Number(each.dataset.step))")
        for place in (1, 2)
    ]
    steps = sorted({step for film in films for step in film})
    slider = scrubber(page)
    slider.press("Home")
    expect(shown).to_have_text(["step 0", "step 0"])
    for step in steps[1:16]:
        slider.press("ArrowRight")
        # A job without a picture of this step shows the one before.
        before = [max(each for each in film if each <= step) for film in films]
        expect(shown).to_have_text([*(f"step {each:,}" for each in before)])
    slider.press("End")
    expect(shown).to_have_text([f"step {films[0][-1]:,}", "step 60"])
    for frame in page.locator(".frame:not([hidden])").all():
        expect(frame).not_to_have_js_property("naturalWidth", 0)
    expect(page.locator("#curve-validation_accuracy .legend")).to_contain_text("as many random real images")
    keep(page, "compare")
    page.get_by_role("link", name="Method", exact=True).click()
    expect(page).to_have_url(re.compile("sort=method"))
    expect(page.locator(".sorts tbody tr").nth(2)).to_contain_text("herding")


def test_recipes_differ_by_the_fields_that_do(watched: Watched, finished: str, stopped: str) -> None:
    page = watched.page
    page.goto(f"/compare?job={finished}&job={stopped}")
    rows = page.locator(".differ tbody tr")
    expect(rows.filter(has_text="schedule.steps")).to_have_text(re.compile(r"schedule\.steps\s*60\s*5000"))
    expect(rows.filter(has_text="seed")).to_be_visible()
    expect(rows.filter(has_text="network.width")).to_have_count(0)  # of which both have the same
    page.set_viewport_size({"width": 390, "height": 844})
    accuracy = page.locator(".sorts [data-title=Accuracy]").first
    box = accuracy.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 390, "in sight on a telephone"
    page.get_by_role("link", name="Accuracy", exact=True).click()  # which can sort there, too
    expect(page).to_have_url(re.compile("sort=accuracy"))
