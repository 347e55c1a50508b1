"""The page of a job: what is told while it runs, and what it was worth."""

from __future__ import annotations

import html
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

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
    workshop.ledger.record_forecast(claim, FORECAST)
    (seq,) = [event.seq for event in workshop.ledger.events(job_id) if event.type == "preview"]
    return job_id, seq


def test_a_running_job_is_there_without_a_script(workshop: Workshop, client: TestClient, tmp_path: Path) -> None:
    job_id, seq = running(workshop, tmp_path)
    page = client.get(f"/jobs/{job_id}").text
    assert "Distilling, about 22 s left in all" in page, "the phase's own estimate, and the forecast of what follows"
    shown = client.get(f"/v1/jobs/{job_id}").json()["progress"]
    assert (shown["eta_seconds"], shown["phase_eta_seconds"]) == (22, 12), "the same to everybody"
    assert "22 s left" in client.get("/").text
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
    assert "± 2.0, 2 fresh networks" in page
    reach = 12.706 * 0.02 / 2**0.5
    assert f'd="M{100 * (0.64 - reach):.2f} 5H{100 * (0.64 + reach):.2f}"' in page, "the 95 % interval of the mean"
    sums = dict(line.split("  ")[::-1] for line in (artifact / "SHA256SUMS").read_text().splitlines())
    for name in ("dataset.npz", "load.py", "report.json", "student.py"):
        assert re.search(rf'{re.escape(name)}</th><td role="cell" [^>]*>[\d,]+</td>', page)
        assert sums[name] in page
        assert f'href="/v1/jobs/{job_id}/files/{name}" download' in page
    assert "trained = train(network(data), data)" in page
    assert f"/v1/jobs/{job_id}/archive.zip" in page
    assert "-d digits-random-1 &amp;&amp; cd digits-random-1 &amp;&amp;" in page


WARNING = "Always answering 'cat' would be right for 90.3% of them."


def judged(workshop: Workshop, tmp_path: Path, changes: dict[str, Any]) -> str:
    """A finished job whose report has these changes."""
    folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
    shutil.copytree(workshop.artifact, folder)
    report = json.loads((folder / "report.json").read_text())
    (folder / "report.json").write_text(json.dumps(report | changes))
    return replace(workshop, artifact=folder, claims={}).job(Status.SUCCEEDED)


def rows(accuracies: dict[str, tuple[float, float]], **more: float) -> list[dict[str, Any]]:
    """Lines of five networks each, of a mean and a standard deviation."""
    lines = accuracies.items()
    told = [{"name": name, "accuracy_mean": mean, "accuracy_std": std, "n_seeds": 5} for name, (mean, std) in lines]
    return [line | {"images": 10, "network": "n"} | more for line in told]


def test_a_share_of_the_gap_is_said_where_there_is_one(workshop: Workshop, client: TestClient, tmp_path: Path) -> None:
    """And in its place why there is none, in reports of old too, which claimed one all the same."""
    sound = {"distilled": (0.924, 0.014), "random": (0.671, 0.036), "full": (0.988, 0.004)}
    page = client.get(f"/jobs/{judged(workshop, tmp_path, {'results': rows(sound)})}").text
    assert "80 % of the gap closed" in page
    assert "The line in a bar is the 95 % interval" in page
    bare = client.get(f"/jobs/{judged(workshop, tmp_path, {'results': []})}")
    assert (bare.status_code, "no accuracy is claimed" in bare.text) == (200, True)
    overlap = {"distilled": (0.355, 0.04), "random": (0.325, 0.03), "full": (0.345, 0.064)}
    old = {"results": rows(overlap), "gap_closed": 1.5, "warnings": [WARNING]}
    page = client.get(f"/jobs/{judged(workshop, tmp_path, old)}").text
    assert "of the gap closed" not in page
    assert "How large the gap is was not measured" in page
    assert html.unescape(page).index(WARNING) < page.index('class="figure"')


