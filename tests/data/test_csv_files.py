"""CSV files as programs and spreadsheets write them: long lines of names, any signs, other encodings."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas
import pytest

from core.data.csv_files import first_lines
from core.data.facts import DatasetInvalid
from core.data.inspection import examine
from tests.data.archives import packed as zipped

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(30, 2)).round(4)


def lines(names: str = "größe,weight,label", end: str = "\n") -> str:
    """A table of two measurements and three classes, one of which has a letter outside of ASCII."""
    rows = [f"{one},{other},{('a', 'b', 'é')[place % 3]}" for place, (one, other) in enumerate(VALUES.tolist())]
    return "".join(f"{row}{end}" for row in [names, *rows])


def found(path: Path, content: bytes) -> dict[str, object]:
    path.write_bytes(content)
    return examine(path, path.parent / "bundle.npz", None)


def test_names_of_many_columns_may_be_long(tmp_path: Path) -> None:
    """A table of MNIST's pixels has names of 7 KB, as Kaggle gives it away."""
    pixels = RNG.integers(0, 256, (30, 784))
    head = "label," + ",".join(f"pixel{place}" for place in range(784))
    rows = [f"{place % 3}," + ",".join(map(str, row)) for place, row in enumerate(pixels.tolist())]
    seen = found(tmp_path / "upload", "\n".join([head, *rows, ""]).encode())
    assert (seen["kind"], seen["shape"]) == ("pictures", (1, 28, 28))


@pytest.mark.parametrize(
    "content",
    [
        lines("a\u00a0b,weight,label"),
        lines("大\u3000小,weight,label"),
        lines("a\u200bb,weight,label"),
        lines(end="\r"),
        lines(end="\r\n"),
        "\r\n\n" + lines(),
        "\ufeff" + lines(),
        "\ufeff\n" + lines(),
    ],
    ids=["blank that does not break", "wide blank", "blank of no width", "CR", "CRLF", "blank lines", "BOM", "both"],
)
def test_a_table_is_one_however_its_text_is_written(tmp_path: Path, content: str) -> None:
    for name, data in (("upload", content.encode()), ("zipped", zipped({"table.csv": content.encode()}))):
        seen = found(tmp_path / name, data)
        assert (seen["kind"], seen["class_names"], seen["train_count"]) == ("vectors", ("a", "b", "é"), 24)


@pytest.mark.parametrize("pack", [bytes, lambda content: zipped({"table.csv": content})], ids=["alone", "in a zip"])
@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
@pytest.mark.parametrize("names", ["größe,weight,label", "size,weight,label"])
def test_another_encoding_is_refused_with_the_code_that_mends_it(
    tmp_path: Path, pack: Callable[[bytes], bytes], encoding: str, names: str
) -> None:
    path = tmp_path / "table.csv"
    with pytest.raises(DatasetInvalid, match="not in UTF-8") as refused:
        found(tmp_path / "upload", pack(lines(names).encode(encoding)))
    path.write_bytes(lines(names).encode(encoding))
    code = re.search(r"pandas\.read_csv.*", str(refused.value))
    assert code is not None
    eval(code[0], {"pandas": pandas, "path": path})  # the very words of the refusal
    assert found(tmp_path / "again", pack(path.read_bytes()))["class_names"] == ("a", "b", "é")


@pytest.mark.parametrize("sign", [";", "\t", ","])
def test_a_name_in_quotes_may_hold_other_signs(tmp_path: Path, sign: str) -> None:
    content = lines('"size, in mm; both, all|sides",weight,label')
    head, *rows = content.splitlines()
    text = "\n".join([head.replace('",weight,', f'"{sign}weight{sign}'), *(row.replace(",", sign) for row in rows), ""])
    seen = found(tmp_path / "upload", text.encode())
    assert seen["columns"] == ("size, in mm; both, all|sides", "weight")


def test_the_first_lines_are_those_that_hold_something(tmp_path: Path) -> None:
    path = tmp_path / "few"
    for text, wanted in (("", ("", "")), ("\n\na,b", ("a,b", "")), ("a\rb\rc", ("a", "b")), ("a\r\n\r\nb", ("a", "b"))):
        path.write_bytes(text.encode())
        assert first_lines(path) == wanted
        with path.open("rb") as file:
            assert first_lines(file) == wanted
            assert file.tell() == 0
