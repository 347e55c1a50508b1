"""`/v1/webhooks`: addresses of an owner's that are told what ends, and what was sent to each."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, Self

from fastapi import APIRouter, Body, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from api.jobs import json_only
from api.pagination import After, Limit, Page, cursor, position_of, slice_of
from api.problems import Kind, ProblemError, invalid, responses, sentence
from api.schemas import Shown
from api.services import Services, ServicesDep
from core import ledger
from core.durations import FORM, seconds_of
from core.ids import is_id
from core.ledger import EVENTS, NAMED, TooManyWebhooks, UnknownWebhook
from core.recipe import FieldError
from core.webhooks import LONGEST_URL, check_url

router = APIRouter(
    prefix="/v1/webhooks", tags=["webhooks"], responses=responses(Kind.INVALID_REQUEST, Kind.UNKNOWN_WEBHOOK)
)

LONGEST: Final = 30 * 86_400
"""Seconds that an old secret may go on signing."""

EventType = Literal[
    "job.succeeded", "job.failed", "job.cancelled", "job.paused", "dataset.ready", "dataset.invalid", "job.named"
]
assert EventType.__args__ == (*EVENTS, NAMED)  # type: ignore[attr-defined]

Url = Annotated[
    str,
    Field(
        min_length=1, max_length=LONGEST_URL, description="Where to POST to: `https://`.", examples=["https://x.y/z"]
    ),
]
Types = Annotated[
    list[EventType],
    Field(
        max_length=len(EVENTS) + 1,
        description="What it is told of; none: everything, also types to come. `job.named` alone: only what becomes of "
        "jobs that name it in their field `webhook`.",
    ),
]


class WebhookOrder(BaseModel):
    """A webhook to be made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Url
    events: Types = []


class WebhookChange(BaseModel):
    """The changes of a webhook."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Url | None = None
    events: Types | None = None
    enabled: bool | None = Field(
        default=None, description="True sends what has waited, however it came to be disabled; false lets all wait."
    )


class Rotation(BaseModel):
    """How the secret is to be changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    overlap: str = Field(
        default="24h",
        description="How long the old secret signs beside the new one: 0s to 30d.",
        examples=["24h", "0s"],
    )


class Webhook(Shown):
    """A webhook, without its secret."""

    object: Literal["webhook"] = "webhook"
    id: str
    owner: str
    url: str
    events: list[str] = Field(description="What it is told of; none: everything.")
    state: ledger.WebhookState = Field(
        description="`failing`: the last delivery was not taken; `disabled`: none is sent until it is enabled again."
    )
    problem: str | None = Field(description="Why it fails or is disabled.")
    failing_since: datetime | None
    old_secret_until: datetime | None = Field(description="Until then the secret before this one signs, too.")
    created_at: datetime

    @classmethod
    def of(cls, webhook: ledger.Webhook, **more: Any) -> Self:
        """The webhook as the ledger has it."""
        known = vars(webhook) | {"events": list(webhook.events), "old_secret_until": webhook.old_until}
        return cls.model_validate({name: known[name] for name in known if name != "old_until"} | more)


class NewWebhook(Webhook):
    """A webhook and, this once, its secret."""

    secret: str = Field(description="Verifies what comes, `whsec_...`. It is shown in this answer and in no other.")


class WebhookPage(Page[Webhook]):
    """Webhooks, oldest first."""


class DeliveryAnswer(Shown):
    """The outcome of one try."""

    at: datetime
    status: int | None = Field(description="The HTTP status of the answer; null where there was none.")
    problem: str | None = Field(description="Why it does not count as taken.")
    seconds: float


