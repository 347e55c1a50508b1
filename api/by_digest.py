"""`/v1/artifacts/{digest}`: a result by its content, for those who have pinned it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from api.problems import Kind, ProblemError, responses
from api.schemas import Artifact
from api.services import ServicesDep
from core.artifacts.layout import MANIFEST

router = APIRouter(prefix="/v1/artifacts", tags=["artifacts"])

Digest = Annotated[
    str,
    Path(
        pattern="^sha256:[0-9a-f]{64}$",
        description="`sha256:` and the SHA-256 of the artifact's manifest.json, as `stillhouse.lock` has it.",
        examples=["sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    ),
]


@router.get(
    "/{digest}",
    operation_id="get_artifact",
    summary="Find an artifact by its digest",
    responses=responses(Kind.UNKNOWN_ARTIFACT, Kind.INVALID_REQUEST),
)
def get_artifact(services: ServicesDep, digest: Digest) -> Artifact:
    """The finished job that published these very bytes, and where they are.

    A request is answered from what was made before only as long as the engine would make the same; a digest is
    answered as long as the job is there.
    """
    job = services.ledger.publishing(MANIFEST, digest.removeprefix("sha256:"))
    if job is None:
        hint = "It was deleted, or made elsewhere. Ask for it anew: `stillhouse distill ... --lock FILE --relock`."
        raise ProblemError(Kind.UNKNOWN_ARTIFACT, f"No artifact here has the digest {digest}.", hint=hint)
    return Artifact.of(digest, job)
