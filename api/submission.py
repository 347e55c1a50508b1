"""From what a client asks for to what the ledger stores: names looked up, recipe resolved, fingerprint taken."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, final

from api.continuation import Earlier
from api.problems import invalid, sentence
from api.visible_datasets import VisibleDatasets
from core import methods
from core.data import DatasetFacts, DatasetInvalid, UnknownDataset
from core.feasibility import source, sourced
from core.recipe import FieldError, Recipe, RecipeError
from core.request import JobOrder, JobRequest, canonical_json, fingerprint, needs_c_scores, resolve, scored, settle


@final
@dataclass(frozen=True)
class Prepared:
    """A request that makes sense."""

    request: dict[str, Any]
    recipe: Recipe
    facts: DatasetFacts
    fingerprint: str | None
    """None while the dataset is not on disk: then nobody knows yet what would be distilled."""
    body_hash: str
    metadata: dict[str, str]
    """Words that change nothing about the job, and are no part of the request."""


def prepare(order: JobOrder, catalogue: VisibleDatasets, earlier: Earlier | None = None) -> Prepared:
    """Everything the ledger is to know about what was asked for; a price needs no look at `earlier` jobs.

    Raises:
        ProblemError: INVALID_REQUEST, naming every field at fault and its fix.
    """
    request, recipe, facts = resolved(order, catalogue)
    if request.continue_from and earlier is not None:
        request = earlier.request(request, recipe, facts)
    return Prepared(
        request.model_dump(mode="json"),
        recipe,
        facts,
        fingerprint(request, recipe, facts.digest) if facts.digest else None,
        body_hash(order),
        order.metadata,
    )


def body_hash(order: JobOrder) -> str:
    """The digest of an order as it was sent: it says nothing of what the order means by now.

    Raises:
        ProblemError: INVALID_REQUEST, it holds what JSON cannot.
    """
    try:
        sent = canonical_json(order.model_dump(exclude_unset=True)).encode()
    except ValueError:
        error = FieldError(
            "overrides", "It holds NaN, infinity or half a surrogate pair.", "Use finite numbers and plain text."
        )
        raise invalid([error]) from None
    return hashlib.sha256(sent).hexdigest()


def resolved(order: JobOrder, catalogue: VisibleDatasets) -> tuple[JobRequest, Recipe, DatasetFacts]:
    """The request that an order means, its recipe and the facts of its dataset, which an order may call by its title.

    Raises:
        ProblemError: INVALID_REQUEST, naming every field at fault and its fix.
    """
    errors, facts = [], None
    try:
        order = order.model_copy(update={"dataset": catalogue.named(order.dataset)})
        facts = catalogue.facts(order.dataset)
    except (UnknownDataset, DatasetInvalid) as error:
        errors.append(FieldError("dataset", sentence(error), "GET /v1/datasets lists the names that can be used."))
    try:
        methods.method(order.method)
    except methods.UnknownMethod as error:
        errors.append(FieldError("method", sentence(error), "GET /v1/methods lists the names."))
    if errors or facts is None:
        raise invalid(errors)
    try:
        request = settle(order, facts)
        recipe = resolve(request, facts)
        if needs_c_scores(recipe):
            recipe = scored(recipe, catalogue.c_scores(order.dataset).digest)
        if (origin := source(recipe)) is not None:
            recipe = sourced(recipe, _origin(origin, catalogue, facts), facts)
        return request, recipe, facts
    except RecipeError as error:
        raise invalid(error.errors) from None
    except DatasetInvalid as error:
        other = "Or set init.score.kind to 'forgetting', 'el2n' or 'dual', which the service computes."
        raise invalid([FieldError("overrides.init.score.kind", sentence(error), other)]) from None


def _origin(word: str, catalogue: VisibleDatasets, facts: DatasetFacts) -> DatasetFacts:
    """The facts of the dataset that a generator is to be meta-trained on, by its name or its title."""
    path, other = "overrides.init.source", "set init.source to null, to meta-train on the dataset itself."
    try:
        origin = catalogue.facts(catalogue.named(word))
    except (UnknownDataset, DatasetInvalid) as error:
        raise invalid([FieldError(path, sentence(error), f"Or {other}")]) from None
    if origin.source == "formula":
        told = f"'{origin.name}' is a regression, and has no classes."
        raise invalid([FieldError(path, told, f"Name a dataset of {facts.kind}, or {other}")])
    if origin.kind != facts.kind:
        told = f"'{origin.label}' holds {origin.kind}, and '{facts.label}' {facts.kind}."
        raise invalid([FieldError(path, told, f"Name a source of {facts.kind}, or {other}")])
    return origin
