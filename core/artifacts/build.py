"""The whole file set of an artifact, written from one `Distilled`."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path

from numpy import uint8
from numpy.typing import NDArray
from PIL import Image

from core.artifacts import layout, load
from core.artifacts.card import card, summary
from core.artifacts.chart import chart
from core.artifacts.croissant import croissant
from core.artifacts.distilled import Distilled
from core.artifacts.manifest import Manifest, json_text, write_manifest
from core.artifacts.preview import png, preview
from core.report import Curves


def build(folder: Path, result: Distilled) -> Manifest:
    """Write the artifact of `result` into `folder`, which is created and must be empty.

    The same `result` gives the same bytes. Raises FileExistsError if something is in the folder already.
    """
    from core.artifacts import (  # pyarrow is slow to load, and code that only reads artifacts does without it
        arrays,
        compact,
    )

    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; an artifact is built in a folder of its own")
    if result.facts.kind == "pictures":
        names = layout.image_names(result.labels, result.facts.class_names)
        pictures = [png(_picture(image)) for image in result.pixels.astype(uint8, copy=False)]
        for name, content in zip(names, pictures, strict=True):
            _place(folder, name).write_bytes(content)
        arrays.write_parquet(_place(folder, layout.PARQUET), result, names, pictures)
        held = sum(map(len, pictures))
    else:
        arrays.write_rows(_place(folder, layout.PARQUET), result)
        arrays.write_csv(folder / layout.CSV, result)
        held = result.pixels.nbytes + result.labels.nbytes
    arrays.write_tensors(folder / layout.TENSORS, result)
    arrays.write_bundle(folder / layout.BUNDLE, result)
    if result.stored is not None:
        compact.write_compact(folder / layout.COMPACT, result, result.stored)
    for file in result.files:
        arrays.save_tensors(folder / file.name, file.arrays, file.about)
        for name, code in file.code.items():
            _write(folder / name, code)
    arrays.write_metrics(folder / layout.METRICS, result.metrics)
    preview(result).save(folder / layout.PREVIEW)
    title = f"{result.facts.label} · {len(result.labels):,} images · {result.request.get('method', 'distilled')}"
    for section in result.report.sections():
        if isinstance(section.chart, Curves):
            chart(section.chart, title).save(folder / layout.chart(section.name))
    _write(folder / layout.REPORT, json_text(result.report.document()))
    _write(folder / layout.RECIPE, _recipe(result))
    _write(folder / layout.CARD, card(result, held, _size(folder / layout.PARQUET)))
    shutil.copyfile(load.__file__, folder / layout.LOADER)
    shutil.copyfile(Path(load.__file__).with_name(layout.STUDENT), folder / layout.STUDENT)  # unread: it needs torch
    _write(folder / layout.CROISSANT, json_text(croissant(folder, result, summary(result))))
    size = result.report.compression
    return write_manifest(
        folder, result.request, result.provenance, size.model_dump(mode="json", exclude_none=True) if size else {}
    )


def _recipe(result: Distilled) -> str:
    """Everything a rerun needs: the request, the recipe it resolved to, the data by digest, and the provenance."""
    return json_text(
        {
            "schema_version": 1,
            "request": result.request,
            "recipe": result.recipe,
            "dataset": {key: value for key, value in asdict(result.facts).items() if key not in ("where", "on_disk")},
            "provenance": result.provenance,
        }
    )


def _picture(image: NDArray[uint8]) -> Image.Image:
    return Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0))


def _place(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _size(path: Path) -> int:
    return path.stat().st_size
