"""The webhooks of a service, as objects: addresses that it tells when something has ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

from stillhouse.http import Http, path_to

Raw = dict[str, Any]


@final
class Webhooks:
    """Your webhooks; those of everybody for an administrator's key. What is shown is as the service says it, as JSON.

    A message is verified by the secret that `create` tells, by any library of Standard Webhooks.
    """

    def __init__(self, http: Http) -> None:
        self._http = http

    def all(self) -> list[Raw]:
        """The webhooks, oldest first, without their secrets."""
        return list(self._http.pages("/v1/webhooks"))

    def get(self, webhook_id: str) -> Raw:
        """One of them: its state, and why it fails if it does."""
        return dict(self._http.json("GET", path_to("/v1/webhooks/{}", webhook_id)))

    def create(self, url: str, events: Sequence[str] = ()) -> Raw:
        """A new one, told of these types of events, or of all; its `secret` is told this once."""
        asked = {"url": url, "events": list(events)}
        return dict(self._http.json("POST", "/v1/webhooks", body=asked, has=("id", "secret")))

    def change(
        self,
        webhook_id: str,
        *,
        url: str | None = None,
        events: Sequence[str] | None = None,
        enabled: bool | None = None,
    ) -> Raw:
        """Change what is given; `enabled=True` sends what has waited."""
        asked = {"url": url, "events": None if events is None else list(events), "enabled": enabled}
        body = {name: value for name, value in asked.items() if value is not None}
        return dict(self._http.json("PATCH", path_to("/v1/webhooks/{}", webhook_id), body=body, has=("state",)))

    def delete(self, webhook_id: str) -> None:
        """Send nothing there any more."""
        self._http.json("DELETE", path_to("/v1/webhooks/{}", webhook_id))

    def rotate(self, webhook_id: str, overlap: str = "24h") -> Raw:
        """A new `secret`, told this once; for so long the old one signs beside it."""
        path = path_to("/v1/webhooks/{}/rotate", webhook_id)
        return dict(self._http.json("POST", path, body={"overlap": overlap}, has=("id", "secret")))

    def test(self, webhook_id: str) -> Raw:
        """Send a message of the type webhook.test; its delivery."""
        return dict(self._http.json("POST", path_to("/v1/webhooks/{}/test", webhook_id), has=("id",)))

    def deliveries(self, webhook_id: str, state: str | None = None, limit: int = 50) -> list[Raw]:
        """Messages sent there, or waiting, newest first; only those `pending`, `delivered` or `failed`, if given."""
        return list(self._http.pages(path_to("/v1/webhooks/{}/deliveries", webhook_id), {"state": state}, most=limit))

    def replay(self, webhook_id: str, delivery_id: str) -> Raw:
        """Send a delivery again, under its id."""
        return dict(self._http.json("POST", path_to("/v1/webhooks/{}/deliveries/{}/replay", webhook_id, delivery_id)))