class Delivery(Shown):
    """A message to a webhook."""

    object: Literal["delivery"] = "delivery"
    id: str = Field(description="The header `webhook-id`, the same at every try and replay.")
    webhook_id: str
    type: str
    body: str = Field(description="As it is sent, byte by byte.")
    state: ledger.DeliveryState
    due_at: datetime | None = Field(description="When it is sent next.")
    attempts: int
    answers: list[DeliveryAnswer] = Field(description="Of the newest tries, oldest first.")
    created_at: datetime

    @classmethod
    def of(cls, delivery: ledger.Delivery) -> Self:
        """The delivery as the ledger has it."""
        return cls.model_validate(vars(delivery) | {"answers": list(delivery.answers)})


class DeliveryPage(Page[Delivery]):
    """Deliveries, newest first."""


Id = Annotated[str, Path(alias="id", description="The webhook's id, `hook_...`.")]
JSON: Any = {
    "dependencies": [Depends(json_only)],
    "responses": responses(Kind.MALFORMED_BODY, Kind.BODY_TOO_LARGE, Kind.UNSUPPORTED_MEDIA_TYPE),
}


def known_webhook(services: ServicesDep, webhook_id: Id) -> ledger.Webhook:
    """The webhook whose id is in the path."""
    try:
        return services.ledger.webhooks.get(webhook_id)
    except UnknownWebhook:
        hint = "GET /v1/webhooks, or the page /webhooks, lists those there are."
        raise ProblemError(Kind.UNKNOWN_WEBHOOK, "No webhook has the id in the path.", hint=hint) from None


Known = Annotated[ledger.Webhook, Depends(known_webhook)]


@router.get("", operation_id="list_webhooks", summary="List the webhooks", responses=responses(Kind.INVALID_CURSOR))
def list_webhooks(services: ServicesDep, limit: Limit = 50, after: After = None) -> WebhookPage:
    """Your webhooks, or everybody's if your key is an administrator's; no secret is among it."""
    found, following = slice_of(services.ledger.webhooks.all(), lambda each: each.id, "webhooks", limit, after)
    return WebhookPage(items=[Webhook.of(each) for each in found], next=following)


@router.post(
    "",
    operation_id="create_webhook",
    summary="Make a webhook",
    status_code=201,
    dependencies=JSON["dependencies"],
    responses=JSON["responses"] | responses(Kind.TOO_MANY_WEBHOOKS),
)
def create_webhook(services: ServicesDep, order: Annotated[WebhookOrder, Body()]) -> NewWebhook:
    """From now on the address is sent a small signed message when a job of yours or an inspection has ended.

    Messages follow the Standard Webhooks specification: the answer's `secret` verifies them with any of its libraries.
    Each is written in the transaction of what it tells, and sent until the receiver answers 2xx, at growing
    intervals; it may come twice, under the same `webhook-id`. A webhook ends with the key that it was made with.
    """
    made, secret = make_webhook(services, order)
    return NewWebhook.of(made, secret=secret)


@router.get("/{id}", operation_id="get_webhook", summary="Look at a webhook")
def get_webhook(webhook: Known) -> Webhook:
    """Where it leads, what it is told of, and whether that works."""
    return Webhook.of(webhook)


@router.patch("/{id}", operation_id="change_webhook", summary="Change a webhook", **JSON)
def change_webhook(services: ServicesDep, webhook: Known, order: Annotated[WebhookChange, Body()]) -> Webhook:
    """Fields that are given replace what was; the secret stays. Enabled, it ends with the key that enabled it."""
    if order.url is not None:
        check_target(services, order.url)
    key_id = services.caller.id if services.caller else None
    changed = services.ledger.webhooks.change(webhook.id, order.url, order.events, order.enabled, key_id)
    return Webhook.of(changed)


@router.delete("/{id}", operation_id="delete_webhook", summary="Delete a webhook", status_code=204)
def delete_webhook(services: ServicesDep, webhook: Known) -> None:
    """Nothing is sent there any more; what waited is forgotten, and so is what was sent."""
    services.ledger.webhooks.delete(webhook.id)


