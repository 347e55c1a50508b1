"""Words of a column that are numbers: with decimal commas, or beside dashes that stand for missing values.

Read in the process of an inspection alone: pyarrow is loaded when it is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    import pyarrow as pa

GAPS: Final = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "null", "NULL", "None", "?")
"""Entries that stand for a missing value."""
DASHES: Final = ("-", "--", "---", "\u2013", "\u2014", ".", "..", "...", "\u2026")
"""Entries that stand for a missing value among numbers; among words they may be words."""

_POINT: Final = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_COMMA: Final = r"^[+-]?([0-9]+,?[0-9]*|,[0-9]+)([eE][+-]?[0-9]+)?$"
_THOUSANDS: Final = r"^[+-]?[1-9][0-9]{0,2}([.,][0-9]{3})+$"
"""Numbers such as 1,234, of which nobody can tell whether they are above a thousand."""
_GROUPED: Final = r"^[+-]?[0-9]{1,3}([.,][0-9]{3})*([.,][0-9]+)?$"

_MOST_NAMED: Final = 5


@final
@dataclass(frozen=True)
class NumberWords:
    """The words of a column as numbers."""

    values: pa.Array
    """Floats, null where there is none."""
    count: int
    """Entries that are numbers, or are written as such with signs between thousands."""
    known: int
    """Entries that stand for no missing value."""
    different: int
    """Different entries among these."""
    odd: tuple[str, ...]
    """The different entries that are none of `values`, and stand for no missing value."""
    has_thousands: bool
    """Whether some of these have signs between thousands, or may have."""
    sign: str
    """The decimal sign of the numbers; empty where none has any."""
    typed: bool
    """Whether all are plain numbers: they are words because somebody wanted them to be."""

    @property
    def are_most(self) -> bool:
        """Whether more than half of the entries that are there are numbers."""
        return 2 * self.count > self.known


def number_words(column: pa.ChunkedArray, *, commas: bool = False) -> NumberWords:
    """The words of a column as numbers, as far as they are any.

    Where numbers have more commas than points, the comma is decimal. A comma before three digits is so only where
    others of the column show that, or the file does.

    Args:
        column: of strings.
        commas: whether the file's numbers have decimal commas.
    """
    import pyarrow as pa
    from pyarrow import compute as pc

    words = pc.utf8_trim_whitespace(column.combine_chunks().cast(pa.string()))
    gaps = [each.lower() for each in (*GAPS, *DASHES)]
    words = pc.if_else(pc.fill_null(pc.is_in(pc.utf8_lower(words), pa.array(gaps)), True), None, words)
    unique = words.drop_null().value_counts()
    entries, counts = unique.field("values"), unique.field("counts")

    def matching(pattern: str) -> pa.BooleanArray:
        return pc.match_substring_regex(entries, pattern)

    def number(chosen: pa.BooleanArray) -> int:
        return int(pc.sum(pc.if_else(chosen, counts, 0)).as_py() or 0)

    grouped, bare = matching(_THOUSANDS), pc.and_(matching(_POINT), matching(_COMMA))
    shown = {sign: pc.and_not(matching(pattern), bare) for sign, pattern in ((",", _COMMA), (".", _POINT))}
    sign = "," if number(shown[","]) > number(shown["."]) else "."
    is_sure = (commas and sign == ",") or (not commas and sign == ".") or number(pc.and_not(shown[sign], grouped)) > 0
    numbers = pc.or_(bare, shown[sign]) if is_sure else bare
    like = pc.or_(pc.or_(numbers, grouped), matching(_GROUPED))
    odd = entries.filter(pc.invert(numbers))
    taken = pc.if_else(pc.is_in(words, odd), None, words)
    return NumberWords(
        values=pc.replace_substring(taken, ",", ".").cast(pa.float64()),
        count=number(like),
        known=number(pc.is_valid(entries)),
        different=int(pc.sum(like).as_py() or 0),
        odd=tuple(odd.to_pylist()),
        has_thousands=bool(pc.any(pc.and_not(like, numbers)).as_py()),
        sign=sign if is_sure and number(shown[sign]) else "",
        typed=len(odd) == 0 and sign == "." and len(words) - words.null_count == len(column) - column.null_count,
    )


def thousands_fault(name: str, found: NumberWords) -> str:
    """The fault of a column whose numbers may have signs between thousands, and its fix."""
    return (
        f"the column {name!r} holds numbers with points or commas that may part thousands, such as "
        f"{_some(found.odd)}: write them without, and decimals after a point, 1234.5. Pandas reads such files by "
        "read_csv(path, sep=..., decimal=..., thousands=...)"
    )


def odd_fault(name: str, found: NumberWords) -> str:
    """The fault of a column of numbers in which some entries are none, and its fix."""
    return (
        f"the column {name!r} holds numbers, but for {_some(found.odd)}: write numbers there, or have them missing, "
        f"table[{name!r}] = pandas.to_numeric(table[{name!r}], errors='coerce'), and upload with missing=median. If "
        f"all are categories, let each begin with a letter: table[{name!r}] = 'n' + table[{name!r}].astype(str)"
    )


def _some(odd: Sequence[str]) -> str:
    more = f" and {len(odd) - _MOST_NAMED:,} more" if len(odd) > _MOST_NAMED else ""
    return ", ".join(repr(each[:40]) for each in odd[:_MOST_NAMED]) + more
