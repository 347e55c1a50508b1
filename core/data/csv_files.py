"""CSV files as columns, as spreadsheets and programs write them: commas, semicolons, tabs, and decimal commas."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from core.data.facts import DatasetInvalid
from core.data.number_words import GAPS, number_words, thousands_fault

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import csv

UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
"""The beginnings of a text in UTF-16."""

_SIGNS: Final = (",", ";", "\t", "|")
_PIECE: Final = 1 << 20


def read_csv(source: Path | IO[bytes], names: Sequence[str] = (), *, headed: bool = False) -> pa.Table:
    """The columns of a CSV file, whose first line names them.

    `names` are those of a file without such a line, or in its place where it is `headed`. Raises DatasetInvalid.
    """
    from pyarrow import csv

    sign = sign_of(first := first_lines(source)[0])
    if not names and all(is_number(cell) for cell in cells(first, sign)):
        raise DatasetInvalid("the first line holds numbers and no names; put the names of the columns above it")
    options = csv.ReadOptions(column_names=list(names) or None, skip_rows_after_names=int(headed))
    table = _parsed(source, options, sign)
    if sign != ";" or not any(_has_commas(column) for column in table.columns):
        return table
    if not isinstance(source, Path):
        source.seek(0)
    return _with_numbers(_parsed(source, options, sign, ","))


def _parsed(source: Path | IO[bytes], options: csv.ReadOptions, sign: str, decimal: str = ".") -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    try:
        return csv.read_csv(
            source,
            read_options=options,
            parse_options=csv.ParseOptions(delimiter=sign or ",", newlines_in_values=True),
            convert_options=csv.ConvertOptions(null_values=list(GAPS), strings_can_be_null=True, decimal_point=decimal),
        )
    except pa.ArrowInvalid as fault:
        raise DatasetInvalid(
            f"the CSV file cannot be read: {str(fault).splitlines()[0][:200]}; write it anew, with as many cells in "
            "every line, for instance by pandas: table.to_csv(path, index=False)"
        ) from None


def _has_commas(column: pa.ChunkedArray) -> bool:
    """Whether most entries of a column are numbers, and have decimal commas."""
    import pyarrow as pa

    return (
        pa.types.is_string(column.type) and (found := number_words(column, commas=True)).sign == "," and found.are_most
    )


def _with_numbers(table: pa.Table) -> pa.Table:
    """A table of decimal commas with those columns as numbers that have points, or dashes beside commas.

    Raises DatasetInvalid for a column of which nobody can tell whether its points are decimal.
    """
    import pyarrow as pa

    for place, name in enumerate(table.column_names):
        if not pa.types.is_string(table.column(place).type):
            continue
        found = number_words(table.column(place), commas=True)
        if found.sign and not found.odd:
            table = table.set_column(place, name, found.values)
        elif found.has_thousands and found.are_most:
            raise DatasetInvalid(thousands_fault(name, found))
    return table


def with_words(table: pa.Table, source: Path | IO[bytes], names: Sequence[str]) -> pa.Table:
    """The table with "null", "NA" and their like as words in those of the columns that hold words: they are classes.

    Args:
        table: as `read_csv` read it.
        source: the file that it was read from.
        names: the columns of labels.
    """
    import pyarrow as pa
    from pyarrow import csv

    for name in names:
        place = table.column_names.index(name)
        if not (pa.types.is_string(table.column(place).type) and table.column(place).null_count):
            continue
        if not isinstance(source, Path):
            source.seek(0)
        read = csv.read_csv(
            source,
            parse_options=csv.ParseOptions(delimiter=sign_of(first_lines(source)[0]) or ",", newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                include_columns=[name],
                column_types={name: pa.string()},
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
        table = table.set_column(place, name, read.column(0))
    return table


def text_of_csv(source: IO[bytes]) -> pa.Table:
    """All lines of a CSV file as they are written, the first one too, "007" and "NA" and all; empty cells are None.

    Raises pyarrow.ArrowInvalid.
    """
    import pyarrow as pa
    from pyarrow import csv

    sign = sign_of(first := first_lines(source)[0]) or ","
    return csv.read_csv(
        source,
        read_options=csv.ReadOptions(autogenerate_column_names=True),
        parse_options=csv.ParseOptions(delimiter=sign, newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types={f"f{place}": pa.string() for place in range(first.count(sign) + 1)},
            null_values=[""],
            strings_can_be_null=True,
        ),
    )


def first_lines(source: Path | IO[bytes]) -> tuple[str, str]:
    """The first two lines of a file of text that are not empty, as its readers count them, whichever signs end them.

    A file that is open is then where it begins.
    """
    with _at_its_beginning(source) as file:
        start = file.read(_PIECE).decode("utf-8-sig", "replace")
    first, second, *_ = *re.findall(r"[^\r\n]+", start), "", ""
    return first, second


def check_utf8(source: Path | IO[bytes]) -> None:
    """Refuse a text in another encoding; one that is open is then where it begins. Raises DatasetInvalid."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with _at_its_beginning(source) as file:
        piece = start = file.read(_PIECE)
        try:
            while piece:
                decoder.decode(piece)
                piece = file.read(_PIECE)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            encoding, other = ("utf-16", "") if start.startswith(UTF16) else ("cp1252", ", or the encoding that it has")
            raise DatasetInvalid(
                "the text is not in UTF-8: save it anew as such, which spreadsheets call 'CSV UTF-8'. Or by pandas, of "
                f"text in {encoding}{other}: pandas.read_csv(path, sep=None, engine='python', encoding={encoding!r}, "
                "dtype=str, keep_default_na=False).to_csv(path, index=False)"
            ) from None


@contextmanager
def _at_its_beginning(source: Path | IO[bytes]) -> Iterator[IO[bytes]]:
    """The file, open where it begins; one that is open already is there again afterwards."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield file
    else:
        source.seek(0)
        yield source
        source.seek(0)


def cells(line: str, sign: str) -> list[str]:
    """The entries of a line."""
    return [cell.strip().strip('"') for cell in line.strip().split(sign or None)]


def sign_of(line: str) -> str:
    """The sign between the cells of a line; empty where there is none."""
    bare = re.sub(r'"[^"]*"', "", line)  # a quoted cell may hold others
    counts = {sign: bare.count(sign) for sign in _SIGNS}
    best = max(counts, key=lambda sign: counts[sign])
    return best if counts[best] else ""


def is_number(text: str) -> bool:
    """Whether a cell holds a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
