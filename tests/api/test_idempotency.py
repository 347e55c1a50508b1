"""The same body with the same key: the same job, whatever has become of what the body names."""

from __future__ import annotations

import pytest

from api.app import create_app
from api.services import Services
from core.settings import Settings
from tests.api.test_uploads import send, settled
from tests.api.workshop import ON_SQLITE, Client, Workshop, key, request
from tests.data.archives import classes, packed

pytestmark = ON_SQLITE

KEY = {"Idempotency-Key": "once"}
TARGET = "https://example.org/hook"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"auth": "keys"})


def _replayed(client: Client, asked: dict[str, object], job_id: str) -> bool:
    """Whether this answer is that of before, and another body with the key is refused as ever."""
    again = client.post("/v1/jobs", json=asked, headers=KEY)
    other = client.post("/v1/jobs", json=asked | {"priority": 9}, headers=KEY)
    assert other.json()["type"] == "/problems#idempotency-conflict"
    return "Idempotent-Replayed" in again.headers and bool(again.json().get("id") == job_id)


def test_a_key_repeats_its_answer_where_what_the_body_names_is_gone(workshop: Workshop) -> None:
    client = workshop.client
    client.headers.update(key(workshop.ledger, "alice"))
    upload = settled(client, send(client, packed(classes(5)), {}).headers["Location"], {})
    webhook = client.post("/v1/webhooks", json={"url": TARGET}).json()
    asked = request(dataset=upload["title"], webhook=webhook["id"])
    job_id = client.post("/v1/jobs", json=asked, headers=KEY).json()["id"]
    client.post(f"/v1/jobs/{job_id}/cancel")
    assert client.delete(f"/v1/webhooks/{webhook['id']}").status_code == 204
    assert client.delete(f"/v1/datasets/{upload['name']}").status_code == 204
    assert _replayed(client, asked, job_id)
    assert client.post("/v1/jobs", json=asked).status_code == 422, "as a new request it is checked"


def test_a_key_repeats_its_answer_where_the_service_allows_less_by_now(workshop: Workshop, services: Services) -> None:
    workshop.client.headers.update(key(workshop.ledger, "alice"))
    asked = request(within="50m")
    job_id = workshop.client.post("/v1/jobs", json=asked, headers=KEY).json()["id"]
    settings = services.settings.model_copy(update={"job_timeout": 600.0})
    with type(workshop.client)(create_app(settings)) as later:
        later.headers.update(workshop.client.headers)
        assert _replayed(later, asked, job_id)
        assert later.post("/v1/jobs", json=asked).status_code == 422
