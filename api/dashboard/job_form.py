"""A job as a form holds it: read from what was posted (or from the address), checked as a submission is."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, final
from urllib.parse import parse_qsl, urlencode

from pydantic import ValidationError

from api.dashboard.recipe_form import Part, parts
from api.dashboard.schema_fields import Leaf, leaf, spelled
from api.dashboard.schema_fields import words as pairs
from api.forecast_request import forecast_request
from api.problems import ProblemError, invalid
from api.services import Services
from api.submission import prepare, resolved
from core.durations import written
from core.forecast import Forecast
from core.ledger import Job
from core.methods import AUTO
from core.methods.automatic import SHARED
from core.overrides import explain
from core.recipe import FieldError
from core.request import JobOrder, Target

PREFIX: Final = "recipe."
"""Prefix of the names that the recipe's fields have in the form."""

ALSO: Final = "also."
"""Prefix of the names of what an earlier job asked for in fields that requests have no more."""

_CHANGES: Final = ("overrides", "evaluation")
_SCHEMA: Final = JobOrder.model_json_schema()

LEAVES: Final[Mapping[str, Leaf]] = {
    name: leaf(name, node, node.get("default"), _SCHEMA)
    for name, node in _SCHEMA["properties"].items()
    if name not in _CHANGES
}
"""Every field of a request but those that change the recipe, whose own fields the form shows, too."""

_BOTH: Final = ("share",)
"""Fields of a request that are the recipe's, too: the form has one of them, the request's."""

_ELSEWHERE: Final = "The method's own recipe has no such field: empty it to leave it out."

SIZES: Final = tuple(each["required"][0] for each in _SCHEMA["oneOf"])
"""The fields of which a request has one: how small."""

_BLANK: Final = {name: "" if each.value is None else each.text for name, each in LEAVES.items()}
FIRST: Final = _BLANK | {"dataset": "digits", "ipc": "10", "within": "20m"}
"""The entries of the first example."""


@final
@dataclass(frozen=True)
class JobForm:
    """The form's entries; `changes` are the recipe's fields that differ from the method's own."""

    entries: Mapping[str, str]
    """Text by field of the request, for every one of `LEAVES`; empty where it says nothing."""
    kept: Mapping[str, Any]
    """Values of fields that only an earlier job had."""
    changes: Mapping[str, Any]
    parts: tuple[Part, ...]
    """The recipe's fields before the changes, then those that only the changes have; empty while there is neither."""
    basis: str
    """The entries that `parts` belong to, so that a form filled in for others is not taken for changes."""

    @classmethod
    def of(cls, fields: Mapping[str, str], services: Services, earlier: Job | None = None) -> Self:
        """The form as its fields have it; what is missing is as an `earlier` job has it, or the first example."""
        entries, kept, changes = _of_job(earlier) if earlier else (_before(fields), {}, {})
        if any(name in fields for name in SIZES):
            entries |= dict.fromkeys(SIZES, "")
        entries |= {name: fields[name].strip() for name in LEAVES if name in fields}
        if entries["target"]:  # it is entered beside a number that is there already, and takes its place
            entries["ipc"] = ""
        basis = _basis(entries)
        given = fields.get("basis", "") or basis
        before = _parts(dict(parse_qsl(given)), services)
        leaves = {each.path: each for part in before for each in part.leaves}
        for name, text in fields.items():
            if name.startswith(ALSO):
                kept |= {name.removeprefix(ALSO): _loose(text)} if text.strip() else {}
            if not name.startswith(PREFIX):
                continue
            path = name.removeprefix(PREFIX)
            known = leaves.get(path)
            if path in _BOTH:
                entries[path] = fields.get(path, text).strip()
            elif known is None and text.strip():
                changes[path] = _loose(text)
            elif known is None:
                changes.pop(path, None)
            elif text.strip() != known.text:
                changes[path] = known.parse(text)
            else:
                changes.pop(path, None)  # which an earlier job had changed
        own = before if given == basis else _parts(entries, services)
        if not own:  # what was typed stays in sight while size or dataset are being put right
            own, basis = before, given
        of_own = {each.path for part in own for each in part.leaves}
        others = tuple(Leaf(path, "", "text", _ELSEWHERE) for path in changes if path not in of_own)
        own += [Part("", "More", "fields that the method's own recipe does not have", others)] if others else []
        return cls(entries, kept, changes, tuple(own), basis)

    @property
    def given(self) -> dict[str, Any]:
        """The fields of the request that say something, by name: what is missing or the default says nothing."""
        return {
            name: each.parse(self.entries[name])
            for name, each in LEAVES.items()
            if self.entries[name] and not (each.value is not None and self.entries[name] == each.text)
        }

    def body(self) -> dict[str, Any]:
        """The body of POST /v1/jobs that asks for it."""
        return {**self.given, **({"overrides": dict(self.changes)} if self.changes else {}), **self.kept}

    def address(self, **changes: str) -> str:
        """The page's address with these entries, and with others in the place of some; the method only if chosen."""
        entries = {**self.entries, **changes}
        before = _before(entries if entries["method"] != FIRST["method"] else {})
        said = {name: text for name, text in entries.items() if text != before[name] or name in ("dataset", *SIZES)}
        said = {name: text for name, text in said.items() if text or name not in SIZES}
        recipe = {f"{PREFIX}{path}": spelled(value) for path, value in self.changes.items()}
        kept = {f"{ALSO}{name}": spelled(value) for name, value in self.kept.items()}
        return f"/new?{urlencode({**said, **recipe, **kept})}"

    def order(self) -> JobOrder:
        """The order it makes.

        Raises:
            ProblemError: INVALID_REQUEST, as for a body.
        """
        return _order(self.body())

    def forecast(self, services: Services) -> tuple[Forecast | None, dict[str, FieldError]]:
        """The forecast of its cost, or its faults, each by the name of the form's field."""
        try:
            return forecast_request(services, prepare(self.order(), services.catalogue)), {}
        except ProblemError as problem:
            return None, self.faults(problem)

    def faults(self, problem: ProblemError) -> dict[str, FieldError]:
        """The errors of a problem by the form's field each belongs to; those of none under their own name."""
        found: dict[str, FieldError] = {}
        for error in problem.errors or (FieldError("", str(problem.detail), problem.hint or ""),):
            head, _, rest = error.field.partition(".")
            if head in LEAVES:
                field = head
            elif head in _CHANGES and rest in _BOTH:
                field = rest
            elif head in _CHANGES:
                field = PREFIX + (rest if head == "overrides" else error.field)
            else:
                field = ALSO + head if head in self.kept else error.field
            if field in LEAVES and LEAVES[field].pairs and not isinstance(self.given.get(field), Mapping):
                told = "This says no word and its value."
                error = FieldError(error.field, told, "Write KEY=VALUE, several with spaces between.")
            found.setdefault(field, error)
        return found

    def curl(self, base: str, key: str) -> str:
        """The command that asks for it over HTTP; `key` are the words that show a key, where one is wanted."""
        return f"curl {key}--json {shlex.quote(json.dumps(self.body(), ensure_ascii=False))} {base}/v1/jobs"

    def command(self) -> str:
        """The command that asks for it, waits and downloads."""
        given = self.given
        dataset, method = str(given.pop("dataset", "")), given.pop("method", None)
        sizes = {name: given.pop(name) for name in SIZES if name in given}
        words = ["stillhouse", "distill", dataset]
        for name, value in {**sizes, **({"method": method} if method else {}), **given}.items():
            option = f"--{name.replace('_', '-')}"
            texts = pairs(value) if isinstance(value, Mapping) else [] if value is True else [spelled(value)]
            words += [word for text in texts for word in (option, text)] if texts else [option]
        for path, value in self.changes.items():
            words += ["--set", f"{path}={spelled(value)}"]
        named = [spelled(each) for each in (dataset, method, *sizes.values()) if each]
        return shlex.join([*words, "--out", re.sub(r"[^\w.]+", "-", "-".join(named)).strip("-.") or "distilled"])


