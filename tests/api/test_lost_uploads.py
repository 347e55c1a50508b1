"""Uploads whose bundle the store has lost: said on request, and put back by the same file."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from api.services import Services
from core.ledger import Status
from core.ledger.models import UploadRow
from core.settings import Settings
from tests.api.test_uploads import send, settled
from tests.api.workshop import ON_SQLITE, Workshop, key, request
from tests.data.archives import classes, packed

pytestmark = ON_SQLITE


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"auth": "keys"})


@pytest.mark.parametrize("how", ["lost", "damaged"])
def test_the_same_file_puts_back_what_the_store_has_lost(workshop: Workshop, services: Services, how: str) -> None:
    client, ledger, data = workshop.client, workshop.ledger, packed(classes(5))
    client.headers.update(key(ledger, "alice"))
    path = send(client, data, {}).headers["Location"]
    before = settled(client, path, {})
    job_id = client.post("/v1/jobs", json=request(dataset="pets")).json()["id"]
    kept = ledger.uploads.get(before["name"])
    assert kept.sha256 is not None
    with ledger.database.write() as session:
        session.execute(update(UploadRow).values(created_at=kept.created_at - timedelta(days=3)))
    address = kept.sha256
    services.store.delete(address)
    if how == "damaged":
        file = services.settings.home / "store" / "sha256" / address[:2] / address
        file.write_bytes(bytes(kept.bytes))
    assert client.get(path, params={"verify": True}).json()["on_disk"] is False
    anew = send(client, data, {}, name="pets")
    assert (anew.status_code, anew.headers["Location"], anew.json()["state"]) == (202, path, "inspecting")
    ledger.sweep()
    after = settled(client, path, {})
    assert (after["state"], after["digest"], after["title"]) == ("ready", before["digest"], "pets")
    assert after["sent"] == before["sent"]
    assert services.store.intact(address, kept.bytes)
    assert client.get(path, params={"verify": True}).json()["on_disk"] is True
    again = send(client, data, {})
    assert (again.status_code, again.headers["Location"]) == (200, path)
    assert client.get(f"/v1/jobs/{job_id}").json()["dataset"] == before["name"]
    assert not list(services.settings.uploads.iterdir()), "nothing waits to be inspected"


def test_what_is_deleted_while_the_store_is_away_is_gone_all_the_same(workshop: Workshop, services: Services) -> None:
    client = workshop.client
    client.headers.update(key(workshop.ledger, "alice"))
    path = send(client, packed(classes(5)), {}).headers["Location"]
    assert settled(client, path, {})["state"] == "ready"
    paths = (path, f"/v1/jobs/{workshop.job(Status.SUCCEEDED)}")
    store = services.settings.home / "store"
    store.rename(store.with_name("elsewhere"))
    store.write_text("nothing can be done below a file")
    assert [client.delete(each).status_code for each in (*paths, *paths)] == [204, 204, 404, 404]
