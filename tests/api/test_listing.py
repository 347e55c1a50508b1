"""The list of jobs: filters, orders, cursors."""

from __future__ import annotations

from typing import Any

import pytest

from api.pagination import cursor, position_of
from api.schemas import JobPage
from core.ids import new_id
from core.ledger import Status
from tests.api.workshop import ON_SQLITE, Workshop


def test_lists_are_filtered_and_paged_newest_first(workshop: Workshop) -> None:
    ids = [workshop.submit() for _ in range(5)]
    other = workshop.submit(dataset="cifar10", method="dm", ipc=3)
    workshop.fail(ids[0])

    def listed(**query: Any) -> list[str]:
        return [job["id"] for job in workshop.client.get("/v1/jobs", params=query).json()["items"]]

    assert listed() == [other, *reversed(ids)]
    assert listed(status="failed") == [ids[0]]
    assert listed(dataset="cifar10") == listed(method="dm") == listed(q="IFAR") == listed(q=other) == [other]
    assert listed(q="100%") == listed(dataset="\0") == []

    pages, after = [], None
    while True:
        query: dict[str, Any] = {"limit": 2, "dataset": "digits"} | ({"after": after} if after else {})
        page = workshop.client.get("/v1/jobs", params=query).json()
        pages.append([job["id"] for job in page["items"]])
        after = page["next"]
        workshop.submit()  # a newcomer does not shift the pages
        if after is None:
            break
    assert pages == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]


def test_a_list_is_written_as_its_schema_has_it(workshop: Workshop) -> None:
    """Also where the jobs in it were written before, for another one."""
    for status in (Status.SUCCEEDED, Status.FAILED, Status.QUEUED):
        workshop.job(status)
    for query in ({}, {"limit": 1}, {"status": "failed"}, {"q": "nothing like it"}, {}):
        found = workshop.client.get("/v1/jobs", params=query).content
        assert found == JobPage.model_validate_json(found).model_dump_json(by_alias=True).encode()


def test_a_cursor_is_taken_back_unchanged_or_not_at_all(workshop: Workshop) -> None:
    for _ in range(3):
        workshop.submit()
    after = workshop.client.get("/v1/jobs", params={"limit": 1, "dataset": "digits"}).json()["next"]
    query = {"limit": 1, "dataset": "digits", "after": after}
    assert workshop.client.get("/v1/jobs", params=query).status_code == 200
    turned = after[:-1] + ("A" if after[-1] != "A" else "B")
    listing = "jobs?status=None&dataset='digits'&method=None&q=None"
    assert cursor(listing, position_of(listing, after, lambda *position: position)) == after
    moment = "2026-11-21T09:00:00+00:00"
    positions: tuple[Any, ...] = ([], ["2026-11-21"], ["2026-11-21", new_id("job")], [moment, "\0"], [moment, 1])
    positions += (["0001-01-01T00:00:00+01:00", new_id("job")],)
    forged = [query | {"after": cursor(listing, position)} for position in positions]
    for changed in (*forged, query | {"after": turned}, query | {"dataset": "cifar10"}, query | {"after": "é" * 9}):
        response = workshop.client.get("/v1/jobs", params=changed)
        assert (response.status_code, response.json()["type"]) == (400, "/problems#invalid-cursor")
    assert workshop.client.get("/v1/datasets", params={"after": after}).status_code == 400


def test_jobs_are_found_by_their_words(workshop: Workshop) -> None:
    first = workshop.submit(metadata={"commit": "abc", "git.branch": "main"})
    second = workshop.submit(metadata={"commit": "abc"})
    workshop.submit()

    def listed(**query: Any) -> list[str]:
        return [job["id"] for job in workshop.client.get("/v1/jobs", params=query).json()["items"]]

    assert listed(**{"metadata.commit": "abc"}) == listed(q="ABC") == [second, first]
    assert listed(**{"metadata.commit": "abc", "metadata.git.branch": "main"}) == [first]
    assert (
        listed(**{"metadata.commit": "ab"}) == listed(**{"metadata.": ""}) == listed(**{"metadata.commit": "\0"}) == []
    )
    assert listed(**{f"metadata.k{n}": "x" for n in range(1200)}) == [], "no job has so many"
    assert workshop.client.get("/v1/jobs?metadata.commit=abc&metadata.commit=abc").json()["items"] != []


@ON_SQLITE
@pytest.mark.parametrize(
    ("query", "field"), [("q=a&q=b", "q"), ("metadata=", "metadata"), ("metadata=abc", "metadata")]
)
def test_what_would_be_left_unheard_is_refused(workshop: Workshop, query: str, field: str) -> None:
    answer = workshop.client.get(f"/v1/jobs?{query}")
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["field"]) == (422, field)


@pytest.mark.parametrize("sort", ["newest", "oldest", "accuracy", "ipc"])
def test_every_order_is_paged_to_its_end(workshop: Workshop, sort: str) -> None:
    jobs = [workshop.submit(ipc=ipc, metadata={"set": "this"}) for ipc in (2, 1, 2)]
    for job_id, accuracy in zip(jobs[:2], (0.5, 0.75), strict=True):
        metrics = {"results": {"distilled": {"accuracy_mean": accuracy}}}
        assert workshop.ledger.succeed(workshop.start(job_id), [], metrics)
    expected = {"newest": [2, 1, 0], "oldest": [0, 1, 2], "accuracy": [1, 0, 2], "ipc": [1, 0, 2]}[sort]
    for given in ({}, {"metadata.set": "this"}):
        found, query = [], {"sort": sort, "limit": "1", **given}
        while True:
            page = workshop.client.get("/v1/jobs", params=query).json()
            found += [jobs.index(job["id"]) for job in page["items"]]
            if page["next"] is None:
                break
            query["after"] = page["next"]
        assert found == expected
    assert workshop.client.get("/v1/jobs", params=query | {"sort": "best"}).status_code == 422


def test_a_place_in_one_order_is_none_in_another(workshop: Workshop) -> None:
    for _ in range(2):
        workshop.job(Status.CANCELLED)
    client = workshop.client
    after = client.get("/v1/jobs?sort=ipc&limit=1").json()["next"]
    assert client.get("/v1/jobs", params={"sort": "ipc", "after": after}).status_code == 200
    moment = "2026-11-21T09:00:00+00:00"
    listing = "jobs?status=None&dataset=None&method=None&q=None&sort='ipc'&metadata=[]"
    assert position_of(listing, after, lambda *position: position)[0] == 1
    odd: tuple[Any, ...] = ([moment, new_id("job")], ["x", moment, new_id("job")], [None, moment, new_id("job")])
    odd += ([1e300, moment, new_id("job")], [float("inf"), moment, new_id("job")], [10**30, moment, new_id("job")])
    forged = [{"sort": "ipc", "after": cursor(listing, position)} for position in odd]
    for changed in (*forged, {"sort": "accuracy", "after": after}, {"after": after}):
        response = client.get("/v1/jobs", params=changed)
        assert (response.status_code, response.json()["type"]) == (400, "/problems#invalid-cursor")
