"""The base class of what an analysis puts into report.json."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Entry(BaseModel):
    """Frozen numbers under the field names of report.json, and the sections that say them.

    Reports lie in stores for years: a field that was added later has a default, which stands for a report without it,
    and one that this version does not know is passed over.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    def document(self) -> dict[str, Any]:
        """The entry as JSON: what was given, and no default in the place of what was not."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)
