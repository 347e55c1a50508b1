"""A real browser before the real service: Debian's Chromium, the API and a worker in processes of their own."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect, sync_playwright

from core.ledger import ENDED
from core.settings import Settings
from tests.api.serving import PATIENCE, Server, environment, serving

LONG = 60_000.0
"""Milliseconds until something must have happened that takes seconds on a quiet machine."""

SIDEWAYS = """[...document.querySelectorAll("main *, nav")]
    .filter(each => ["auto", "scroll"].includes(getComputedStyle(each).overflowX))
    .filter(each => !each.closest("details:not([open]), pre") && each.scrollWidth > each.clientWidth + 1)
    .map(each => each.outerHTML.slice(0, 80))"""
"""The elements of a page that scroll sideways by themselves; commands may, and folded ones are not looked at."""

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str:
    """The browser's program: of the variable CHROMIUM, or the first that is installed.

    Raises:
        FileNotFoundError: there is none; the message names the package.
    """
    given = os.environ.get("CHROMIUM")
    found = given or next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise FileNotFoundError("The tests need chromium: install it with `apt-get install chromium`.")
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium without a window; as root it has to do without its sandbox, and it meets nobody but the service."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


class Watched:
    """A page of the browser, and what its console complained of."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))


@contextmanager
def visit(browser: Browser, url: str, *forgiven: str, scripts: bool = True) -> Iterator[Watched]:
    """A fresh page of a service, with cookies of its own; at its end nobody may have complained of what isn't forgiven.

    Args:
        forgiven: parts of complaints that the test is about.
        scripts: whether the browser runs any.
    """
    viewport: ViewportSize = {"width": 1280, "height": 900}
    # Drawing a sign that turns, without a GPU, would take a core for as long as a job runs.
    context = browser.new_context(base_url=url, viewport=viewport, java_script_enabled=scripts, reduced_motion="reduce")
    context.set_default_timeout(LONG)
    found = Watched(context.new_page())
    yield found
    context.close()
    assert [said for said in found.complaints if not any(part in said for part in forgiven)] == []


@dataclass
class Service:
    """A running service: its API can go and come back at the same address, and its worker can begin."""

    settings: Settings
    artifact: Path
    folder: Path
    server: Server
    api: ExitStack
    worker: ExitStack

    @classmethod
    @contextmanager
    def running(cls, settings: Settings, artifact: Path, folder: Path) -> Iterator[Service]:
        """The API without a worker."""
        with ExitStack() as api, ExitStack() as worker:
            server = api.enter_context(serving(settings, artifact))
            yield cls(settings, artifact, folder, server, api, worker)

    def work(self) -> None:
        """Start the worker."""
        log = self.worker.enter_context((self.folder / "worker.log").open("wb"))
        command = [sys.executable, "-m", "worker"]
        process = subprocess.Popen(command, env=environment(self.settings), stdout=log, stderr=log)

        def end() -> None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()

        self.worker.callback(end)

    def rest(self) -> None:
        """End the worker."""
        self.worker.close()

    def leave(self) -> None:
        """The API ends as it does when it is told to."""
        self.server.stop()

    def return_(self) -> None:
        """The API is there again, at the same address."""
        self.api.close()
        self.server = self.api.enter_context(serving(self.settings, self.artifact))

    @property
    def client(self) -> httpx.Client:
        """A client of the API as it is now."""
        client = self.server.workshop.client
        assert isinstance(client, httpx.Client)
        return client

    def ended(self, job_id: str) -> str:
        """How a job ended, once it has."""
        deadline = time.monotonic() + 3 * PATIENCE
        while (status := self.server.workshop.ledger.job(job_id).status) not in ENDED:
            assert time.monotonic() < deadline, (self.folder / "worker.log").read_text()[-2000:]
            self.client.get(f"/v1/jobs/{job_id}", params={"wait": 5})
        return str(status)


def scrubber(page: Page) -> Locator:
    """The slider of the pictures, once the script that moves it has shown it: keys sent before meet nothing."""
    slider = page.locator("#scrub")
    expect(slider).to_be_visible()
    return slider


def faults(page: Page, picture: str = "") -> list[str]:
    """The faults of a page as it stands: barriers that axe finds, and the places that do not fit a telephone.

    Args:
        picture: the name of the pictures that are kept of it, on a screen and on a telephone; by default none are.
    """
    violations = Axe().run(page).response["violations"]
    grave = [each for each in violations if each["impact"] in ("serious", "critical")]
    found = [f"{each['id']}: {each['nodes'][0]['html']}" for each in grave]
    if picture:
        keep(page, picture)
    page.set_viewport_size({"width": 390, "height": 844})
    if sideways := page.evaluate(SIDEWAYS):
        found.append(f"scrolls sideways in {sideways}")
    page.set_viewport_size({"width": 320, "height": 700})
    if (width := page.evaluate("document.documentElement.scrollWidth")) > 320:
        found.append(f"is {width} pixels wide where 320 are")
    if picture:
        keep(page, f"{picture}-320")
    page.set_viewport_size({"width": 1280, "height": 900})
    return found


def keep(page: Page, name: str) -> None:
    """A picture of what the page shows, for people who look at it: where the variable PICTURES says, if it does."""
    if (given := os.environ.get("PICTURES")) is None:
        return
    folder = Path(given)
    folder.mkdir(parents=True, exist_ok=True)
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    shot.quantize(192, dither=Image.Dither.NONE).save(folder / f"{name}.png", optimize=True)
