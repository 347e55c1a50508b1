"""Links: files of a finished job for whoever has the link, for a while, and for nobody longer."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from api.services import Services
from core.ledger import Status
from core.ledger.models import LinkRow
from tests.api.workshop import ON_SQLITE, Workshop

pytestmark = ON_SQLITE


@pytest.fixture
def job_id(workshop: Workshop) -> str:
    return workshop.job(Status.SUCCEEDED)


def made(client: TestClient, job_id: str, **order: Any) -> dict[str, Any]:
    answer = client.post(f"/v1/jobs/{job_id}/links", json=order)
    assert answer.status_code == 201, answer.text
    link: dict[str, Any] = answer.json()
    return link


def gone(client: TestClient, url: str) -> bool:
    answer = client.get(url)
    return (answer.status_code, answer.json()["type"]) == (404, "/problems#unknown-link")


def test_a_link_gives_a_file_and_another_all_of_them(client: TestClient, job_id: str) -> None:
    one, whole = made(client, job_id, name="report.json"), made(client, job_id)
    held = client.get(f"/v1/jobs/{job_id}/files/report.json")
    found = client.get(one["url"])
    assert (found.content, found.headers["ETag"]) == (held.content, held.headers["ETag"])
    assert client.get(one["url"], headers={"Range": "bytes=0-9"}).content == held.content[:10]
    assert client.head(one["url"]).headers["Content-Length"] == str(len(held.content))
    with zipfile.ZipFile(io.BytesIO(client.get(whole["url"]).content)) as archive:
        assert archive.read("report.json") == held.content
    assert one["url"] != whole["url"]


def test_a_link_ends_by_its_date_and_with_its_job(client: TestClient, services: Services, job_id: str) -> None:
    dated, kept = (made(client, job_id, expires_in=time)["url"] for time in ("1h", "30d"))
    now = datetime.now(UTC)
    with services.ledger.database.write() as session:
        soon = update(LinkRow).where(LinkRow.expires_at < now + timedelta(days=1))
        session.execute(soon.values(expires_at=now - timedelta(seconds=1)))
    assert gone(client, dated)
    assert client.get(kept).status_code == 200
    services.ledger.sweep()
    with services.ledger.database.read() as session:
        assert session.query(LinkRow).count() == 1
    assert client.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert gone(client, kept)


def test_no_log_and_no_row_holds_a_link(
    client: TestClient, services: Services, job_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    token = made(client, job_id)["url"].rpartition("/")[2]
    with caplog.at_level("INFO"):
        client.get(f"/v1/links/{token}")
    told = str([vars(record) for record in caplog.records if record.name.startswith("api")])
    assert "/v1/links/..." in told
    assert token not in told
    with services.ledger.database.read() as session:
        assert token not in str([vars(row) for row in session.query(LinkRow)])


@pytest.mark.parametrize("time", ["", "0h", "31d", "soon", "1y"])
def test_a_life_that_is_none_is_refused_with_one_that_is(client: TestClient, job_id: str, time: str) -> None:
    answer = client.post(f"/v1/jobs/{job_id}/links", json={"expires_in": time})
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["field"]) == (422, "expires_in")
    assert made(client, job_id, expires_in="24h")["url"]


def test_only_files_that_are_there_are_linked(client: TestClient, workshop: Workshop, job_id: str) -> None:
    assert client.post(f"/v1/jobs/{job_id}/links", json={"name": "absent"}).status_code == 404
    assert client.post(f"/v1/jobs/{workshop.job(Status.QUEUED)}/links", json={}).status_code == 409
