"""The page of advice: asked, measured, answered; and how advice fared, on the page of the system."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi.testclient import TestClient

from core.advice.verdict import job as order
from core.artifacts import inventory
from core.ledger import File, Status
from tests.api.test_advice import publish
from tests.api.workshop import ON_SQLITE, Workshop
from tests.core.test_advice import REAL, gained, measured
from tests.dashboard.test_pages import Page

pytestmark = ON_SQLITE

FOUND = measured(REAL, gained(REAL, 0.5, 0.05), smallest=125)


def shown(client: TestClient, query: str = "dataset=digits", status: int = 200) -> str:
    response = client.get(f"/advice?{query}")
    assert response.status_code == status
    Page(response.text)
    return response.text


def measure(client: TestClient, workshop: Workshop, folder: Path) -> str:
    """The id of a job that measured digits."""
    assert client.post("/advice", data={"dataset": "digits"}, follow_redirects=False).status_code == 303
    job_id: str = client.get("/v1/jobs?method=advice").json()["items"][0]["id"]
    publish(workshop, job_id, folder, FOUND)
    return job_id


def test_advice_is_asked_measured_and_answered(client: TestClient, workshop: Workshop, tmp_path: Path) -> None:
    assert "Nothing was measured yet" in shown(client)
    asks = client.get("/new?dataset=digits&method=random&ipc=3").text
    assert 'id="curves"' not in asks
    (link,) = re.findall(r'<a href="(/advice[^"]*)">Have it measured', asks)
    assert "Nothing was measured yet" in client.get(html.unescape(link)).text
    sent = client.post("/advice", data={"dataset": "digits", "ask": "accuracy", "value": "80"})
    assert sent.url.params["ask"] == "accuracy"
    assert "It is being measured" in sent.text
    job_id = client.get("/v1/jobs?method=advice").json()["items"][0]["id"]
    page = client.get(f"/jobs/{job_id}")
    assert page.url.path == "/advice", "a job that measures has this page"
    assert f"/jobs/{job_id}/cancel" in page.text
    row = re.search(f'<tr role="row" data-job="{job_id}".*?</tr>', client.get("/?method=advice").text, re.DOTALL)
    assert row is not None
    assert "Advice for digits" in row[0]
    assert not re.search("checkbox|Duplicate|ipc </span>", row[0]), "it has no images to compare or to ask for"
    assert 'value="digits" checked' in client.get(f"/new?from={job_id}").text
    compared = client.get(f"/compare?job={job_id}").text
    assert "measured for advice, and has made nothing to compare" in compared
    publish(workshop, job_id, tmp_path / "advice", FOUND)
    assert f'value="{job_id}"' not in client.get("/compare").text
    zipped = client.head(f"/v1/jobs/{job_id}/archive.zip").headers["content-disposition"]
    assert "digits-advice.zip" in zipped
    for query in ("ask=ipc&value=5", "ask=accuracy&value=80", "ask=bytes&value=10 kB&within=20m"):
        answer = shown(client, f"dataset=digits&{query}")
        assert "Verdict:" in answer
        assert "Learning curves" in answer
    assert "Real images that do the same" in shown(client, "dataset=digits&ask=ipc&value=5")
    new = client.get("/new?dataset=digits&method=random&ipc=3").text
    assert 'id="curves"' in new, "its curves are on the page of a new job, too"
    assert "Test accuracy over images a class. random real images: from" in new


WRONG: list[tuple[dict[str, str], str, str, dict[str, str]]] = [
    ({"value": "1000"}, "value", "at most 125", {"value": "125"}),
    ({"value": "0"}, "value", "at least 1", {"value": "1"}),
    ({"value": "many"}, "value", "integer", {"value": "5"}),
    ({"value": "9" * 39}, "value", "integer", {"value": "5"}),
    ({"ask": "accuracy", "value": "120"}, "value", "such as 80 %", {"value": "80 %"}),
    ({"ask": "accuracy", "value": "nan"}, "value", "such as 80 %", {"value": "80 %"}),
    ({"ask": "gap", "value": "half"}, "value", "such as 80 %", {"value": "80"}),
    ({"ask": "bytes", "value": "a lot"}, "value", "200 kB", {"value": "200 kB"}),
    ({"ask": "bytes", "value": "10 B"}, "value", "set bytes to at least", {"value": "1 kB"}),
    ({"within": "soon"}, "within", "20m", {"within": "20m"}),
    ({"labels": "firm"}, "labels", "hard", {"labels": "hard"}),
    ({"dataset": "digit"}, "dataset", "did you mean", {"dataset": "digits"}),
]
"""The text that is entered, the field that it is told beside, a word of the fix, and the fix as it is followed."""


@pytest.mark.parametrize(("wrong", "field", "told", "right"), WRONG, ids=str)
def test_a_wrong_entry_is_told_beside_its_field_with_a_fix_that_works(
    client: TestClient, wrong: dict[str, str], field: str, told: str, right: dict[str, str]
) -> None:
    page = shown(client, urlencode(wrong), 422)
    said = re.findall(r'<p class="fault" id="fault-(\w+)"[^>]*>([^<]+)</p>', page)
    assert [(name, told.lower() in html.unescape(words).lower()) for name, words in said] == [(field, True)], said
    assert f'aria-invalid="true" aria-describedby="fault-{field}"' in page
    assert client.post("/advice", data=wrong).status_code == 422
    assert "There is no answer" not in shown(client, urlencode(wrong | right))


def test_results_are_held_against_what_was_advised(client: TestClient, workshop: Workshop, tmp_path: Path) -> None:
    measure(client, workshop, tmp_path / "advice")
    assert "no job yet did what advice speaks of" in client.get("/system").text
    reach(client, workshop, tmp_path, 5, FOUND, 0.02)
    page = client.get("/system").text
    assert "100.0 % of 2 results lie within what was advised; 80 % are meant to" in page
    assert page.count("digits by dm") == 2
    reach(client, workshop, tmp_path, 3, FOUND, 0.4)
    assert "50.0 % of 4 results lie within" in client.get("/system").text
    workshop.job(Status.SUCCEEDED, method="random")
    assert "50.0 % of 4 results lie within" in client.get("/system").text, "another network is not compared"


def test_a_job_on_other_content_of_the_same_name_is_not_held_against_advice(
    client: TestClient, workshop: Workshop, tmp_path: Path
) -> None:
    measure(client, workshop, tmp_path / "advice")
    reach(client, workshop, tmp_path, 5, FOUND, 0.02)
    (job,) = workshop.ledger.jobs(status="succeeded", method="dm", limit=2)
    assert job.dataset_digest is not None
    same = {"recipe": job.recipe, "dataset": job.dataset, "method": job.method, "ipc": job.ipc, "seed": 1}
    for digest in job.dataset_digest, "of other content":
        other = workshop.ledger.submit(job.request, **same, dataset_digest=digest).job.id
        assert workshop.ledger.succeed(workshop.start(other), [], job.metrics or {})
    assert "% of 4 results lie within" in client.get("/system").text


def reach(client: TestClient, workshop: Workshop, folder: Path, ipc: int, found: Any, off: float) -> None:
    """Finish the job that advice asks for, with results that are so far from the truth."""
    asked = client.post("/v1/jobs", json=order(found, ipc, {}))
    assert asked.status_code == 202, asked.text
    files = []
    for entry in inventory(workshop.artifact):
        sha256, size = workshop.store.put(workshop.artifact / entry.name)
        files.append(File(entry.name, size, sha256, entry.media_type))
    lines = {"distilled": gained(REAL, 0.5, 0.05)(ipc) + off, "random": REAL(ipc) - off}
    results = {name: {"accuracy_mean": mean, "accuracy_std": 0.01, "n_seeds": 5} for name, mean in lines.items()}
    assert workshop.ledger.succeed(workshop.start(asked.json()["id"]), files, {"results": results})
