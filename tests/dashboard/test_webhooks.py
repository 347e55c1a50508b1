"""`/webhooks` without a script: what the API can do with a webhook, and the secret on no other page."""

from __future__ import annotations

import re

from fastapi.testclient import TestClient

from api.services import Services
from core.ledger import Answer
from tests.api.workshop import ON_SQLITE

pytestmark = ON_SQLITE

TICKED = {"event:job.failed": "on"}


def test_a_webhook_is_made_tried_and_deleted_on_its_page(client: TestClient, services: Services) -> None:
    page = client.get("/webhooks").text
    assert 'action="/webhooks"' in page
    url = "https://example.org/<b>"
    made = client.post("/webhooks", data={"url": url, "event:job.failed": "on"})
    assert made.status_code == 201
    (secret,) = re.findall(r"whsec_[\w+/=]+", made.text)
    (webhook,) = services.ledger.webhooks.all()
    assert (webhook.url, webhook.events) == (url, ("job.failed",))
    path = f"/webhooks/{webhook.id}"
    client.post(f"{path}/test")
    (parcel,) = services.ledger.outbox.take(1, 60.0)
    assert services.ledger.outbox.conclude(parcel, Answer(None, "Nobody <i>answers</i>.", 1.0), None)
    page = client.get("/webhooks").text
    assert secret not in page
    assert "&lt;b&gt;" in page
    assert "Nobody &lt;i&gt;answers&lt;/i&gt;." in page
    assert f'action="{path}/enable"' in page, "it is disabled"
    client.post(f"{path}/deliveries/{parcel.id}/replay")
    client.post(f"{path}/enable")
    assert [each.id for each in services.ledger.outbox.take(1, 60.0)] == [parcel.id]
    client.post(f"{path}/enable?to=false")
    assert services.ledger.webhooks.get(webhook.id).state == "disabled"
    (new,) = re.findall(r"whsec_[\w+/=]+", client.post(f"{path}/rotate").text)
    assert new != secret
    assert client.post(f"{path}/delete", follow_redirects=False).headers["Location"] == "/webhooks"
    assert services.ledger.webhooks.all() == []
    assert client.post(f"{path}/test", headers={"Accept": "text/html"}).status_code == 404


def test_a_form_that_cannot_be_used_says_what_to_do(client: TestClient) -> None:
    for url, words in (("", "https://HOST/PATH"), ("https://127.0.0.1", "STILLHOUSE_WEBHOOK_NETWORKS")):
        refused = client.post("/webhooks", data={"url": url} | TICKED)
        assert refused.status_code == 422
        assert words in refused.text
    for _ in range(20):
        client.post("/webhooks", data={"url": "https://example.org"} | TICKED)
    full = client.post("/webhooks", data={"url": "https://example.org"} | TICKED)
    assert full.status_code == 409
    assert "Delete one that is not needed" in full.text


def test_a_webhook_with_nothing_ticked_is_not_told_of_everything(client: TestClient, services: Services) -> None:
    refused = client.post("/webhooks", data={"url": "https://example.org"})
    assert refused.status_code == 422
    assert "Tick at least one event" in refused.text
    assert services.ledger.webhooks.all() == []
