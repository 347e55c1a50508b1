"""The dashboard in a real browser, before the real service with a real engine on `digits`."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import text

from api.dashboard.jobs import SHOWN
from core.artifacts import verify
from core.ledger.models import JobRow
from core.settings import Settings
from tests.dashboard import browsing
from tests.dashboard.browsing import Service, keep
from tests.services import free_port

pytestmark = pytest.mark.slow

TINY: dict[str, Any] = {
    "dataset": "digits",
    "ipc": 2,
    "method": "dm",
    "overrides": {"network.width": 8, "schedule.steps": 60},
    "evaluation": {"seeds": 2, "epochs": 10, "full.epochs": 1, "look_every": 15, "baseline_lrs": [0.01]},
}
ENDLESS = TINY | {"overrides": TINY["overrides"] | {"schedule.steps": 5_000}, "seed": 1}
LONG = 30_000.0
"""Milliseconds until something must have happened that takes seconds on a quiet machine."""

expect.set_options(timeout=LONG)

REFUSED = "net::ERR_"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser, for all tests of this file."""
    with browsing.browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, artifact: Path) -> Iterator[Service]:
    """The service, for all tests of this file."""
    folder = tmp_path_factory.mktemp("browser")
    settings = Settings(home=folder / "home", port=free_port(), device="cpu", broker_url=None, database_url=None)
    with Service.running(settings, artifact, folder) as service:
        yield service


class Watched:
    """A page of the browser, and what its console complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))


@pytest.fixture
def watched(chromium: Browser, service: Service) -> Iterator[Watched]:
    """A fresh page; at its end nobody may have complained, a network that was away aside."""
    context = chromium.new_context(base_url=service.server.url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(LONG)
    found = Watched(context.new_page())
    yield found
    context.close()
    assert [said for said in found.complaints if REFUSED not in said] == []


@pytest.fixture(scope="module")
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
    context.close()
    return job_id


def test_the_images_are_watched_as_they_form(watched: Watched, finished: str, tmp_path: Path) -> None:
    page = watched.page
    page.goto(f"/jobs/{finished}")
    steps = [int(step) for step in page.locator("#film a").evaluate_all("all => all.map(each => each.dataset.step)")]
    assert steps[0] == 0
    assert steps[-1] == 60
    assert len(steps) <= 26
    assert steps == sorted(steps)
    last = page.locator("#frame").get_attribute("src")
    page.locator("#scrub").focus()
    page.keyboard.press("Home")
    expect(page.locator("#step")).to_have_text("step 0")
    assert page.locator("#frame").get_attribute("src") != last
    page.wait_for_function("document.getElementById('frame').complete")
    assert page.locator("#frame").evaluate("image => image.naturalWidth") == 10 * 9 - 1
    page.get_by_role("button", name="Play").click()
    expect(page.locator("#step")).to_have_text("step 60")
    keep(page, "job", tmp_path)


def test_what_is_downloaded_is_what_was_promised(
    watched: Watched, service: Service, finished: str, tmp_path: Path
) -> None:
    page = watched.page
    page.goto(f"/jobs/{finished}")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download dataset.npz").click()
    content = Path(download.value.path()).read_bytes()
    row = page.get_by_role("row", name=re.compile("^dataset.npz"))
    assert hashlib.sha256(content).hexdigest() == row.locator(".sha").inner_text()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download everything").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        archive.extractall(tmp_path / "artifact")
    assert verify(tmp_path / "artifact") == []


def test_two_jobs_are_chosen_and_compared(watched: Watched, service: Service, finished: str, tmp_path: Path) -> None:
    other = service.server.workshop
    claimed = other.submit(method="herding")
    other.client.post(f"/v1/jobs/{claimed}/cancel")
    page = watched.page
    page.goto("/")
    for job_id in (finished, claimed):
        page.locator(f"#pick-{job_id}").check()
    page.get_by_role("button", name="Compare selected").click()
    expect(page.locator("tbody tr").first).to_contain_text("herding")  # as in the list, newest first
    expect(page.locator("figure.panel")).to_have_count(2)
    page.get_by_role("link", name="Method", exact=True).click()
    expect(page).to_have_url(re.compile("sort=method"))
    expect(page.locator("tbody tr").first).to_contain_text("dm")
    keep(page, "compare", tmp_path)


def test_a_restart_is_survived_and_a_job_cancelled(watched: Watched, service: Service, finished: str) -> None:
    job = service.client.post("/v1/jobs", json=ENDLESS).json()
    page = watched.page
    page.goto(f"/jobs/{job['id']}")
    points = page.locator("#curve-loss tbody tr")
    expect(points.nth(1)).to_be_attached()
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
    assert service.ended(job["id"]) == "cancelled"


def test_faults_appear_beside_their_fields_while_typing(watched: Watched, service: Service, finished: str) -> None:
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


def addresses(finished: str, service: Service) -> dict[str, str]:
    """A page of every sort."""
    other = service.server.workshop.ledger.jobs(limit=2)
    several = "&".join(f"job={job.id}" for job in other)
    names = ("new", "datasets", "methods", "system", "problems")
    return {"jobs": "/", "job": f"/jobs/{finished}", "compare": f"/compare?{several}"} | {n: f"/{n}" for n in names}


def test_every_page_is_accessible_fits_a_telephone_and_keeps_its_policy(
    watched: Watched, service: Service, finished: str, tmp_path: Path
) -> None:
    page, found = watched.page, {}
    for name, address in addresses(finished, service).items():
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
        page.set_viewport_size({"width": 320, "height": 700})
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 320:
            found[name].append(f"is {width} pixels wide where 320 are")
        keep(page, f"{name}-320", tmp_path)
        page.set_viewport_size({"width": 1280, "height": 900})
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_colours_are_chosen_and_remembered(watched: Watched, finished: str) -> None:
    page = watched.page
    page.emulate_media(color_scheme="light")
    page.goto("/")
    page.get_by_role("button", name="Switch to dark colours").click()
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 17, 19)"


def test_five_hundred_jobs_are_listed_live(watched: Watched, service: Service, finished: str, tmp_path: Path) -> None:
    columns = [column.name for column in JobRow.__table__.columns if column.name not in ("id", "fingerprint")]
    copied = ", ".join(columns)
    statement = f"""
        INSERT INTO jobs (id, {copied})
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
        SELECT substr(id, 1, length(id) - 5) || printf('%05d', i), {copied} FROM jobs, n WHERE id = :id
    """
    with service.server.workshop.ledger.database.write() as session:
        session.execute(text(statement), {"id": finished})
    page = watched.page
    page.goto("/")
    expect(page.locator("tr[data-job]")).to_have_count(SHOWN)
    weight = page.evaluate(
        "performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'))"
        ".reduce((sum, each) => sum + each.decodedBodySize, 0)"
    )
    assert weight < 150_000
    new = service.server.workshop.submit(method="herding", ipc=3)
    expect(page.locator(f"tr[data-job={new}]")).to_be_visible()  # by itself
    keep(page, "jobs", tmp_path)
    page.get_by_role("button", name=f"Cancel {new}").click()
    expect(page.locator(f"tr[data-job={new}] .status")).to_have_text("cancelled")
    page.get_by_role("link", name="Older").click()
    expect(page.locator("tr[data-job]")).to_have_count(SHOWN)
