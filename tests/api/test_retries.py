"""Jobs that are opened again, where what they were made of, or an equal job's result, is there no more."""

from __future__ import annotations

import pytest

from api.services import Services
from core.ledger import Ledger, SourceGone, Status
from core.settings import Settings
from tests.api.test_uploads import send, settled
from tests.api.workshop import ON_SQLITE, Workshop, key, request
from tests.data.archives import classes, packed
from tests.ledger.orders import FILES, queued, running

pytestmark = ON_SQLITE


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"auth": "keys"})


@pytest.mark.parametrize("what", ["dataset", "source"])
def test_a_job_whose_upload_was_deleted_is_not_retried(workshop: Workshop, what: str) -> None:
    client = workshop.client
    client.headers.update(key(workshop.ledger, "alice"))
    upload = settled(client, send(client, packed(classes(5)), {}).headers["Location"], {})["name"]
    other = settled(client, send(client, packed(classes(6)), {}, name="others").headers["Location"], {})["name"]
    generated = request(dataset=other, method="mgdd", overrides={"init.source": "pets"})
    asked = request(dataset="pets") if what == "dataset" else generated
    job_id = client.post("/v1/jobs", json=asked).json()["id"]
    path = f"/v1/jobs/{job_id}"
    client.post(f"{path}/cancel")
    assert client.post(f"{path}/retry").status_code == 202, "while it is there"
    client.post(f"{path}/cancel")
    assert client.delete(f"/v1/datasets/{upload}").status_code == 204
    refused = client.post(f"{path}/retry")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems#not-retryable")
    assert f"{upload}" in refused.json()["detail"]
    assert "was deleted" in refused.json()["detail"]
    assert "Upload it again" in refused.json()["hint"]
    assert client.get(path).json()["status"] == "cancelled"


@pytest.mark.parametrize("way", ["resume", "retry"])
def test_a_job_that_remakes_a_damaged_result_can_be_opened_again(
    workshop: Workshop, services: Services, people: dict[str, dict[str, str]], way: str
) -> None:
    client, asked = workshop.client, request()
    client.headers.update(people["alice"])
    first = client.post("/v1/jobs", json=asked).json()["id"]
    workshop.succeed(first)
    services.store.delete(services.ledger.files(first)[0].sha256)
    anew = client.post("/v1/jobs", json=asked).json()["id"]
    assert anew != first
    for who in ("alice", "root"):
        client.post(f"/v1/jobs/{anew}/{'pause' if way == 'resume' else 'cancel'}")
        opened = client.post(f"/v1/jobs/{anew}/{way}", headers=people[who])
        assert (opened.status_code, opened.json().get("status")) == (202, "queued"), opened.text


def test_a_job_that_goes_on_from_a_deleted_one_is_not_retried(ledger: Ledger) -> None:
    first = running(ledger)
    assert ledger.succeed(first, FILES, {})
    asked = {"continue_from": first.job.id, "continues": FILES[0].sha256}
    job = queued(ledger, request=asked)
    ledger.request_cancel(job.id)
    assert ledger.retry(job.id).status is Status.QUEUED
    ledger.request_cancel(job.id)
    ledger.delete(first.job.id, lambda address: None)
    with pytest.raises(SourceGone, match=f"Job {first.job.id}, with whose images job {job.id} begins, was deleted"):
        ledger.retry(job.id)
    other = running(ledger)
    assert ledger.succeed(other, FILES, {})
    assert ledger.retry(job.id).status is Status.QUEUED, "another artifact has the very same images"
