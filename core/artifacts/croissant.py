"""`croissant.json`: the set for programs that read MLCommons' Croissant, format 1.0.

Their reader takes Parquet by the type `application/x-parquet` alone, and a picture by the path `bytes` in its column.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from core.artifacts import layout
from core.artifacts.distilled import Distilled, columns_of, label_of
from core.artifacts.load import sha256

_PARQUET: Final = "application/x-parquet"
_ROWS: Final = "parquet"
_TYPES: Final = {"f": "sc:Float", "i": "sc:Integer", "u": "sc:Integer", "b": "sc:Boolean"}
_OTHERS: Final = {
    layout.BUNDLE: "The same for NumPy, with the names of the classes.",
    layout.TENSORS: "The examples exactly as optimised, with their preprocessing; load.py reads them.",
    layout.CSV: "The same as text.",
    layout.COMPACT: "The same in few bits; load.py reads it.",
    layout.VIEWS: "Labels of views of the images; load.py plays them back.",
    layout.GENERATOR: "Weights that draw more images; generate.py reads them.",
}
"""Files that Croissant has no records for."""

_LABEL: Final = "The class, by its label in the record set `classes`."
"""Said in words: of records that refer to another set, mlcroissant 1.1.1 has nothing left for a second epoch."""

_CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that the format prescribes."""


def croissant(folder: Path, result: Distilled, about: str) -> dict[str, Any]:
    """The document on the files in `folder`; `about` says what they are."""
    facts = result.facts
    others = {name: words for name, words in _OTHERS.items() if (folder / name).exists()}
    document = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"{facts.label}-distilled",
        "description": about,
        "license": facts.licence,
        "version": "1.0.0",
        "distribution": [
            _file(folder, layout.PARQUET, "The set.", _ROWS, _PARQUET),
            *(_file(folder, name, words, name, layout.media_type(name)) for name, words in others.items()),
        ],
        "recordSet": [_classes(result), _examples(result)],
    }
    return document | ({"citeAs": facts.citation} if facts.citation else {})


def _file(folder: Path, name: str, words: str, place: str, kind: str) -> dict[str, Any]:
    path = folder / name
    return {
        "@type": "cr:FileObject",
        "@id": place,
        "name": place,
        "description": words,
        "contentUrl": name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": kind.partition(";")[0],
        "sha256": sha256(path),
    }


def _classes(result: Distilled) -> dict[str, Any]:
    rows = enumerate(result.facts.class_names)
    return {
        "@type": "cr:RecordSet",
        "@id": "classes",
        "name": "classes",
        "description": "The name behind each label.",
        "dataType": "sc:Enumeration",
        "key": {"@id": "classes/label"},
        "field": [
            {"@type": "cr:Field", "@id": "classes/label", "name": "label", "dataType": "sc:Integer"},
            {"@type": "cr:Field", "@id": "classes/name", "name": "name", "dataType": "sc:Text"},
        ],
        "data": [{"classes/label": label, "classes/name": name} for label, name in rows],
    }


def _examples(result: Distilled) -> dict[str, Any]:
    facts, series = result.facts, result.facts.kind == "series"
    if facts.kind == "pictures":
        fields = [_field("image", "sc:ImageObject", transform={"jsonPath": "bytes"})]
    else:
        fields = [
            _field(name, "sc:Float", _plain(name, place), many=series) for place, name in enumerate(columns_of(facts))
        ]
    label = _field(label_of(facts), "sc:Integer") | {"description": _LABEL}
    more = [_field(each.entry, _TYPES[each.values.dtype.kind], many=each.values.ndim > 1) for each in result.columns]
    return {
        "@type": "cr:RecordSet",
        "@id": "examples",
        "name": "examples",
        "description": "An example a record, in the units of its source.",
        "field": [*fields, label, *more],
    }


def _plain(name: str, place: int) -> str:
    """A column's name where it may be part of an address, else one that no other column has."""
    return name if re.fullmatch(r"\w+", name, re.ASCII) else f"column-{place}"


def _field(column: str, kind: str, called: str = "", *, many: bool = False, **source: Any) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"examples/{called or column}",
        "name": column,
        "dataType": kind,
        **({"repeated": True} if many else {}),
        "source": {"fileObject": {"@id": _ROWS}, "extract": {"column": column}, **source},
    }
