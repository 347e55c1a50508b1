"""The page of a job: watched while it runs, its pictures, its downloads."""

from __future__ import annotations

import hashlib
import re
import zipfile
from pathlib import Path

from playwright.sync_api import Browser, expect

from core.artifacts import verify
from tests.browser.browsing import Service, Watched, faults, keep, scrubber, visit


def test_the_images_are_watched_as_they_form(watched: Watched, finished: str) -> None:
    page = watched.page
    page.clock.install()
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
    page.clock.run_for(10_000)
    expect(page.locator("#step")).to_have_text("step 60")
    keep(page, "job")


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


def test_a_finished_job_is_continued_by_its_forms(watched: Watched, service: Service, finished: str) -> None:
    """With more steps and images, and with other labels alone: through the priced form to a job that is queued."""
    page, jobs = watched.page, []
    for begun in ("Distil further", "Only give other labels"):
        page.goto(f"/jobs/{finished}")
        page.get_by_label("Further outer steps").fill("7")
        page.locator("#further-ipc").fill("3")
        page.get_by_role("button", name=begun).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("New job")
        expect(page.locator("#command")).to_contain_text(f"--continue-from {finished}")
        page.get_by_role("button", name="Distil").click()
        expect(page).to_have_url(re.compile("/jobs/job_"))
        jobs.append(service.client.get(page.url.replace("/jobs/", "/v1/jobs/")).json())
        service.client.post(f"/v1/jobs/{jobs[-1]['id']}/cancel")
    further, labels = jobs
    assert (further["method"], further["ipc"], further["recipe"]["schedule"]["steps"]) == ("dm", 3, 7)
    assert further["recipe"]["network"]["width"] == 8
    assert (labels["method"], labels["ipc"], labels["recipe"]["relabel"]["kind"]) == ("random", 2, "soft")
    assert [job["request"]["continue_from"] for job in jobs] == [finished] * 2


def test_a_job_that_was_watched_through_a_restart_is_cancelled(service: Service, stopped: str) -> None:
    assert service.ended(stopped) == "cancelled"


def test_a_job_is_paused_resumed_ended_early_and_deleted(chromium: Browser, service: Service) -> None:
    """Each by a button that says what it did without a reload; what a worker does is done by hand."""
    shop, told = service.server.workshop, dict[str, list[str]]()
    job_id = shop.submit(method="dm")
    assert shop.ledger.record(shop.start(job_id), progress={"phase": "distilling", "done": 5, "total": 20})
    with visit(chromium, service.server.url) as watched:
        page = watched.page
        page.emulate_media(color_scheme="dark")
        page.goto(f"/jobs/{job_id}")
        status, button = page.locator("#now .status"), page.locator("#actions").get_by_role
        button("button", name="Pause").click()
        expect(status).to_have_text("pausing")
        expect(page.locator("#line")).to_contain_text("Saving what there is")
        assert shop.ledger.release(shop.claims.pop(job_id), "it is paused")
        expect(status).to_have_text("paused")
        expect(button("button", name="Pause")).to_have_count(0)
        told["paused"] = faults(page, "paused")
        button("button", name="Resume").click()
        expect(status).to_have_text("queued")
        shop.start(job_id)
        expect(status).to_have_text("running")
        page.emulate_media(color_scheme="light")
        button("button", name="Finish now").click()
        expect(page.locator("#line")).to_contain_text("to end with what there is")
        expect(button("button", name="Finish now")).to_have_count(0)
        told["finishing"] = faults(page, "finishing")
        shop.succeed(job_id)
        expect(status).to_have_text("succeeded")
        expect(page.locator("#report .figure").first).to_have_text(re.compile("64.0 %"))
        expect(button("link", name="Download everything")).to_be_visible()
        sure = button("button", name="Delete", exact=True)
        expect(sure).to_be_hidden()
        page.locator("#delete > summary").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#delete")).to_contain_text("with its files, pictures and checkpoint")
        told["deleting"] = faults(page, "deleting")
        sure.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Jobs")
        expect(page.locator(f"tr[data-job={job_id}]")).to_have_count(0)
    assert service.client.get(f"/v1/jobs/{job_id}").status_code == 404
    assert {state: each for state, each in told.items() if each} == {}
