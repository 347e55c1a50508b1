"""Rules for every page."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe

from tests.browser.browsing import Watched, keep

SIDEWAYS = """[...document.querySelectorAll("main *, nav")]
    .filter(each => ["auto", "scroll"].includes(getComputedStyle(each).overflowX))
    .filter(each => !each.closest("details:not([open]), pre") && each.scrollWidth > each.clientWidth + 1)
    .map(each => each.outerHTML.slice(0, 80))"""
"""The elements of a page that scroll sideways by themselves; commands may, and folded ones are not looked at."""


def test_every_page_is_accessible_fits_a_telephone_and_keeps_its_policy(
    watched: Watched, finished: str, stopped: str
) -> None:
    page, found = watched.page, {}
    names = ("new", "datasets", "methods", "system", "problems")
    addresses = {"jobs": "/", "job": f"/jobs/{finished}", "compare": f"/compare?job={stopped}&job={finished}"}
    for name, address in (addresses | {name: f"/{name}" for name in names}).items():
        page.emulate_media(color_scheme="dark" if len(found) % 2 else "light")
        response = page.goto(address)
        assert response is not None
        assert "script-src" not in (policy := response.headers["content-security-policy"])
        assert "default-src 'self'" in policy
        violations = Axe().run(page).response["violations"]
        found[name] = [
            f"{each['id']}: {each['nodes'][0]['html']}"
            for each in violations
            if each["impact"] in ("serious", "critical")
        ]
        if name not in ("job", "jobs", "compare"):  # which other tests keep, with something to see
            keep(page, name)
        page.set_viewport_size({"width": 390, "height": 844})
        if sideways := page.evaluate(SIDEWAYS):
            found[name].append(f"scrolls sideways in {sideways}")
        page.set_viewport_size({"width": 320, "height": 700})
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 320:
            found[name].append(f"is {width} pixels wide where 320 are")
        keep(page, f"{name}-320")
        page.set_viewport_size({"width": 1280, "height": 900})
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_colours_are_chosen_and_remembered(watched: Watched) -> None:
    page = watched.page
    page.emulate_media(color_scheme="light")
    page.goto("/")
    page.get_by_role("button", name="Switch to dark colours").click()
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 17, 19)"
