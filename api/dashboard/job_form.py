"""A job as a form holds it: read from what was posted (or from the address), checked as a submission is."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, final

from pydantic import ValidationError

from api.dashboard.recipe_form import Leaf, Part, parts
from api.forecast_request import forecast_request
from api.problems import ProblemError, invalid
from api.services import Services
from api.submission import prepare, resolved
from core.forecast import Forecast
from core.ledger import Job
from core.overrides import explain
from core.recipe import FieldError
from core.request import JobOrder

PREFIX: Final = "recipe."
"""Prefix of the names that the recipe's fields have in the form."""

_FIRST: Final = {"dataset": "digits", "method": "mtt", "ipc": "1", "seed": "0"}


@final
@dataclass(frozen=True)
class JobForm:
    """The form's entries, as text; `changes` are the recipe's fields that differ from the method's own."""

    dataset: str
    method: str
    ipc: str
    seed: str
    changes: Mapping[str, Any]
    parts: tuple[Part, ...]
    """The recipe's fields before the changes; empty while there is no such recipe."""
    basis: str
    """Dataset, method and ipc that `parts` belong to, so that a form filled in for others is not taken for changes."""

    @classmethod
    def of(cls, fields: Mapping[str, str], services: Services) -> Self:
        """The draft in a form's fields; what is missing has the value of the first example."""
        asked = {name: fields.get(name, "").strip() or first for name, first in _FIRST.items()}
        basis = _basis(asked)
        given = fields.get("basis", "") or basis
        before = _parts(dict(zip(("dataset", "method", "ipc"), given.split("|"), strict=False)), services)
        leaves = {leaf.path: leaf for part in before for leaf in part.leaves}
        changes: dict[str, Any] = {}
        for name, text in fields.items():
            path = name.removeprefix(PREFIX)
            if path == name:
                continue
            leaf = leaves.get(path)
            if leaf is None:
                changes[path] = Leaf(path, None, "text", "").parse(text)
            elif text.strip() != leaf.text:
                changes[path] = leaf.parse(text)
        own = before if given == basis else _parts(asked, services)
        if not own:  # what was typed stays in sight while size or dataset are being put right
            own, basis = before, given
        return cls(**asked, changes=changes, parts=tuple(own), basis=basis)

    @classmethod
    def like(cls, job: Job, services: Services) -> Self:
        """The draft that asks for what a job asked for."""
        request = job.request
        asked = {name: str(request.get(name, first)) for name, first in _FIRST.items()}
        evaluation = {f"evaluation.{path}": value for path, value in request.get("evaluation", {}).items()}
        changes = {**request.get("overrides", {}), **evaluation}
        return cls(**asked, changes=changes, parts=tuple(_parts(asked, services)), basis=_basis(asked))

    def body(self) -> dict[str, Any]:
        """The body of POST /v1/jobs that asks for it."""
        seed = {"seed": _number(self.seed)} if self.seed != "0" else {}
        changes = {"overrides": dict(self.changes)} if self.changes else {}
        return {"dataset": self.dataset, "ipc": _number(self.ipc), "method": self.method, **changes, **seed}

    def order(self) -> JobOrder:
        """The order it makes.

        Raises:
            ProblemError: INVALID_REQUEST, as for a body.
        """
        try:
            return JobOrder.model_validate(self.body())
        except ValidationError as error:
            raise invalid([explain(detail, JobOrder, "") for detail in error.errors()]) from None

    def forecast(self, services: Services) -> tuple[Forecast | None, dict[str, FieldError]]:
        """The forecast of its cost, or its faults, each by the name of the form's field."""
        try:
            return forecast_request(services, prepare(self.order(), services.catalogue)), {}
        except ProblemError as problem:
            return None, faults(problem)

    def curl(self, base: str) -> str:
        """The command that asks for it over HTTP."""
        return f"curl --json {shlex.quote(json.dumps(self.body(), ensure_ascii=False))} {base}/v1/jobs"

    def command(self) -> str:
        """The command that asks for it, waits and downloads."""
        words = ["stillhouse", "distill", self.dataset, "--ipc", self.ipc, "--method", self.method]
        if self.seed != "0":
            words += ["--seed", self.seed]
        for path, value in self.changes.items():
            words += ["--set", f"{path}={value if isinstance(value, str) else json.dumps(value)}"]
        return shlex.join([*words, "--out", f"{self.dataset}-{self.method}-{self.ipc}"])


def faults(problem: ProblemError) -> dict[str, FieldError]:
    """The errors of a problem by the form's field each belongs to; those of none under an empty name."""
    found: dict[str, FieldError] = {}
    for error in problem.errors or (FieldError("", str(problem.detail), problem.hint or ""),):
        path = error.field.removeprefix("overrides.")
        field = error.field if error.field in ("dataset", "method", "ipc", "seed") else f"{PREFIX}{path}"
        found.setdefault(field, error)
    return found


def _basis(asked: Mapping[str, str]) -> str:
    return "|".join(asked[name] for name in ("dataset", "method", "ipc"))


def _parts(asked: Mapping[str, str], services: Services) -> list[Part]:
    """The fields of the method's own recipe there; none where there is no such recipe."""
    try:
        order = JobOrder(dataset=asked["dataset"], method=asked["method"], ipc=int(asked["ipc"]))
        _, recipe, _ = resolved(order, services.catalogue)
    except (ProblemError, ValueError, KeyError):
        return []
    return parts(recipe.model_dump(mode="json"))


def _number(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else text
