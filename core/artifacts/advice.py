"""The files that measuring for advice leaves: `advice.json`, a picture of the curves, manifest and checksums."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from core.advice.answer import Line
from core.advice.measured import Measured
from core.advice.model import Model
from core.artifacts.chart import chart
from core.artifacts.manifest import Manifest, json_text, write_manifest
from core.report import Curves
from core.report.section import Series

ADVICE: Final = "advice.json"
"""The measurements, from which every question on the dataset is answered."""
CURVES: Final = "curves.png"
"""The learning curves with their intervals."""

_TITLES: Final = {"random": "random real images", "distilled": "distilled images"}


def build_advice(
    folder: Path, measured: Measured, title: str, request: Mapping[str, Any], provenance: Mapping[str, Any]
) -> Manifest:
    """Write the files into a folder, which is created; no picture where the measurements make no curve."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ADVICE).write_text(json_text(measured.model_dump(mode="json")), encoding="utf-8")
    model = Model.of(measured)
    lines = model.lines() if model else []
    if any(point.ipc > 1 for line in lines for point in line.points):
        chart(drawn(lines), f"{title} · how much data it takes").save(folder / CURVES)
    return write_manifest(folder, request, provenance)


def drawn(lines: list[Line]) -> Curves:
    """The curves as a chart: expected accuracies, and the ends of their intervals as thin lines."""
    series: list[Series] = []
    for colour, line in enumerate(lines):
        for stroke, name in (("solid", "expected"), ("dotted", "low"), ("dotted", "high")):
            points = tuple((math.log10(point.ipc), float(getattr(point, name))) for point in line.points)
            words = _TITLES[line.source] if name == "expected" else f"80 % interval, {name}"
            series.append(Series(name=words, colour=colour, stroke=stroke, points=points))
    return Curves(
        title="Test accuracy to expect of fresh networks, by images a class",
        x_name="images a class, as powers of ten: 0 is 1, 1 is 10, 2 is 100",
        series=tuple(series),
    )
