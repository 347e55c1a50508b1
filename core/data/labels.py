"""The labels of a table's rows as words, however they were written: one reader for every kind of table."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from core.data.facts import DatasetInvalid
from core.data.label_column import columns_listed
from core.data.number_words import GAPS
from core.data.numbers import Missing


def labels_of(values: Sequence[Any], name: str, missing: Missing) -> tuple[list[str | None], list[str]]:
    """The labels of a column, None where one is missing, and remarks on entries that may stand for none.

    Blanks around a label are no part of it. An empty entry is a missing label. "NA" and its like are classes, as one
    may be called so, unless rows with missing values are to be left out.

    Raises DatasetInvalid for what is no class.
    """
    words = [_word(value, name) for value in values]
    gaps = sorted({word for word in words if word in GAPS})
    if not gaps:
        return words, []
    if missing == "drop":
        told = f"missing=drop takes {columns_listed(gaps)} in {name!r} for no label: give a class of that name another."
        return [None if word in GAPS else word for word in words], [told]
    return words, [
        f"Classes are called {columns_listed(gaps)}: where there is none, leave the cell empty. "
        "Rows without a class are left out with missing=drop, which takes these for none, too."
    ]


def alike(names: Iterable[str]) -> list[str]:
    """The remark on classes that differ from another in capitals alone; none where there are none."""
    names = list(names)
    folded = {name.casefold(): name for name in names}
    found = [name for name in names if folded[name.casefold()] != name]
    return [f"Classes that differ from another in capitals alone: {columns_listed(found)}."] if found else []


def _word(value: Any, name: str) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return str(value)
        case str():
            return unicodedata.normalize("NFC", value).strip() or None
        case Decimal() if value.is_finite() and value == value.to_integral_value():
            return str(int(value))
        case Decimal():
            return _word(float(value), name)
        case float() if value != value:  # NaN
            return None
        case float() if not value.is_integer():
            raise DatasetInvalid(
                f"{name!r} holds numbers that are not whole, such as {value:g}: it is no class. Make classes of it "
                f"first, for instance table[{name!r}] = pandas.qcut(table[{name!r}], 3, labels=False), or name another "
                "column with label_column"
            )
        case int() | float():
            return str(int(value))
        case list():
            raise DatasetInvalid(
                f"{name!r} holds lists, several labels a row: one class a row can be distilled; name another column "
                "with label_column"
            )
    raise DatasetInvalid(f"{name!r} holds {type(value).__name__}, which is no class; store words or numbers")
