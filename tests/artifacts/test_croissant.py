"""`croissant.json`: all that it says of the files is so, in the few forms that MLCommons' reader takes."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from core.artifacts import Distilled, build
from tests.artifacts.results import of_numbers, result
from tests.artifacts.test_student import FAMILIES
from tests.data.tables import waves, wine

ODD = ("a b", "a.b", "a/b", "ä", "image", "x#y", "$x", "7", "label", "stage", "@id", "{x}", "column-0")
STAGES = {"stage": np.array([0, 0, 1, 1, 0, 1]), "step_sizes": (0.1, 0.2)}
KINDS: dict[str, Callable[[Path], Distilled]] = {
    **{family.__name__: lambda folder, family=family: family() for family in FAMILIES},  # type: ignore[misc]
    "some real": lambda folder: result(ipc=5, update=0.6),
    "a table": lambda folder: of_numbers(folder, "wine", wine()),
    "columns of any name": lambda folder: replace(
        of_numbers(folder, "wine", wine() | {"columns": np.array(ODD)}), **STAGES
    ),
    "series": lambda folder: of_numbers(folder, "waves", waves()),
}
HELD: dict[str, type | tuple[type, ...]] = {
    "sc:Float": float,
    "sc:Integer": int,
    "sc:Boolean": bool,
    "sc:ImageObject": bytes,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_record_is_where_it_says(tmp_path: Path, kind: str) -> None:
    given, folder = KINDS[kind](tmp_path / "source"), tmp_path / "artifact"
    build(folder, given)
    document = json.loads((folder / "croissant.json").read_text("utf-8"))
    assert document["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert {"name", "description", "license", "version"} <= set(document)
    files = {each["@id"]: each for each in document["distribution"]}
    for file in files.values():
        content = (folder / file["contentUrl"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert file["contentSize"] == f"{len(content)} B"
    sets = {each["name"]: each for each in document["recordSet"]}
    names = [row["classes/name"] for row in sets["classes"]["data"]]
    assert names == list(given.facts.class_names)

    places = [*files, *sets, *(field["@id"] for each in sets.values() for field in each["field"])]
    assert len(set(places)) == len(places)
    assert all(re.fullmatch(r"[\w./-]+", place, re.ASCII) for place in places), "ids are parts of addresses"

    columns = []
    for field in sets["examples"]["field"]:
        file = files[field["source"]["fileObject"]["@id"]]
        assert file["encodingFormat"] == "application/x-parquet", "the only one that is read"
        values = pq.read_table(folder / file["contentUrl"])[field["source"]["extract"]["column"]].to_pylist()
        if inner := field["source"].get("transform"):
            values = [value[inner["jsonPath"]] for value in values]
        assert len(values) == len(given.labels)
        for value in values:
            assert isinstance(value, list) == field.get("repeated", False)
            held = value[0] if isinstance(value, list) else value
            assert type(held) is HELD[field["dataType"]], field["name"]
        columns.append(field["source"]["extract"]["column"])
        if field["dataType"] == "sc:ImageObject":
            shown = [np.asarray(Image.open(io.BytesIO(value))) for value in values]
            assert np.array_equal(np.stack(shown), given.pixels[:, 0])
        if "classes" in field.get("description", ""):
            assert values == given.labels.tolist()
        assert "references" not in field, "their reader gives such records once, and none the second time"
    assert columns == pq.read_schema(folder / "data/train-00000-of-00001.parquet").names, "none is left out"


def test_a_column_of_a_table_keeps_its_name_and_numbers(tmp_path: Path) -> None:
    """Columns of ours beside it are named otherwise."""
    given = KINDS["columns of any name"](tmp_path / "source")
    build(tmp_path / "artifact", given)
    table = pq.read_table(tmp_path / "artifact/data/train-00000-of-00001.parquet")
    assert table.column_names == [*ODD, "label_", "stage_"]
    assert np.array_equal(np.stack([table[name] for name in ODD], 1), given.pixels[:, :, 0, 0])
    assert np.array_equal(table["stage_"], STAGES["stage"])


def test_an_upload_is_called_by_its_title(tmp_path: Path) -> None:
    given = result()
    facts = replace(given.facts, source="upload", title='My "flowers" & Käse', citation="")
    build(tmp_path, replace(given, facts=facts))
    document: dict[str, Any] = json.loads((tmp_path / "croissant.json").read_text("utf-8"))
    assert document["name"] == 'My "flowers" & Käse-distilled'
    assert "citeAs" not in document
