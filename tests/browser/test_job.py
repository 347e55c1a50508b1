"""The page of a job: watched while it runs, its pictures, its downloads."""

from __future__ import annotations

import hashlib
import re
import zipfile
from pathlib import Path

from playwright.sync_api import expect

from core.artifacts import verify
from tests.browser.browsing import Service, Watched, keep, scrubber


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


def test_a_job_that_was_watched_through_a_restart_is_cancelled(service: Service, stopped: str) -> None:
    assert service.ended(stopped) == "cancelled"
