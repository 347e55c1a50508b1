"""The base class of a recipe's parts, and the error that refuses a combination that means nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with a request: the field's path, what is wrong, and what to do about it."""

    field: str
    message: str
    fix: str


class RecipeError(ValueError):
    """A recipe that cannot be built; `errors` names every field at fault and its fix."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(f"{e.field}: {e.message} {e.fix}" for e in self.errors))


def invalid_combination(field: str, message: str, fix: str) -> PydanticCustomError:
    """The error a validator raises for a combination that means nothing; `fix` is a sentence for the user."""
    return PydanticCustomError("meaningless", "{message} {fix}", {"field": field, "message": message, "fix": fix})


def or_auto(number: str) -> WrapValidator:
    """Marks a field that is a number or "auto": what is neither gets one error, not the two of a union."""

    def one_error(value: object, valid: ValidatorFunctionWrapHandler) -> object:
        try:
            return valid(value)
        except ValidationError:
            expected = {"expected": f"{number}, or 'auto'"}
            raise PydanticCustomError("or_auto", "This is out of range", expected) from None

    return WrapValidator(one_error)


@dataclass(frozen=True)
class Later:
    """Marks a field that recipes gained when results already had fingerprints.

    At the value `neutral` it changes no number and is no part of a fingerprint: results from before are found again.
    """

    neutral: JsonValue


class Component(BaseModel):
    """Frozen data with no room for a misspelt field."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

    def identity(self) -> dict[str, Any]:
        """Its JSON without the later fields that change nothing, at any depth."""
        dumped: dict[str, Any] = self.model_dump(mode="json")
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if any(isinstance(mark, Later) and mark.neutral == dumped[name] for mark in field.metadata):
                del dumped[name]
            elif isinstance(value, Component):
                dumped[name] = value.identity()
            elif isinstance(value, tuple):
                dumped[name] = [
                    each.identity() if isinstance(each, Component) else plain
                    for each, plain in zip(value, dumped[name], strict=True)
                ]
        return dumped
