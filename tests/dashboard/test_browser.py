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
from playwright.sync_api import Browser, Locator, Page, expect
from sqlalchemy import text

from api.dashboard.jobs import SHOWN
from core.artifacts import verify
from core.ledger.models import JobRow
from core.settings import Settings
from tests.api.serving import serving
from tests.dashboard import browsing
from tests.dashboard.browsing import LONG, Service, Watched, keep, visit
from tests.data.archives import classes, packed
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
expect.set_options(timeout=LONG)


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


@pytest.fixture
def watched(chromium: Browser, service: Service) -> Iterator[Watched]:
    """A fresh page; at its end nobody may have complained, a network that was away aside."""
    with visit(chromium, service.server.url, "net::ERR_") as found:
        yield found


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
    said = page.locator("#curve-loss desc").text_content()
    page.reload()
    assert page.locator("#curve-loss desc").text_content() == said, "what grew is described as what was there"
    context.close()
    return job_id


@pytest.fixture(scope="module")
def stopped(service: Service, chromium: Browser, finished: str) -> str:
    """The id of a job that was watched through a restart of the service, and then cancelled."""
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
    return str(job["id"])


def test_the_images_are_watched_as_they_form(watched: Watched, finished: str, tmp_path: Path) -> None:
    page = watched.page
    page.goto(f"/jobs/{finished}")
    steps = [int(step) for step in page.locator("#film a").evaluate_all("all => all.map(each => each.dataset.step)")]
    assert steps[0] == 0
    assert steps[-1] == 60
    assert len(steps) <= 26
    assert steps == sorted(steps)
    last = page.locator("#frame").get_attribute("src")
    scrubber(page).press("Home")
    expect(page.locator("#step")).to_have_text("step 0")
    assert page.locator("#frame").get_attribute("src") != last
    expect(page.locator("#frame")).to_have_js_property("complete", True)
    expect(page.locator("#frame")).to_have_js_property("naturalWidth", 10 * 9 - 1)
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


def test_a_job_that_was_watched_through_a_restart_is_cancelled(service: Service, stopped: str) -> None:
    assert service.ended(stopped) == "cancelled"


def scrubber(page: Page) -> Locator:
    """The slider of the pictures, once the script that moves it has shown it: keys sent before meet nothing."""
    slider = page.locator("#scrub")
    expect(slider).to_be_visible()
    return slider


def test_jobs_are_chosen_compared_and_scrubbed_together(
    watched: Watched, service: Service, finished: str, stopped: str, tmp_path: Path
) -> None:
    shop, page = service.server.workshop, watched.page
    other = shop.submit(method="herding")
    shop.client.post(f"/v1/jobs/{other}/cancel")
    page.goto("/")
    for job_id in (finished, stopped, other):
        page.locator(f"#pick-{job_id}").check()
    page.get_by_role("button", name="Compare selected").click()
    expect(page.locator("tbody tr").first).to_contain_text("herding")  # as in the list, newest first
    expect(page.locator("figure.panel")).to_have_count(3)
    shown = page.locator("figure [data-shown]")
    expect(shown).to_have_text(["", re.compile("step"), "step 60"])
    films = [
        page.locator(f"#film-{place} a").evaluate_all("all => all.map(each => Number(each.dataset.step))")
        for place in (2, 3)
    ]
    steps = sorted({step for film in films for step in film})
    slider = scrubber(page)
    slider.press("Home")
    expect(shown).to_have_text(["", "step 0", "step 0"])
    for step in steps[1:16]:
        slider.press("ArrowRight")
        # A job without a picture of this step shows the one before.
        before = [max(each for each in film if each <= step) for film in films]
        expect(shown).to_have_text(["", *(f"step {each:,}" for each in before)])
    slider.press("End")
    expect(shown).to_have_text(["", f"step {films[0][-1]:,}", "step 60"])
    for frame in page.locator(".frame:not([hidden])").all():
        expect(frame).not_to_have_js_property("naturalWidth", 0)
    expect(page.locator("#curve-validation_accuracy .legend")).to_contain_text("as many random real images")
    keep(page, "compare", tmp_path)
    page.get_by_role("link", name="Method", exact=True).click()
    expect(page).to_have_url(re.compile("sort=method"))
    expect(page.locator("tbody tr").nth(2)).to_contain_text("herding")


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
        if name not in ("job", "jobs", "compare"):  # which other tests keep, with something to see
            keep(page, name, tmp_path)
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


def test_a_bad_zip_is_told_of_beside_the_form(watched: Watched, finished: str, tmp_path: Path) -> None:
    page = watched.page
    page.goto("/uploads")
    bad = packed(classes() | {"cat/model.pkl": b"\x80\x04."})
    page.get_by_label("File").set_input_files({"name": "pets.zip", "mimeType": "application/zip", "buffer": bad})
    expect(page.get_by_label("Name")).to_have_value("pets")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.locator("#told h2")).to_have_text("pets cannot be used")
    expect(page.locator("#told p")).to_contain_text("no picture that is read")
    keep(page, "uploads", tmp_path)


def test_people_log_in_see_nobody_elses_job_and_log_out(
    chromium: Browser, service: Service, finished: str, tmp_path: Path
) -> None:
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
                keep(page, "login", tmp_path)
            page.get_by_label("Key", exact=True).fill(secret)
            page.keyboard.press("Enter")
            expect(page).to_have_url(re.compile("/new.*herding"))
            page.get_by_role("button", name="Submit the job").click()
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
        alice.page.get_by_role("button", name="Log out").click()
        expect(alice.page).to_have_url(re.compile("/login"))
        alice.page.goto(f"/jobs/{mine['alice']}")
        expect(alice.page).to_have_url(re.compile("/login"))


def test_without_scripts_jobs_are_read_submitted_and_cancelled(
    chromium: Browser, service: Service, finished: str
) -> None:
    with visit(chromium, service.server.url, scripts=False) as found:
        page = found.page
        page.goto("/?q=" + finished)
        page.locator(f"tr[data-job={finished}]").get_by_role("link").first.click()
        expect(page.locator("#report .figure").first).to_contain_text("%")
        expect(page.locator("#curve-loss path.line")).to_have_attribute("d", re.compile("^M"))
        expect(page.locator("#frame")).to_have_js_property("naturalWidth", 10 * 9 - 1)
        page.locator("#all-film > summary").click()
        expect(page.locator("#film img").nth(20)).to_be_attached()
        for useless in ("#scrub", "#play", "#theme"):
            expect(page.locator(useless)).to_be_hidden()
        page.get_by_role("link", name="Duplicate with changes").click()
        page.locator("#ipc").fill("5000")
        page.get_by_role("button", name="Check and price").click()
        expect(page.locator("#fault-ipc")).to_contain_text("125")
        page.locator("#ipc").fill("3")
        page.get_by_role("button", name="Submit the job").click()
        expect(page).to_have_url(re.compile("/jobs/job_"))
        page.get_by_role("button", name="Cancel").click()
        assert service.ended(page.url.rpartition("/")[2]) == "cancelled"