def _before(fields: Mapping[str, str]) -> dict[str, str]:
    """The entries of a form that nobody has filled in: whoever names a method asks for it as it is, in any time."""
    return dict(FIRST) | ({"within": ""} if "method" in fields else {})


def _of_job(job: Job) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
    """The entries, the fields unknown here and the changes that ask for what a job asked for."""
    entries, kept = dict(_BLANK), dict[str, Any]()
    target = job.request.get("target")
    for name, value in {**job.request, **({"metadata": job.metadata} if job.metadata else {})}.items():
        if name in LEAVES:
            timed = name == "within" and isinstance(value, int)
            entries[name] = "" if value is None else written(value) if timed else LEAVES[name].spell(value)
        elif name not in _CHANGES:
            kept[name] = value
    if target:  # it looks for the size, which its request has to begin with
        entries |= {"ipc": "", "target": Target.model_validate(target).written}
    changes = dict(job.request.get("overrides", {}))
    entries |= {name: spelled(changes.pop(name)) for name in _BOTH if name in changes}
    evaluation = {f"evaluation.{path}": value for path, value in job.request.get("evaluation", {}).items()}
    return entries, kept, {**changes, **evaluation}


def _basis(entries: Mapping[str, str]) -> str:
    return urlencode({name: entries[name] for name in ("dataset", "method", *SIZES) if entries.get(name)})


def _parts(entries: Mapping[str, str], services: Services) -> list[Part]:
    """The fields of the method's own recipe there; none where there is no such recipe."""
    body = {name: LEAVES[name].parse(text) for name, text in parse_qsl(_basis(entries))}
    try:
        _, recipe, _ = resolved(_order(body), services.catalogue)
    except ProblemError:
        return []
    hidden = set(_BOTH) if body.get("method") != AUTO else {*_BOTH, *(set(type(recipe).model_fields) - set(SHARED))}
    return parts({part: each for part, each in recipe.model_dump(mode="json").items() if part not in hidden})


def _order(body: Mapping[str, Any]) -> JobOrder:
    try:
        return JobOrder.model_validate(body)
    except ValidationError as error:
        raise invalid([explain(detail, JobOrder, "") for detail in error.errors()]) from None


def _loose(text: str) -> Any:
    """The value of a field that no schema speaks of."""
    return Leaf("", None, "text", "").parse(text)
