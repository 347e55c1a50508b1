"""The outcome that a client asks for in the place of a size: an accuracy, or a share of the gap."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, final

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from core.recipe import invalid_combination

Share = Annotated[float, Field(gt=0, lt=1, strict=True, allow_inf_nan=False)]

_WRITTEN: Final = re.compile(r"(?:(accuracy|gap)[:= ]\s*)?([0-9]{1,3}(?:\.[0-9]{1,3})?) ?%")
_FIX: Final = "Write '80%' for an accuracy, 'gap:50%' for half of the gap."


@final
class Target(BaseModel):
    """The accuracy to be reached, or the share of the gap between random images and everything to be closed.

    It is written '80%' or 'gap:50%', too.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"oneOf": [{"required": ["accuracy"]}, {"required": ["gap"]}]}
    )

    # 0 stands for what was left out, as in `JobOrder`.
    accuracy: Share = Field(default_factory=float, description="Test accuracy of fresh networks.")
    gap: Share = Field(
        default_factory=float, description="Share of the gap between as many random images and the whole set."
    )

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        text = {"type": "string", "maxLength": 20, "pattern": f"^{_WRITTEN.pattern}$", "examples": ["80%", "gap:50%"]}
        return {"anyOf": [handler.resolve_ref_schema(handler(core_schema)), text]}

    @model_serializer(mode="wrap")
    def _given(self, dump: SerializerFunctionWrapHandler) -> dict[str, float]:
        found: dict[str, float] = dump(self)
        return {name: share for name, share in found.items() if share}

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        found = _WRITTEN.fullmatch(value.strip())
        if found is None or not 0 < float(found[2]) < 100:
            raise invalid_combination("target", f"'{value}' is no target between 0 and 100 %.", _FIX)
        return {found[1] or "accuracy": round(float(found[2]) / 100, 6)}

    @model_validator(mode="after")
    def _one(self) -> Target:
        if len(self.model_fields_set) != 1:
            raise invalid_combination(
                "target.accuracy", "A target is an accuracy or a share of the gap.", "Give one: 'accuracy' or 'gap'."
            )
        return self

    @property
    def document(self) -> dict[str, float]:
        """The one field that was given."""
        return {name: share for name, share in (("accuracy", self.accuracy), ("gap", self.gap)) if share}

    @property
    def written(self) -> str:
        """The target as people write it, from which it can be read."""
        share = f"{100 * (self.accuracy or self.gap):.6g}%"
        return share if self.accuracy else f"gap:{share}"

    def __str__(self) -> str:
        share = f"{100 * (self.accuracy or self.gap):.6g}"
        return f"{share} %" if self.accuracy else f"{share} % of the gap"
