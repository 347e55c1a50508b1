"""Rules for every page."""

from __future__ import annotations

from tests.browser.browsing import Watched, faults


def test_every_page_is_accessible_fits_a_telephone_and_keeps_its_policy(
    watched: Watched, finished: str, stopped: str
) -> None:
    page, found = watched.page, {}
    names = ("new", "datasets", "methods", "system", "webhooks", "problems")
    addresses = {"jobs": "/", "job": f"/jobs/{finished}", "compare": f"/compare?job={stopped}&job={finished}"}
    for name, address in (addresses | {name: f"/{name}" for name in names}).items():
        page.emulate_media(color_scheme="dark" if len(found) % 2 else "light")
        response = page.goto(address)
        assert response is not None
        assert "script-src" not in (policy := response.headers["content-security-policy"])
        assert "default-src 'self'" in policy
        found[name] = faults(page, name if name not in ("job", "jobs", "compare") else f"{name}-any")
    assert {name: told for name, told in found.items() if told} == {}


def test_colours_are_chosen_and_remembered(watched: Watched) -> None:
    page = watched.page
    page.emulate_media(color_scheme="light")
    page.goto("/")
    page.get_by_role("button", name="Switch to dark colours").click()
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 17, 19)"
