"""The head of a card that the Hugging Face Hub and `datasets` read.

Written by hand: a JSON string of printable characters is a YAML string, and nothing else here needs quoting.
"""

from __future__ import annotations

import json
import re

from core.artifacts import layout
from core.artifacts.distilled import Distilled, columns_of, label_of
from core.data import DatasetFacts

_LICENCES = {
    "CC BY 4.0": "cc-by-4.0",
    "CC BY-SA 3.0": "cc-by-sa-3.0",
    "CC0 1.0": "cc0-1.0",
    "Apache-2.0": "apache-2.0",
    "MIT": "mit",
    "none stated by the authors": "unknown",
    "unknown": "unknown",
}
_TASKS = {"pictures": "image-classification", "vectors": "tabular-classification", "series": "other"}
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))


def front_matter(result: Distilled, picture_bytes: int, parquet_bytes: int) -> str:
    """YAML between two lines of dashes: licence, tags, where the data lie, features and sizes."""
    facts = result.facts
    licence = _LICENCES.get(facts.licence, "other")
    lines = ["---", f"pretty_name: {_quoted(f'{facts.title}, distilled')}", f"license: {licence}"]
    if licence == "other":
        lines.append(f"license_name: {_slug(facts.licence)}")
    lines += [
        "task_categories:",
        f"- {_TASKS[facts.kind]}",
        "size_categories:",
        f"- {next((name for limit, name in _SIZES if len(result.labels) < limit), '100K<n<1M')}",
        "source_datasets:",
        f"- {_quoted(facts.name)}",
        "tags:",
        "- dataset-distillation",
        *(["- time-series"] if facts.kind == "series" else []),
        *(["- synthetic"] if result.is_synthetic else []),
        "configs:",
        "- config_name: default",
        "  data_files:",
        "  - split: train",
        f"    path: {layout.PARQUET}",
        "dataset_info:",
        "  features:",
        *_features(facts),
        f"  - name: {_quoted(name) if (name := label_of(facts)) != 'label' else name}",
        "    dtype:",
        "      class_label:",
        "        names:",
        *(f"          '{label}': {_quoted(name)}" for label, name in enumerate(facts.class_names)),
    ]
    for each in result.columns:
        kind, width = each.values.dtype.name, each.values.shape[1:]
        lines += [f"  - name: {each.entry}"]
        lines += [f"    list: {kind}", f"    length: {width[0]}"] if width else [f"    dtype: {kind}"]
    lines += [
        "  splits:",
        "  - name: train",
        f"    num_bytes: {picture_bytes}",
        f"    num_examples: {len(result.labels)}",
        f"  download_size: {parquet_bytes}",
        f"  dataset_size: {picture_bytes}",
        "---",
    ]
    return "\n".join(lines)


def _features(facts: DatasetFacts) -> list[str]:
    if facts.kind == "pictures":
        return ["  - name: image", "    dtype: image"]
    length = facts.shape[2]
    kind = ["    dtype: float32"] if facts.kind == "vectors" else ["    list: float32", f"    length: {length}"]
    return [line for name in columns_of(facts) for line in (f"  - name: {_quoted(name)}", *kind)]


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-") or "other"


def _quoted(text: str) -> str:
    """The text as YAML has it; JSON's own escapes of what is not ASCII are no characters there beyond U+FFFF."""
    written = json.dumps(text, ensure_ascii=False)
    return "".join(each if each.isprintable() else f"\\U{ord(each):08x}" for each in written)
