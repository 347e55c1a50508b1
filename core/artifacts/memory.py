"""The files of a regression memory: points and labels, the code that trains on them, report, plots and card."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from core.artifacts import layout
from core.artifacts.card import section_text
from core.artifacts.chart import chart
from core.artifacts.manifest import Manifest, json_text, write_manifest
from core.data import DatasetFacts
from core.methods import method
from core.report import Curves, Report

_TRAIN = """```python
from student import load, train

memory = load()          # points [M, d], labels [L] and a seed
student = train(memory)  # or train(memory, seed=7): any seed serves
student(x)               # answers [n] to inputs float32 [n, d]
```"""


@final
@dataclass(frozen=True, eq=False)
class RegressionMemory:
    """A result that is no set of images: what is stored, and how it came to be."""

    points: NDArray[np.float32]
    """[M, d], each of norm 1."""
    labels: NDArray[np.float32]
    """[L], of inputs that are mixed from the points by the seed."""
    seed: int
    ridge: float
    bias: float
    student: Path
    """The program that trains on it, which stands alone."""
    facts: DatasetFacts
    request: Mapping[str, Any]
    recipe: Mapping[str, Any]
    report: Report
    metrics: Sequence[Mapping[str, Any]]
    provenance: Mapping[str, Any]


def build_memory(folder: Path, result: RegressionMemory) -> Manifest:
    """Write the artifact into a folder, which is created and must be empty; the same result gives the same bytes.

    Raises FileExistsError if something is in the folder already.
    """
    from core.artifacts import arrays  # pyarrow is slow to load

    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; an artifact is built in a folder of its own")
    whole = {"points": result.points, "labels": result.labels}
    about = {
        "schema_version": 1,
        "kind": "regression_memory",
        "seed": result.seed,
        "ridge": result.ridge,
        "bias": result.bias,
        "dataset": result.facts.name,
        "dataset_digest": result.facts.digest,
        "recipe": result.recipe,
        "request": result.request,
    }
    arrays.save_tensors(folder / layout.TENSORS, whole, about)
    scalars = {name: np.array(about[name]) for name in ("seed", "ridge", "bias")}
    np.savez(folder / layout.BUNDLE, allow_pickle=False, **whole, **scalars)
    arrays.write_metrics(folder / layout.METRICS, result.metrics)
    title = f"{result.facts.name} · {len(result.points)} points"
    for section in result.report.sections():
        if isinstance(section.chart, Curves):
            picture = chart(section.chart, title)
            picture.save(folder / layout.chart(section.name))
            if not (folder / layout.PREVIEW).exists():
                picture.save(folder / layout.PREVIEW)
    shutil.copyfile(result.student, folder / layout.STUDENT)
    report = json_text(result.report.document())
    texts = {layout.REPORT: report, layout.RECIPE: _recipe(result), layout.CARD: _card(result)}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return write_manifest(folder, result.request, result.provenance)


def _recipe(result: RegressionMemory) -> str:
    facts = result.facts
    dataset = {"name": facts.name, "digest": facts.digest, "title": facts.title}
    content = {"request": result.request, "recipe": result.recipe, "dataset": dataset}
    return json_text({"schema_version": 1, **content, "provenance": result.provenance})


def _card(result: RegressionMemory) -> str:
    facts, (count, d) = result.facts, result.points.shape
    head = ["---", "license: cc0-1.0", "tags:", "- dataset-distillation", "- synthetic", "- regression", "---"]
    limits = (
        "- It serves networks of two layers that train as `student.py` does, and no others were measured.",
        "- Its truth is a formula: nothing here says how much of a real task's data could be left out.",
        "- The method is inspired by a theory of which the abstract alone was to be had; what is measured is ours.",
    )
    parts = [
        "\n".join(head),
        f"# {facts.name}, distilled to {count} points and {len(result.labels)} labels",
        f"A regression memory: {count} points of {d} numbers, {len(result.labels)} labels and a seed, from which a "
        f"two-layer network of any seed learns what {facts.train_count:,} samples say of a target that depends on few "
        "directions. Beside the points no input is stored.",
        *map(section_text, result.report.sections()),
        "## How to train on it",
        f"`{layout.STUDENT}` needs NumPy and safetensors, and nothing of the service.",
        _TRAIN,
        "## How it was made",
        _making(result),
        "## Limits",
        "\n".join(limits),
    ]
    return "\n\n".join(parts) + "\n"


def _making(result: RegressionMemory) -> str:
    known, provenance = method(str(result.request["method"])), result.provenance
    seconds = ", ".join(f"{phase} {taken:.0f}" for phase, taken in result.report.phases.items())
    details = (
        f"Seed {result.seed}; made on {provenance['hardware']}; engine commit `{provenance['commit']}`; {seconds} s."
    )
    return "\n\n".join(
        (
            f"Method `{known.name}`: {known.title}. {known.summary}",
            f"Reference: {known.citation}.",
            details,
            f"`{layout.RECIPE}` holds the complete recipe, `{layout.REPORT}` every number, `{layout.MANIFEST}` and "
            f"`{layout.SUMS}` the checksums (`sha256sum -c {layout.SUMS}`).",
        )
    )
