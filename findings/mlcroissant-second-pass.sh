#!/usr/bin/env bash
# The second epoch over mlcroissant's records is empty where a field refers to another record set.
# Versions: Python 3.11, mlcroissant 1.1.1, pandas 3.1.1
#
# A label that refers to a table of class names is the example of Croissant's own documentation. Iterating over such
# records gives all of them once, and nothing from then on, from the same Dataset and from every new call of records():
# a training loop has one epoch and goes through the others in no time. Whoever looks at the first record beforehand
# trains on nothing at all. Without the reference, which changes no record, they come as often as they are asked for.
# There is no message.
#
# Seen on 2026-11-29:
#     label by itself             : 3, 3, 3 records
#     label that refers to classes: 3, 0, 0 records
#     the same after a look       : 0, 0, 0 records
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3.11}" -m venv env
if command -v uv >/dev/null; then
    install=(uv pip install --quiet --python env/bin/python)
else
    install=(env/bin/python -m pip install --quiet --disable-pip-version-check)
fi
"${install[@]}" mlcroissant==1.1.1 pandas==3.1.1 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

trap 'tail -3 messages.txt; exit 1' ERR
env/bin/python - 2>messages.txt <<'PY'
import hashlib
import json
from pathlib import Path

import mlcroissant

Path("rows.csv").write_text("number,label\n10,0\n20,1\n30,0\n")
CONTEXT = mlcroissant.Metadata(name="any").to_json()["@context"]


def field(place: str, kind: str, **more: object) -> dict:
    return {"@type": "cr:Field", "@id": place, "name": place.split("/")[1], "dataType": kind, **more}


def column(name: str, **more: object) -> dict:
    source = {"fileObject": {"@id": "csv"}, "extract": {"column": name}}
    return field(f"rows/{name}", "sc:Integer", source=source, **more)


def dataset(refers: bool) -> mlcroissant.Dataset:
    label = column("label", **({"references": {"field": {"@id": "classes/label"}}} if refers else {}))
    file = {
        "@type": "cr:FileObject",
        "@id": "csv",
        "name": "csv",
        "contentUrl": "rows.csv",
        "encodingFormat": "text/csv",
        "sha256": hashlib.sha256(Path("rows.csv").read_bytes()).hexdigest(),
    }
    classes = {
        "@type": "cr:RecordSet",
        "@id": "classes",
        "name": "classes",
        "dataType": "sc:Enumeration",
        "key": {"@id": "classes/label"},
        "field": [field("classes/label", "sc:Integer"), field("classes/name", "sc:Text")],
        "data": [{"classes/label": 0, "classes/name": "cat"}, {"classes/label": 1, "classes/name": "dog"}],
    }
    rows = {"@type": "cr:RecordSet", "@id": "rows", "name": "rows", "field": [column("number"), label]}
    about = {"@type": "sc:Dataset", "name": "pets", "description": "Pets.", "license": "MIT", "version": "1.0.0"}
    about |= {"conformsTo": "http://mlcommons.org/croissant/1.0", "citeAs": "Pets", "datePublished": "2026-11-29"}
    document = {"@context": CONTEXT, **about, "distribution": [file], "recordSet": [rows, classes]}
    Path("croissant.json").write_text(json.dumps(document))
    return mlcroissant.Dataset("croissant.json")


def epochs(title: str, pets: mlcroissant.Dataset) -> list[int]:
    counts = [sum(1 for _ in pets.records("rows")) for _ in range(3)]
    print(f"{title:28}: {', '.join(map(str, counts))} records")
    return counts


assert epochs("label by itself", dataset(False)) == [3, 3, 3]
assert epochs("label that refers to classes", dataset(True)) == [3, 0, 0], "there is a second epoch now"
seen = dataset(True)
assert next(iter(seen.records("rows")))["rows/number"] == 10
assert epochs("the same after a look", seen) == [0, 0, 0], "a look leaves the others now"
PY
if grep -iE 'warn|empty|exhaust|epoch|again' messages.txt; then
    echo "it says something now"
    exit 1
fi
