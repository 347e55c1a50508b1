"""The page of a job: what is told while it runs, and what it was worth."""

from __future__ import annotations

import re
from pathlib import Path

from fastapi.testclient import TestClient

from api.dashboard import verdict
from core.ledger import Status
from tests.api.workshop import ON_SQLITE, Workshop

pytestmark = ON_SQLITE

FORECAST = {
    "hardware": "a test",
    "conditions": "a test",
    "seconds": {"expected": 30.0, "low": 20.0, "high": 60.0},
    "phases": {
        name: {"expected": 10.0, "low": 5.0, "high": 20.0, "model": 10.0, "uncached": 10.0}
        for name in ("preparing", "distilling", "evaluating")
    },
    "basis": {"jobs": 0, "method_jobs": 0, "detail": "By hand."},
    "reuse": None,
    "memory": {"working_mib": 1.0, "baseline_mib": None, "peak_mib": None},
    "bytes": {"experts": 0, "labels": 1, "artifact": 2},
    "work": {},
    "leaves": {},
}


def running(workshop: Workshop, tmp_path: Path) -> tuple[str, int]:
    """A job that is distilling, with three points of a curve and a picture; its id and the picture's number."""
    job_id = workshop.submit(method="dm")
    claim = workshop.start(job_id)
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n, or so it says")
    sha256, size = workshop.store.put(picture)
    phases = {
        "preparing": {"done": 2, "total": 2, "seconds": 1.5},
        "distilling": {"done": 5, "total": 20, "seconds": 4},
    }
    progress = {"phase": "distilling", "done": 5, "total": 20, "eta_seconds": 12.0, "phases": phases}
    reported = [("metric", {"name": "loss", "step": step, "value": 1 / step}) for step in (1, 2, 5)]
    reported += [("preview", {"step": 5, "sha256": sha256, "bytes": size}), ("log", {"message": "Eager kernels."})]
    assert workshop.ledger.record(claim, progress=progress, events=reported)
    workshop.ledger.foresee(claim, FORECAST)
    (seq,) = [event.seq for event in workshop.ledger.events(job_id) if event.type == "preview"]
    return job_id, seq


def test_a_running_job_is_there_without_a_script(workshop: Workshop, client: TestClient, tmp_path: Path) -> None:
    job_id, seq = running(workshop, tmp_path)
    page = client.get(f"/jobs/{job_id}").text
    assert "Distilling, about 22 s left in all" in page, "the phase's own estimate, and the forecast of what follows"
    assert re.search(r'<progress id="bar"[^>]* max="20.0" value="5.0"', page)
    assert re.search(r'data-x="5" data-y="0.2"', page)
    assert "Loss over outer step. Loss: from 1.00 at 1 to 0.20 at 5." in page
    assert re.search(r'class="done">.*?Preparing.*?1.5 s.*?expected 10 s', page, re.DOTALL)
    assert re.search(r'class="ahead">.*?Evaluating', page, re.DOTALL)
    assert f'src="/v1/jobs/{job_id}/pictures/{seq}"' in page
    assert "Eager kernels." in page
    assert f'action="/jobs/{job_id}/cancel"' in page


def test_a_picture_is_served_while_the_job_runs_and_nothing_else_is(
    workshop: Workshop, client: TestClient, tmp_path: Path
) -> None:
    job_id, seq = running(workshop, tmp_path)
    found = client.get(f"/v1/jobs/{job_id}/pictures/{seq}")
    assert (found.status_code, found.headers["Content-Type"]) == (200, "image/png")
    assert found.content.startswith(b"\x89PNG")
    again = client.get(f"/v1/jobs/{job_id}/pictures/{seq}", headers={"If-None-Match": found.headers["ETag"]})
    assert again.status_code == 304
    assert client.get(f"/v1/jobs/{job_id}/pictures/{seq - 1}").status_code == 404
    assert client.get(f"/v1/jobs/{job_id}/pictures/9999").status_code == 404
    assert client.get(f"/v1/jobs/{workshop.submit()}/pictures/1").status_code == 404


def test_a_finished_job_tells_what_it_is_worth_and_how_to_use_it(
    workshop: Workshop, client: TestClient, artifact: Path
) -> None:
    job_id = workshop.job(Status.SUCCEEDED)
    page = client.get(f"/jobs/{job_id}").text
    assert re.search(r"Test accuracy</h2><p class=\"figure\">64.0 %", page)
    reach = 12.706 * 0.02 / 2**0.5
    assert f"± {100 * reach:.1f} (95 %), 2 fresh networks" in page
    sums = dict(line.split("  ")[::-1] for line in (artifact / "SHA256SUMS").read_text().splitlines())
    for name in ("dataset.npz", "load.py", "report.json"):
        assert f'{name}</th><td class="number">' in page
        assert sums[name] in page
        assert f'href="/v1/jobs/{job_id}/files/{name}" download' in page
    assert "load_file(&#34;dataset.safetensors&#34;)" in page
    assert f"/v1/jobs/{job_id}/archive.zip" in page


def test_a_finished_job_shows_what_is_taken_for_what_and_the_nearest_real_images(
    workshop: Workshop, client: TestClient, tmp_path: Path
) -> None:
    job_id = workshop.submit()
    picture = tmp_path / "pairs.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n, or so it says")
    sha256, size = workshop.store.put(picture)
    claim = workshop.start(job_id)
    assert workshop.ledger.record(claim, events=[("neighbours", {"sha256": sha256, "bytes": size})])
    workshop.succeed(job_id)
    page = client.get(f"/jobs/{job_id}").text
    assert re.search(r'<th scope="row">0</th><td class="h6">64</td><td class="h0">4</td>', page)
    assert "<strong>0</strong> taken for <strong>1</strong>" in page
    (address,) = re.findall(r'src="(/v1/jobs/[^"]*)" alt="Up to three synthetic images', page)
    found = client.get(address)
    assert (found.status_code, found.headers["Content-Type"]) == (200, "image/png")
    assert found.content == picture.read_bytes()
    assert "They are near." in page
    assert '<td>1, number 1,041</td><td class="number">0.25</td><td class="number">0.5</td>' in page


def test_a_failed_job_says_why_and_what_to_do(workshop: Workshop, client: TestClient) -> None:
    job_id = workshop.job(Status.FAILED)
    page = client.get(f"/jobs/{job_id}").text
    assert "The loss became NaN at step 12." in page
    assert "<strong>What to do:</strong> Lower schedule.image_lr." in page
    assert f'action="/jobs/{job_id}/retry"' in page


def test_a_report_that_the_store_has_lost_is_no_broken_page(workshop: Workshop, client: TestClient) -> None:
    job_id = workshop.job(Status.SUCCEEDED)
    file = workshop.ledger.file(job_id, "report.json")
    assert file is not None
    verdict._kept.cache_clear()
    workshop.store.delete(file.sha256)
    page = client.get(f"/jobs/{job_id}")
    assert page.status_code == 200
    assert "The store does not give out the report now" in page.text