def test_unequal_classes_have_their_balance_beside_them(workshop: Workshop, client: TestClient, tmp_path: Path) -> None:
    lines = rows({"distilled": (0.455, 0.1), "random": (0.42, 0.1)}, balanced_accuracy_mean=0.608)
    majority = {"class": "<cat>", "share": 0.903, "unequal": True}
    job_id = judged(workshop, tmp_path, {"results": lines, "majority": majority})
    page = client.get(f"/jobs/{job_id}").text
    assert "5 fresh networks; balanced 60.8 %; always answering &lt;cat&gt; gives 90.3 %" in page
    assert 'class="number">Balanced</th>' in page
    page = client.get(f"/compare?job={job_id}&job={workshop.job(Status.SUCCEEDED)}").text
    assert page.count("balanced 60.8 %") == 2
    assert "always &lt;cat&gt;: 90.3 %" in page
    assert "Balanced</th>" not in client.get(f"/jobs/{workshop.job(Status.SUCCEEDED)}").text


def test_only_what_is_learned_is_drawn_as_learned(workshop: Workshop, client: TestClient) -> None:
    """Whatever events of old tell: a flat line that nothing moved."""
    jobs = {}
    for method in ("dm", "mtt"):
        jobs[method] = workshop.submit(method=method)
        points = [
            ("metric", {"name": name, "step": n, "value": 0.01}) for n in (1, 2) for name in ("loss", "step_size")
        ]
        assert workshop.ledger.record(workshop.start(jobs[method]), events=points)
    assert "Learned step size" not in client.get(f"/jobs/{jobs['dm']}").text
    assert "Learned step size: from 0.01" in client.get(f"/jobs/{jobs['mtt']}").text
    page = client.get(f"/compare?job={jobs['dm']}&job={jobs['mtt']}").text
    assert "1. digits dm ipc 1: from 0.01" in page, "the loss is there"
    (learned,) = re.findall(r"Learned step size over outer step\. [^<]*", page)
    assert "mtt" in learned
    assert "dm" not in learned


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
    assert "Most often one is taken for another: &#39;0&#39; for &#39;1&#39; (4.0 %)" in page
    (address,) = re.findall(r'src="(/v1/jobs/[^"]*)" alt="Up to three synthetic images', page)
    found = client.get(address)
    assert (found.status_code, found.headers["Content-Type"]) == (200, "image/png")
    assert found.content == picture.read_bytes()
    assert "They are near." in page
    pair = "".join(rf"<td [^>]*>{re.escape(cell)}</td>" for cell in ("number 1,041 (1)", "0.25", "0.5"))
    assert re.search(rf"<th [^>]*>image 7 \(7\)</th>{pair}", page)


def test_a_failed_job_says_why_and_what_to_do(workshop: Workshop, client: TestClient) -> None:
    job_id = workshop.job(Status.FAILED)
    page = client.get(f"/jobs/{job_id}").text
    assert "The loss became NaN at step 12." in page
    assert "<strong>What to do:</strong> Lower schedule.image_lr." in page
    assert f'action="/jobs/{job_id}/retry"' in page
    assert '<button id="retry">' in page, "it would fail again: not what is offered first"
    assert '<button class="primary" id="retry">' in client.get(f"/jobs/{workshop.job(Status.CANCELLED)}").text


def test_a_report_that_the_store_has_lost_is_no_broken_page(workshop: Workshop, client: TestClient) -> None:
    job_id = workshop.job(Status.SUCCEEDED)
    file = workshop.ledger.file(job_id, "report.json")
    assert file is not None
    workshop.store.delete(file.sha256)
    page = client.get(f"/jobs/{job_id}")
    assert page.status_code == 200
    assert "The store does not give out the report now" in page.text


def test_a_report_that_nobody_can_read_is_no_broken_page(
    workshop: Workshop, client: TestClient, tmp_path: Path
) -> None:
    job_id = judged(workshop, tmp_path, {"results": [{"name": "distilled", "accuracy_mean": "high"}]})
    for path in (f"/jobs/{job_id}", f"/compare?job={job_id}&job={workshop.submit()}"):
        assert client.get(path).status_code == 200
    page = html.unescape(client.get(f"/jobs/{job_id}").text)
    assert "report.json cannot be read as a report: results.0." in page
    assert f"/v1/jobs/{job_id}/files/report.json" in page, "its files are there all the same"
