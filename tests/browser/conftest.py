"""One Chromium, one real service and two real jobs on `digits`, for the tests of every page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from core.settings import Settings
from tests.api.conftest import _plain_logs, artifact
from tests.browser import browsing
from tests.browser.browsing import LONG, Service, Watched, visit
from tests.services import free_port

__all__ = ["_plain_logs", "artifact"]

TINY: dict[str, Any] = {
    "dataset": "digits",
    "ipc": 2,
    "method": "dm",
    "overrides": {"network.width": 8, "schedule.steps": 60},
    "evaluation": {"seeds": 2, "epochs": 10, "full.epochs": 1, "look_every": 15, "baseline_lrs": [0.01]},
}
ENDLESS = TINY | {"overrides": TINY["overrides"] | {"schedule.steps": 5_000}, "seed": 1}
expect.set_options(timeout=LONG)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here is a slow one."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser, for all tests."""
    with browsing.browser() as browser:
        yield browser


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory, artifact: Path) -> Iterator[Service]:
    """The service, for all tests."""
    folder = tmp_path_factory.mktemp("browser")
    settings = Settings(home=folder / "home", port=free_port(), device="cpu", broker_url=None, database_url=None)
    with Service.running(settings, artifact, folder) as service:
        yield service


@pytest.fixture(scope="package")
def finished(service: Service, chromium: Browser) -> str:
    """The id of the one real job, submitted with the keyboard alone and watched to its end."""
    context = chromium.new_context(base_url=service.server.url)
    context.set_default_timeout(LONG)
    page = context.new_page()
    overrides = {f"recipe.{path}": str(value) for path, value in TINY["overrides"].items()}
    evaluation = {f"recipe.evaluation.{path}": value for path, value in TINY["evaluation"].items()}
    fields = overrides | {path: str(value).replace("'", '"') for path, value in evaluation.items()}
    query = "&".join(f"{name}={value}" for name, value in fields.items())
    page.goto(f"/new?dataset=digits&method=dm&ipc=1&{query}")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "ipc":
            break
    page.keyboard.press("Control+A")
    page.keyboard.type("2")
    expect(page.locator("#size")).to_contain_text("20 images in place of")
    page.keyboard.press("Enter")  # submits, as in any form
    expect(page).to_have_url(re.compile("/jobs/job_"))
    job_id = page.url.rpartition("/")[2]
    request = service.client.get(f"/v1/jobs/{job_id}").json()["request"]
    assert (request["ipc"], request["method"]) == (2, "dm")
    assert request["overrides"]["schedule.steps"] == 60

    service.work()
    expect(page.locator("#now .status")).to_have_text("running")
    expect(page.locator("#curve-loss tbody tr").first).to_be_attached()
    expect(page.locator("#film li").first).to_be_attached()
    expect(page.locator("#now .status")).to_have_text("succeeded")
    expect(page.locator("#report .figure").first).to_contain_text("%")  # without a reload
    expect(page.get_by_role("link", name="Download everything")).to_be_visible()
    said = page.locator("#curve-loss desc").text_content()
    page.reload()
    assert page.locator("#curve-loss desc").text_content() == said, "what grew is described as what was there"
    context.close()
    return job_id


@pytest.fixture(scope="package")
def stopped(service: Service, chromium: Browser, finished: str) -> str:
    """The id of a job that was watched through a restart of the service, and then cancelled; the worker has left.

    From now on a job that is submitted waits, and costs nothing.
    """
    job = service.client.post("/v1/jobs", json=ENDLESS).json()
    with visit(chromium, service.server.url, "net::ERR_") as found:
        page = found.page
        page.goto(f"/jobs/{job['id']}")
        points = page.locator("#curve-loss tbody tr")
        expect(points.nth(1)).to_be_attached()
        expect(page.locator("#film li").first).to_be_attached()
        service.leave()
        expect(page.locator("#link")).to_have_text("Connection lost, trying again")
        before = points.count()
        service.return_()
        expect(page.locator("#link")).to_be_hidden()
        expect(points.nth(before)).to_be_attached()  # the curve goes on
        steps = [float(step) for step in points.evaluate_all("all => all.map(each => each.dataset.x)")]
        assert steps == sorted(set(steps)), "nothing is missing, nothing is there twice"
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator("#now .status")).to_have_text("cancelled")
        expect(page.get_by_role("button", name="Retry")).to_be_visible()
    service.rest()
    return str(job["id"])


@pytest.fixture
def watched(chromium: Browser, service: Service, stopped: str) -> Iterator[Watched]:
    """A fresh page, after both jobs; at its end nobody may have complained, a network that was away aside."""
    with visit(chromium, service.server.url, "net::ERR_") as found:
        yield found
