"""Words that are longer than a telephone is wide."""

from __future__ import annotations

from playwright.sync_api import Browser

from tests.api.workshop import ERROR
from tests.browser.browsing import Service, visit
from tests.data.archives import classes, packed
from tests.stillhouse.running import until


def test_long_words_fit_a_telephone(chromium: Browser, service: Service, stopped: str) -> None:
    """An address in an error message, the title of an upload, its id: none has a place to break."""
    workshop, word = service.server.workshop, "x" * 80
    with visit(chromium, service.server.url) as watched:
        sent = workshop.client.post(
            "/v1/datasets",
            content=packed(classes(5)),
            params={"name": word},
            headers={"Content-Type": "application/zip"},
        )
        name = sent.json()["name"]
        until(lambda: workshop.client.get(f"/v1/datasets/{name}").json()["state"] == "ready", "it is inspected")
        jobs = [workshop.submit(dataset=name, ipc=1) for _ in range(2)]
        problem = {"code": "dataset_unavailable", "message": f"Put https://example.org/{word}/{word}.npz there."}
        assert workshop.ledger.fail(workshop.start(jobs[0]), ERROR | problem)
        page, wide = watched.page, {}
        page.set_viewport_size({"width": 320, "height": 700})
        hook = {"url": f"https://example.org/{word}/{word}"}
        webhook = workshop.client.post("/v1/webhooks", json=hook).json()["id"]
        workshop.client.post(f"/v1/webhooks/{webhook}/test")
        compared = f"/compare?job={jobs[0]}&job={jobs[1]}"
        for address in (
            "/",
            f"/jobs/{jobs[0]}",
            f"/jobs/{jobs[1]}",
            f"/new?dataset={name}",
            "/uploads",
            "/webhooks",
            compared,
        ):
            page.goto(address)
            wide[address] = page.evaluate("document.documentElement.scrollWidth")
            spilt = "e => [...document.querySelectorAll('.choice span')].filter(e => e.scrollWidth > e.clientWidth + 1)"
            assert page.evaluate(f"({spilt})().length") == 0, address
        assert {address: width for address, width in wide.items() if width > 320} == {}


def test_long_names_of_jobs_fit_every_screen(chromium: Browser, service: Service) -> None:
    """Names are sentences of people, or one word of theirs, and a comparison has several of them side by side."""
    workshop, wide = service.server.workshop, {}
    names = {
        21: "what the second ward asked for, " * 3,
        22: "the_second_ward_" * 5,
        23: "what the first asked for, " * 3,
    }
    jobs = [workshop.submit(method="herding", ipc=ipc, metadata={"name": name}) for ipc, name in names.items()]
    with visit(chromium, service.server.url) as watched:
        page = watched.page
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 800})
            for address in ("/", f"/jobs/{jobs[0]}", f"/compare?{'&'.join(f'job={job}' for job in jobs)}"):
                page.goto(address)
                wide[address, width] = page.evaluate("document.documentElement.scrollWidth")
    for job in jobs:
        workshop.client.post(f"/v1/jobs/{job}/cancel")
    assert {place: width for place, width in wide.items() if width > place[1]} == {}
