"""Jobs, events, leases and artifacts in SQL: the truth of the service. `Ledger` is the door; the rest are values."""

from core.ids import new_upload_id
from core.ledger.arrivals import NoRoom
from core.ledger.database import AWAY
from core.ledger.keys import SCOPES, ApiKey, UnknownKey
from core.ledger.ledger import Ledger
from core.ledger.listing import Filters, Position
from core.ledger.outbox import EVENTS, Answer, Parcel
from core.ledger.remaining import phase_remaining, remaining
from core.ledger.types import (
    DISTILLATION,
    ENDED,
    HELD,
    Beat,
    Claim,
    DeliveryState,
    Document,
    Event,
    File,
    IdempotencyConflict,
    IllegalTransition,
    Job,
    Outcome,
    QuotaExceeded,
    Reach,
    ResultsFull,
    Sort,
    Status,
    Submission,
    Swept,
    UnknownJob,
    UploadState,
    WebhookState,
    Worker,
)
from core.ledger.uploads import UnknownUpload, Upload, UploadInUse, Uploads
from core.ledger.webhooks import Delivery, TooManyWebhooks, UnknownWebhook, Webhook, Webhooks

__all__ = [
    "AWAY",
    "DISTILLATION",
    "ENDED",
    "EVENTS",
    "HELD",
    "SCOPES",
    "Answer",
    "ApiKey",
    "Beat",
    "Claim",
    "Delivery",
    "DeliveryState",
    "Document",
    "Event",
    "File",
    "Filters",
    "IdempotencyConflict",
    "IllegalTransition",
    "Job",
    "Ledger",
    "NoRoom",
    "Outcome",
    "Parcel",
    "Position",
    "QuotaExceeded",
    "Reach",
    "ResultsFull",
    "Sort",
    "Status",
    "Submission",
    "Swept",
    "TooManyWebhooks",
    "UnknownJob",
    "UnknownKey",
    "UnknownUpload",
    "UnknownWebhook",
    "Upload",
    "UploadInUse",
    "UploadState",
    "Uploads",
    "Webhook",
    "WebhookState",
    "Webhooks",
    "Worker",
    "new_upload_id",
    "phase_remaining",
    "remaining",
]
