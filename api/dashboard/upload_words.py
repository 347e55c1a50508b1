"""Sentences on an upload in the words of the page's form, where those of the API stand in them."""

from __future__ import annotations

import re
from typing import Final

FIELDS: Final = {
    "size": "Side in pixels",
    "mirror": "A mirrored picture stays what it is",
    "label_column": "Column of the labels",
    "kind": "A row of a table is",
    "missing": "Missing values",
    "transposed": "Rows of pixels are stored as columns",
    "order": "Classes in their order",
    "train_folder": "Folder of the training set",
    "test_folder": "Folder of the test set",
    "skip_broken": "Leave out files that cannot be read, and say which",
}
"""Parameters of an upload, and what their fields are called."""
CHOICES: Final = {
    "median": "the column's median",
    "mean": "the column's mean",
    "drop": "leave their rows out",
    "vectors": "an example, even where its columns are pixels or steps",
}
"""Values of parameters, and what the form calls them."""
_NAMES: Final = "|".join(FIELDS)
_SAID: Final = re.compile(rf"`({_NAMES})`|\b({_NAMES})=(\w*)|\b({'|'.join(name for name in FIELDS if '_' in name)})\b")


def as_fields(text: str) -> str:
    """A sentence in which fields are called as in the form: “Missing values”: leave their rows out."""

    def field(found: re.Match[str]) -> str:
        called = f"“{FIELDS[found[1] or found[2] or found[4]]}”"
        return f"{called}: {CHOICES.get(found[3], found[3])}" if found[2] else called

    return _SAID.sub(field, text)
