"""The list of jobs: filters in the address, pages, buttons, and what ten thousand jobs cost."""

from __future__ import annotations

import html
import re
import time

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from api.dashboard.jobs import SHOWN
from api.services import Services
from core.ledger import Status
from core.ledger.models import JobRow
from tests.api.workshop import ON_SQLITE, Workshop

pytestmark = ON_SQLITE

HTML = {"Accept": "text/html"}


def listed(page: str) -> list[str]:
    """The ids of the jobs a page shows, in its order."""
    return re.findall(r'<tr role="row" data-job="(\w+)"', page)


def test_filters_are_in_the_address_and_survive_turning_pages(workshop: Workshop, client: TestClient) -> None:
    random = [workshop.submit() for _ in range(SHOWN + 2)]
    other = workshop.submit(method="herding")
    assert listed(client.get("/?method=herding").text) == [other]
    assert listed(client.get(f"/?q={random[3][-12:].lower()}").text) == [random[3]]
    assert listed(client.get("/?status=running").text) == []
    assert "No job matches" in client.get("/?status=running").text

    first = client.get("/?method=random").text
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older
    second = client.get(older[1].replace("&amp;", "&")).text
    assert listed(first) + listed(second) == random[::-1]
    forged = client.get("/?method=herding&after=" + older[1].rpartition("after=")[2], headers=HTML)
    assert forged.status_code == 400
    assert "Start again without" in forged.text


def test_names_and_words_are_shown_and_lead_to_their_jobs(workshop: Workshop, client: TestClient) -> None:
    named = workshop.submit(metadata={"name": "My <run>", "commit": "a&b=c d"})
    other = workshop.submit(metadata={"commit": "a&b=c d", "team": "x"})
    plain = workshop.submit()
    page = client.get("/").text
    assert listed(page) == [plain, other, named]
    assert f'<a href="/jobs/{named}">My &lt;run&gt;</a>' in page
    (address,) = {html.unescape(link) for link in re.findall(r'<a class="tag" href="([^"]+)"[^>]*>commit', page)}
    both = client.get(address).text
    assert listed(both) == [other, named]
    (narrower,) = {html.unescape(link) for link in re.findall(r'<a class="tag" href="([^"]+)"[^>]*>team', both)}
    narrow = client.get(narrower).text
    assert listed(narrow) == [other]
    assert 'name="tag" value="commit=a&amp;b=c d"' in narrow, "the form keeps them"
    wider = re.findall(r'<a class="tag chosen" href="([^"]+)" aria-label="Stop asking for team x"', narrow)
    assert listed(client.get(html.unescape(wider[0])).text) == [other, named]
    assert listed(client.get("/?q=my+%3Crun").text) == [named]
    assert "No job matches" in client.get("/?tag=commit=other").text
    assert listed(client.get("/?tag=odd&sort=odd").text) == [plain, other, named], "an address by hand is no error"
    own = client.get(f"/jobs/{named}").text
    assert "<h1>My &lt;run&gt;</h1>" in own
    (address,) = {html.unescape(link) for link in re.findall(r'<a class="tag" href="([^"]+)"[^>]*>commit', own)}
    assert listed(client.get(address).text) == [other, named]


def test_jobs_are_sorted_and_the_order_survives_turning_pages(workshop: Workshop, client: TestClient) -> None:
    jobs = [workshop.submit(ipc=ipc) for ipc in (2, 1, 3)]
    for job_id, accuracy in zip(jobs[:2], (0.5, 0.75), strict=True):
        metrics = {"results": {"distilled": {"accuracy_mean": accuracy}}}
        assert workshop.ledger.succeed(workshop.start(job_id), [], metrics)
    assert listed(client.get("/?sort=accuracy").text) == [jobs[1], jobs[0], jobs[2]]
    assert listed(client.get("/?sort=oldest").text) == jobs
    page = client.get("/?sort=ipc&status=succeeded").text
    assert listed(page) == [jobs[1], jobs[0]]
    assert '<option value="ipc" selected>' in page
    waiting = [workshop.submit(ipc=4) for _ in range(SHOWN)]
    first = client.get("/?sort=ipc").text
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older
    assert listed(first) + listed(client.get(html.unescape(older[1])).text) == [jobs[1], jobs[0], jobs[2], *waiting]


@pytest.mark.parametrize("line", [{"accuracy_mean": 0.5, "n_seeds": "many"}, {"accuracy_mean": "high"}, "gone", None])
def test_metrics_that_nobody_can_read_break_no_page(workshop: Workshop, client: TestClient, line: object) -> None:
    job_id = workshop.submit()
    assert workshop.ledger.succeed(workshop.start(job_id), [], {"results": {"distilled": line}})
    for path in ("/", "/?sort=accuracy", f"/compare?job={job_id}&job={workshop.submit()}"):
        assert client.get(path).status_code == 200


def test_a_waiting_job_says_when_it_starts(workshop: Workshop, client: TestClient) -> None:
    running, waiting = workshop.job(Status.RUNNING), workshop.submit()
    assert "Place 1</span>" in client.get("/").text
    progress = {"phase": "publishing", "done": 0, "total": 1, "eta_seconds": 90.0}
    assert workshop.ledger.record(workshop.claims[running], progress=progress)
    assert "Place 1, starts in about 1 min 30 s</span>" in client.get("/").text
    assert "Place 1 in the queue, starts in about 1 min 30 s." in client.get(f"/jobs/{waiting}").text


