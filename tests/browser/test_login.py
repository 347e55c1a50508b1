"""A service that asks for keys."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, expect

from tests.api.serving import serving
from tests.browser.browsing import Service, keep, visit
from tests.services import free_port


def test_people_log_in_see_nobody_elses_job_and_log_out(chromium: Browser, service: Service, stopped: str) -> None:
    settings = service.settings.model_copy(update={"auth": "keys", "port": free_port()})
    with (
        serving(settings, service.artifact) as server,
        visit(chromium, server.url, "401") as alice,
        visit(chromium, server.url, "404") as bob,
    ):
        mine = {}
        for name, page in (("alice", alice.page), ("bob", bob.page)):
            _, secret = server.workshop.ledger.keys.create(name, "laptop")
            page.goto("/new?dataset=digits&method=herding&ipc=1")
            expect(page).to_have_url(re.compile("/login"))
            if name == "alice":
                page.get_by_label("Key", exact=True).fill(f"{secret[:-1]}?")
                page.get_by_role("button", name="Log in").click()
                expect(page.get_by_role("alert")).to_contain_text("none of ours")
                keep(page, "login")
            page.get_by_label("Key", exact=True).fill(secret)
            page.keyboard.press("Enter")
            expect(page).to_have_url(re.compile("/new.*herding"))
            page.get_by_role("button", name="Distil").click()
            expect(page).to_have_url(re.compile("/jobs/job_"))
            page.get_by_role("button", name="Cancel").click()
            expect(page.locator("#now .status")).to_have_text("cancelled")  # by an event, which the cookie lets through
            mine[name] = page.url.rpartition("/")[2]
        for name, page in (("alice", alice.page), ("bob", bob.page)):
            page.goto("/")
            listed = page.locator("tr[data-job]").evaluate_all("all => all.map(each => each.dataset.job)")
            assert listed == [mine[name]]
        bob.page.goto(f"/jobs/{mine['alice']}")
        expect(bob.page.locator("main")).to_contain_text("404")
        page = alice.page
        page.goto("/keys")
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.evaluate(
            "[...document.querySelectorAll('main *')].every(e => e.scrollWidth <= e.clientWidth + 1 || "
            "getComputedStyle(e).overflowX !== 'auto')"
        ), "no table scrolls by itself"
        page.locator("#name").fill("to be revoked")
        page.get_by_role("button", name="Make the key").click()
        page.goto("/keys")
        sure = page.get_by_role("button", name="Revoke to be revoked for good")
        expect(sure).to_be_hidden()  # one click only asks
        page.locator("tr", has_text="to be revoked").locator("summary").click()
        keep(page, "revoke-390")
        sure.click()
        expect(page.locator("tr", has=page.get_by_role("rowheader", name="to be revoked"))).to_contain_text("revoked 2")
        page.set_viewport_size({"width": 1280, "height": 900})
        page.get_by_role("button", name="Log out").click()
        expect(alice.page).to_have_url(re.compile("/login"))
        alice.page.goto(f"/jobs/{mine['alice']}")
        expect(alice.page).to_have_url(re.compile("/login"))


def test_a_page_that_is_open_when_its_session_ends_leads_to_the_way_in(chromium: Browser, service: Service) -> None:
    settings = service.settings.model_copy(update={"auth": "keys", "port": free_port()})
    with serving(settings, service.artifact) as server, visit(chromium, server.url, "401") as found:
        key, secret = server.workshop.ledger.keys.create("carol", "laptop")
        page = found.page
        page.goto("/")
        page.get_by_label("Key", exact=True).fill(secret)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
        server.workshop.ledger.keys.revoke(key.id)
        expect(page).to_have_url(re.compile("/login.*next=%2F"))  # by itself
