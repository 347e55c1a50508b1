"""Change any field of a recipe by its path; say what is wrong in the user's own field names."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from core.recipe import FieldError, Recipe, RecipeError

_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
_LENGTHS = {"min_length": "at least", "max_length": "at most"}
_FIXES = {
    "missing": "Add it.",
    "int_type": "Use an integer, without quotes.",
    "int_parsing": "Use an integer.",
    "int_from_float": "Use an integer.",
    "int_parsing_size": "Use a smaller integer.",
    "string_type": "Use a string, in quotes.",
    "dict_type": "Use an object: {...}.",
    "model_attributes_type": "Send a JSON object: {...}.",
    "float_parsing": "Use a number.",
    "float_type": "Use a number, without quotes.",
    "finite_number": "Use a finite number.",
    "string_unicode": "Use plain text, without half a surrogate pair.",
}

MOST_ERRORS = 50
"""Errors of one request that are explained: a hundred thousand would take seconds, and nobody reads them."""


def override(recipe: Recipe, changes: Mapping[str, Any], *, prefix: str = "overrides.") -> Recipe:
    """The recipe with `changes` applied: {"objective.syn_steps": 20, "preprocess.kind": "zca"}.

    Changing a `kind` starts that part afresh from its defaults; a part may also be given whole, as an object, and then
    be changed further. The order of `changes` does not matter.

    Raises:
        RecipeError: unknown path, value out of range, or a combination that means nothing; every error has its fix.
    """
    tree = recipe.model_dump(mode="json")
    # Whole parts are set before what is changed in them, and a kind, which decides its part's fields, before those.
    for path in sorted(changes, key=lambda path: (path.count("."), not path.endswith("kind"), path)):
        _set(tree, path, changes[path], prefix)
    try:
        return Recipe.model_validate(tree)
    except ValidationError as error:
        details = error.errors(include_url=False)[:MOST_ERRORS]
        raise RecipeError([explain(detail, Recipe, prefix) for detail in details]) from None


def explain(detail: ErrorDetails, model: type[BaseModel], prefix: str) -> FieldError:
    """One pydantic error as the field, the fault and the fix, without the tags of discriminated unions."""
    context = detail.get("ctx", {})
    path, allowed = _walk(model, detail["loc"])
    if detail["type"] == "meaningless":
        return FieldError(prefix + ".".join([*path, context["field"]]), context["message"], context["fix"])
    field = prefix + ".".join(path)
    if detail["type"] == "extra_forbidden":
        return FieldError(field, f"There is no field '{path[-1]}' here.", _suggest(path[-1], allowed))
    if detail["type"].startswith("union_tag"):
        return FieldError(
            f"{field}.kind", f"{detail['msg']}.", f"Use one of {context.get('expected_tags', 'the kinds')}."
        )
    return FieldError(field, f"{detail['msg']}.", fix(detail) or "See the JSON Schema in GET /v1/methods/{name}.")


def fields_at(model: type[BaseModel], location: Sequence[int | str]) -> tuple[str, ...]:
    """The names of the fields known where a location in a model ends."""
    return _walk(model, location)[1]


def fix(detail: Mapping[str, Any]) -> str | None:
    """The sentence that mends a value one of pydantic's errors is about; None if there is no more to say."""
    context = detail.get("ctx", {})
    for bound, words in _BOUNDS.items():
        if bound in context:
            return f"Use a value of {words} {context[bound]}."
    for bound, words in _LENGTHS.items():
        if bound in context:
            return f"Use {words} {context[bound]} characters or entries."
    return f"Use {context['expected']}." if "expected" in context else _FIXES.get(detail["type"])


def nearest(word: str, known: typing.Iterable[str]) -> str:
    """A sentence that offers the closest known names, or all of them."""
    return _suggest(word, tuple(known))


def _suggest(word: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(word[:100], known, n=1)
    return f"Did you mean '{close[0]}'?" if close else f"Use one of: {', '.join(known)}."


def _set(tree: dict[str, Any], path: str, value: Any, prefix: str) -> None:
    *parents, leaf = path.split(".")
    node: dict[str, Any] = tree
    for depth, name in enumerate(parents):
        if name not in node and "kind" not in node:
            raise RecipeError([_unknown(prefix + path, name, node)])
        child = node.get(name)
        if child is None and depth == len(parents) - 1:
            child = node[name] = {}  # an optional part that was left out, now wanted
        if not isinstance(child, dict):
            raise RecipeError([FieldError(prefix + path, f"'{name}' has no field '{leaf}'.", f"Set '{name}' itself.")])
        node = child
    if leaf == "kind" and parents and node.get("kind") != value:
        node.clear()
    elif not parents and leaf not in node:
        raise RecipeError([_unknown(prefix + path, leaf, node)])
    node[leaf] = value


def _unknown(field: str, name: str, node: Mapping[str, Any]) -> FieldError:
    return FieldError(field, f"There is no field '{name}' here.", _suggest(name, tuple(node)))


def _walk(model: type[BaseModel], location: Sequence[int | str]) -> tuple[list[str], tuple[str, ...]]:
    """The location as a user writes it, and the field names known where it ends."""
    path: list[str] = []
    node: type[BaseModel] | None = model
    choices: dict[str, type[BaseModel]] = {}
    fields = tuple(model.model_fields)
    for step in location:
        if choices and step in choices:  # the tag of a union, not a field
            node, choices = choices[str(step)], {}
            fields = tuple(node.model_fields)
            continue
        path.append(str(step))
        if node is None or step not in node.model_fields:
            continue
        models = _models(node.model_fields[str(step)].annotation)
        choices = {_tag(m): m for m in models} if len(models) > 1 else {}
        node = models[0] if len(models) == 1 else None
        fields = tuple(node.model_fields) if node else fields
    return path, fields


def _models(annotation: Any) -> list[type[BaseModel]]:
    while typing.get_origin(annotation) in (typing.Annotated, tuple):  # of a list the kinds of its items
        annotation = typing.get_args(annotation)[0]
    options = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    return [option for option in options if isinstance(option, type) and issubclass(option, BaseModel)]


def _tag(model: type[BaseModel]) -> str:
    return str(model.model_fields["kind"].default) if "kind" in model.model_fields else model.__name__