@router.post(
    "/{id}/rotate",
    operation_id="rotate_webhook",
    summary="Change a webhook's secret",
    responses=responses(Kind.MALFORMED_BODY, Kind.BODY_TOO_LARGE),
)
def rotate_webhook(
    services: ServicesDep, webhook: Known, order: Annotated[Rotation | None, Body()] = None
) -> NewWebhook:
    """The answer holds the new secret, once. While both are good, each message is signed with both."""
    try:
        seconds = seconds_of((order or Rotation()).overlap)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= LONGEST:
        told = f"An old secret goes on for {FORM}, and 30 days at most."
        raise invalid([FieldError("overlap", told, "Set overlap to '24h', or to '0s' to end the old one now.")])
    rotated, secret = services.ledger.webhooks.rotate(webhook.id, timedelta(seconds=seconds))
    return NewWebhook.of(rotated, secret=secret)


@router.post("/{id}/test", operation_id="test_webhook", summary="Send a webhook a test", status_code=202)
def test_webhook(services: ServicesDep, webhook: Known) -> Delivery:
    """A message of the type `webhook.test` is on its way; what came of it is among the deliveries."""
    return Delivery.of(services.ledger.webhooks.test(webhook.id))


@router.get(
    "/{id}/deliveries",
    operation_id="list_deliveries",
    summary="List what a webhook was sent",
    responses=responses(Kind.INVALID_CURSOR),
)
def list_deliveries(
    services: ServicesDep,
    webhook: Known,
    state: Annotated[ledger.DeliveryState | None, Query(description="Only those in this state.")] = None,
    limit: Limit = 50,
    after: After = None,
) -> DeliveryPage:
    """Messages sent, or waiting to be, newest first, with the status of each answer; kept for 30 days."""
    listing = f"deliveries of {webhook.id} in {state}"
    position = None if after is None else position_of(listing, after, _delivery_id)
    found = services.ledger.webhooks.deliveries(webhook.id, limit + 1, position, state)
    more = cursor(listing, [found[limit - 1].id]) if len(found) > limit else None
    return DeliveryPage(items=[Delivery.of(each) for each in found[:limit]], next=more)


@router.post(
    "/{id}/deliveries/{delivery_id}/replay",
    operation_id="replay_delivery",
    summary="Send a delivery again",
    status_code=202,
    responses=responses(Kind.UNKNOWN_DELIVERY),
)
def replay_delivery(
    services: ServicesDep,
    webhook: Known,
    delivery_id: Annotated[str, Path(max_length=100, description="The delivery's id, `msg_...`.")],
) -> Delivery:
    """The same bytes under the same `webhook-id`, signed anew, whatever became of it; tried as often as a new one."""
    try:
        return Delivery.of(services.ledger.webhooks.replay(webhook.id, delivery_id))
    except UnknownWebhook:
        hint = f"GET /v1/webhooks/{webhook.id}/deliveries lists what can be sent again."
        raise ProblemError(Kind.UNKNOWN_DELIVERY, "No delivery has the id in the path.", hint=hint) from None


def make_webhook(services: Services, order: WebhookOrder) -> tuple[ledger.Webhook, str]:
    """The new webhook and its secret. Raises ProblemError."""
    check_target(services, order.url)
    key_id = services.caller.id if services.caller else None
    try:
        return services.ledger.webhooks.create(order.url, order.events, key_id)
    except TooManyWebhooks as error:
        hint = "Delete one that is not needed: DELETE /v1/webhooks/{id}."
        raise ProblemError(Kind.TOO_MANY_WEBHOOKS, sentence(error), hint=hint) from None


def check_target(services: Services, url: str) -> None:
    """Raise ProblemError where webhooks may not lead there."""
    try:
        check_url(url, services.settings.webhook_targets)
    except ValueError as error:
        told, _, fix = str(error).partition(": ")
        raise invalid([FieldError("url", f"{told}.", f"{fix[:1].upper()}{fix[1:]}")]) from None


def _delivery_id(text: str) -> str:
    if not is_id("msg", text):
        raise ValueError("no place in the list")
    return text
