"""`/webhooks`: the owner's webhooks, what each was sent, and the buttons that change them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.dashboard.forms import Posted
from api.dashboard.rendering import page
from api.problems import ProblemError
from api.services import Services, ServicesDep
from api.webhooks import Known, WebhookOrder, make_webhook, replay_delivery
from core.ledger import EVENTS

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_SHOWN: Final = 20
_OVERLAP: Final = timedelta(days=1)


@router.get("/webhooks")
def show_webhooks(request: Request, services: ServicesDep) -> HTMLResponse:
    """The webhooks and the newest deliveries of each."""
    return _shown(request, services)


@router.post("/webhooks")
def make(request: Request, services: ServicesDep, posted: Posted) -> HTMLResponse:
    """A new webhook; this answer is the only page that ever shows its secret."""
    events = [event for event in EVENTS if f"event:{event}" in posted]
    if not events:  # in a request none means all
        return _shown(request, services, 422, fault="Tick at least one event that the webhook is to be told of.")
    try:
        asked = {"url": posted.get("url", "").strip(), "events": [] if len(events) == len(EVENTS) else events}
        made, secret = make_webhook(services, WebhookOrder.model_validate(asked))
    except ValueError:
        return _shown(request, services, 422, fault="A webhook needs an address: https://HOST/PATH.")
    except ProblemError as problem:
        said = [f"{error.message} {error.fix}" for error in problem.errors] or [str(problem.detail), problem.hint or ""]
        return _shown(request, services, problem.status_code, fault=" ".join(said))
    return _shown(request, services, 201, secret=secret, made=made)


@router.post("/webhooks/{id}/rotate")
def rotate(request: Request, services: ServicesDep, webhook: Known) -> HTMLResponse:
    """A new secret, shown this once; the old one signs for another day."""
    made, secret = services.ledger.webhooks.rotate(webhook.id, _OVERLAP)
    return _shown(request, services, secret=secret, made=made)


@router.post("/webhooks/{id}/test")
def send_test(services: ServicesDep, webhook: Known) -> Response:
    """A message that says nothing."""
    services.ledger.webhooks.test(webhook.id)
    return _back(webhook.id)


@router.post("/webhooks/{id}/enable")
def enable(services: ServicesDep, webhook: Known, to: bool = True) -> Response:
    """Sends what has waited, or lets all wait."""
    key_id = services.caller.id if services.caller else None
    services.ledger.webhooks.change(webhook.id, enabled=to, key_id=key_id)
    return _back(webhook.id)


@router.post("/webhooks/{id}/delete")
def delete(services: ServicesDep, webhook: Known) -> Response:
    """Nothing is sent there any more."""
    services.ledger.webhooks.delete(webhook.id)
    return RedirectResponse("/webhooks", 303)


@router.post("/webhooks/{id}/deliveries/{delivery_id}/replay")
def replay(services: ServicesDep, webhook: Known, delivery_id: str) -> Response:
    """The same message again."""
    replay_delivery(services, webhook, delivery_id)
    return _back(webhook.id)


def _back(webhook_id: str) -> RedirectResponse:
    return RedirectResponse(f"/webhooks#{webhook_id}", 303)


def _shown(request: Request, services: Services, status_code: int = 200, **content: Any) -> HTMLResponse:
    webhooks = services.ledger.webhooks
    found = [(webhook, webhooks.deliveries(webhook.id, _SHOWN)) for webhook in webhooks.all()]
    return page(
        request,
        "webhooks.html",
        status_code,
        webhooks=found,
        events=EVENTS,
        owners=len({webhook.owner for webhook, _ in found}) > 1,
        **{"secret": None, "made": None, "fault": None} | content,
    )