def test_every_state_is_a_word_with_a_sign_and_its_own_actions(workshop: Workshop, client: TestClient) -> None:
    jobs = {status: workshop.job(status) for status in reversed(Status)}
    page = client.get("/").text
    for status, job_id in jobs.items():
        row = re.search(rf'<tr role="row" data-job="{job_id}".*?</tr>', page, re.DOTALL)
        assert row
        assert re.search(rf'<span class="status {status}"><svg.*</svg>{status}</span>', row[0])
        assert (f"/jobs/{job_id}/cancel" in row[0]) == (status in (*Status,)[:4])
        assert (f"/jobs/{job_id}/retry" in row[0]) == (status in (Status.FAILED, Status.CANCELLED))
        assert f"/new?from={job_id}" in row[0]


def test_enter_on_a_job_that_is_ticked_compares_and_cancels_none(workshop: Workshop, client: TestClient) -> None:
    for status in (Status.QUEUED, Status.FAILED):
        workshop.job(status)
    page = client.get("/").text
    (form,) = re.findall(r'<form action="/compare".*?</form>', page, re.DOTALL)
    own = [button for button in re.findall(r"<button.*?</button>", form) if 'form="' not in button]
    assert own == ["<button>Compare selected</button>"], "Enter presses the first button of a form"
    assert len(re.findall(r'<button [^>]*form="act" formaction="/jobs/\w+/(?:cancel|retry)"', form)) == 2
    assert '<form id="act" method="post"></form>' in page.replace(form, "")


def test_the_way_to_other_pages_says_where_it_leads_in_every_order(workshop: Workshop, client: TestClient) -> None:
    for _ in range(SHOWN + 1):
        workshop.submit()
    for address, following, first in (("/", "Older", "Newest"), ("/?sort=oldest", "Next page", "First page")):
        page = client.get(address).text
        (link,) = re.findall(r'rel="next" href="([^"]+)">([^<]+)<', page)
        assert link[1] == following
        assert f">{first}</a>" in client.get(html.unescape(link[0])).text


def test_buttons_cancel_and_retry_and_lead_back(workshop: Workshop, client: TestClient) -> None:
    job_id = workshop.submit()
    referer = {"Referer": f"{client.base_url}/?q=digits"}
    gone = client.post(f"/jobs/{job_id}/cancel", headers=referer, follow_redirects=False)
    assert (gone.status_code, gone.headers["Location"]) == (303, "/?q=digits")
    assert workshop.ledger.job(job_id).status is Status.CANCELLED
    again = client.post(f"/jobs/{job_id}/retry", headers={"Referer": "https://evil.example/x"}, follow_redirects=False)
    assert again.headers["Location"] == f"/jobs/{job_id}"
    assert workshop.ledger.job(job_id).status is Status.QUEUED


@pytest.mark.parametrize("header", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_other_sites_can_press_no_button(workshop: Workshop, client: TestClient, header: dict[str, str]) -> None:
    job_id = workshop.submit()
    assert client.post(f"/jobs/{job_id}/cancel", headers=header).status_code == 403
    assert workshop.ledger.job(job_id).status is Status.QUEUED


def test_what_goes_wrong_is_a_page_for_people_and_a_document_for_programs(client: TestClient) -> None:
    person, program = client.get("/jobs/job_0", headers=HTML), client.get("/jobs/job_0")
    assert (person.status_code, program.status_code) == (404, 404)
    assert "<h1>There is no such job</h1>" in person.text
    assert program.headers["Content-Type"] == "application/problem+json"


def test_ten_thousand_jobs_are_listed_at_once(workshop: Workshop, client: TestClient, services: Services) -> None:
    job_id = workshop.job(Status.SUCCEEDED)
    columns = [column.name for column in JobRow.__table__.columns if column.name not in ("id", "fingerprint")]
    copied = ", ".join(columns)
    statement = f"""
        INSERT INTO jobs (id, {copied})
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
        SELECT substr(id, 1, length(id) - 5) || printf('%05d', i), {copied} FROM jobs, n WHERE id = :id
    """
    with services.ledger.database.write() as session:
        session.execute(text(statement), {"id": job_id})
    client.get("/")
    seconds = []
    for path in ("/", "/?q=digits", "/?status=failed", "/?method=random&dataset=digits"):
        tries = []
        for _ in range(3):  # into one of them may fall a look for garbage among what all tests have made
            started = time.process_time()  # of this process, which serves: what others do meanwhile is not its cost
            page = client.get(path)
            tries.append(time.process_time() - started)
            assert page.status_code == 200
        seconds.append(min(tries))
    style = client.get("/static/stillhouse.css").content
    scripts = [client.get(f"/static/{name}.js").content for name in ("theme", "frame", "live", "regions")]
    first = client.get("/").content
    assert len(listed(first.decode())) == SHOWN
    assert len(first) + len(style) + sum(map(len, scripts)) < 150_000
    assert max(seconds) < 0.3
