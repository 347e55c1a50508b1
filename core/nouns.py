"""The words for the examples of a set: images, rows of a table, or series."""

from __future__ import annotations

import re
from typing import Final, Literal

Kind = Literal["pictures", "vectors", "series"]

_NOUNS: Final = {"vectors": ("row", "rows", "numbers"), "series": ("series", "series", "numbers")}
_WORD: Final = re.compile(
    r"(?<!\w)'[^']*'(?!\w)|(?P<fence>`+)(?!`).*?(?<!`)(?P=fence)(?!`)"  # what is quoted is a name
    r"|\b(?P<noun>images?|pictures?|(?:8-bit )?pixels?)\b",
    re.IGNORECASE | re.DOTALL,
)
_MOVED: Final = "moved, mirrored or recoloured"


def worded(text: str, kind: Kind) -> str:
    """A text on images as one on rows or series."""
    if kind == "pictures":
        return text
    one, many, values = _NOUNS[kind]

    def noun(found: re.Match[str]) -> str:
        if found["noun"] is None:
            return found[0]
        word = found["noun"].lower()
        said = values if "pixel" in word else many if word.endswith("s") else one
        return said.capitalize() if found[0][0].isupper() else said

    return _WORD.sub(noun, text).replace(_MOVED, "shifted or scaled")
