"""A client's request: the values it may have, its canonical form and its fingerprint."""

from __future__ import annotations

from core.request.digests import needs_c_scores, scored, with_digests_of
from core.request.identity import ENGINE_VERSION, canonical_json, fingerprint
from core.request.limits import MAX_SYNTHETIC_IMAGES, check
from core.request.order import MAX_WITHIN, SIZES, Ipc, JobOrder, JobRequest, Labels, Ratio, Within
from core.request.settled import recipe_of, resolve, settle, winners
from core.request.target import Target

__all__ = [
    "ENGINE_VERSION",
    "MAX_SYNTHETIC_IMAGES",
    "MAX_WITHIN",
    "SIZES",
    "Ipc",
    "JobOrder",
    "JobRequest",
    "Labels",
    "Ratio",
    "Target",
    "Within",
    "canonical_json",
    "check",
    "fingerprint",
    "needs_c_scores",
    "recipe_of",
    "resolve",
    "scored",
    "settle",
    "winners",
    "with_digests_of",
]
