"""The synthetic set as files of arrays: safetensors (the exact floats), npz (the plain bundle) and parquet."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray
from safetensors.numpy import save_file

from core.artifacts.distilled import Distilled, Published
from core.request import canonical_json


def write_tensors(path: Path, result: Distilled) -> None:
    """`dataset.safetensors`: images, labels, soft labels, targets, step size and whitening, none of them rounded.

    Where some of the images are real ones, `real` marks them. Of a curriculum `stage` says when an image is trained on,
    and `step_sizes` are those learned in its stages.

    All metadata is canonical JSON under the single key `stillhouse`: with several keys the bytes of the file would
    follow the order of a hash map, which differs from process to process.
    """
    arrays: dict[str, NDArray[Any]] = {"images": result.images, "labels": result.labels}
    if result.soft_labels is not None:
        arrays["soft_labels"] = result.soft_labels
    if result.regression_targets is not None:
        arrays["regression_targets"] = result.regression_targets
    if result.marks_real:
        arrays["real"] = result.real
    arrays |= _order(result)
    if result.step_size is not None:
        arrays["step_size"] = np.array(result.step_size, dtype=np.float64)
    transform = dict(result.transform)
    if transform["kind"] == "zca":
        for part in ("mean", "whiten", "unwhiten"):
            arrays[f"zca_{part}"] = np.asarray(transform.pop(part), dtype=np.float32)
    else:
        transform = {key: value if key == "kind" else _floats(value) for key, value in transform.items()}
    about = {
        "schema_version": 1,
        "class_names": result.facts.class_names,
        "dataset": result.facts.name,
        "dataset_digest": result.facts.digest,
        "recipe": result.recipe,
        "request": result.request,
        "transform": transform,
    }
    # Not ascontiguousarray, which makes a vector of a scalar.
    whole = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    save_file(whole, path, metadata={"stillhouse": canonical_json(about)})


def write_views(path: Path, result: Distilled) -> None:
    """`dataset.views.safetensors`: the teacher's labels of views, record by record (`load.py` says what they mean)."""
    assert result.views is not None, "asked for where there are some"
    whole = {name: np.asarray(array, order="C") for name, array in result.views.items()}
    about = {"schema_version": 1, "classes": result.facts.classes, **result.recipe["relabel"]}
    save_file(whole, path, metadata={"stillhouse": canonical_json(about)})


def write_generator(path: Path, generator: Published) -> None:
    """`generator.safetensors`: the weights, and the rest as canonical JSON under the single key `stillhouse`."""
    whole = {name: np.asarray(weight, order="C") for name, weight in generator.weights.items()}
    save_file(whole, path, metadata={"stillhouse": canonical_json(dict(generator.about))})


def write_bundle(path: Path, result: Distilled) -> None:
    """`dataset.npz`: x_train uint8 (n, H, W) or (n, H, W, 3), y_train, class_names.

    Also, if there are any, soft_labels, regression_targets, real, and a curriculum's stage and step_sizes.
    """
    pixels = result.pixels.transpose(0, 2, 3, 1)
    arrays: dict[str, NDArray[Any]] = {
        "x_train": np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels),
        "y_train": result.labels,
        "class_names": np.array(result.facts.class_names),
    }
    if result.soft_labels is not None:
        arrays["soft_labels"] = result.soft_labels
    if result.regression_targets is not None:
        arrays["regression_targets"] = result.regression_targets
    if result.marks_real:
        arrays["real"] = result.real
    arrays |= _order(result)
    np.savez(path, allow_pickle=False, **arrays)


def write_parquet(path: Path, result: Distilled, names: Sequence[str], pictures: Sequence[bytes]) -> None:
    """The images as PNG `pictures` with their labels, readable by `datasets.load_dataset` and the Hub's viewer."""
    features: dict[str, Any] = {
        "image": {"_type": "Image"},
        "label": {"_type": "ClassLabel", "names": list(result.facts.class_names)},
    }
    picture, place = _texts(pictures, pa.binary()), _texts([name.encode() for name in names], pa.string())
    columns: dict[str, pa.Array] = {
        "image": pa.StructArray.from_arrays([picture, place], names=["bytes", "path"]),
        "label": _numbers(result.labels, pa.int64()),
    }
    for name, numbers in (("soft_label", result.soft_labels), ("regression_target", result.regression_targets)):
        if numbers is not None:
            classes = result.facts.classes
            number = {"_type": "Value", "dtype": "float32"}
            features[name] = {"_type": "List", "feature": number, "length": classes}
            columns[name] = pa.FixedSizeListArray.from_arrays(_numbers(numbers.ravel(), pa.float32()), classes)
    if result.marks_real:
        features["real"] = {"_type": "Value", "dtype": "bool"}
        columns["real"] = _numbers(result.real, pa.uint8()).cast(pa.bool_())
    if result.stage is not None:
        features["stage"] = {"_type": "Value", "dtype": "int64"}
        columns["stage"] = _numbers(result.stage, pa.int64())
    table = pa.table(columns).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path, compression="zstd")


def write_metrics(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """`metrics.parquet`: step int64, seconds float64, name, value float64; one row per logged value."""
    columns = {
        "step": _numbers([row["step"] for row in rows], pa.int64()),
        "seconds": _numbers([row["seconds"] for row in rows], pa.float64()),
        "name": _texts([row["name"].encode() for row in rows], pa.string()),
        "value": _numbers([row["value"] for row in rows], pa.float64()),
    }
    pq.write_table(pa.table(columns), path, compression="zstd")


# Arrays are made of their buffers: `pa.array` loads pandas where that is installed, a third of a second in every job.


def _numbers(values: ArrayLike, kind: pa.DataType) -> pa.Array:
    whole = np.ascontiguousarray(values, dtype=kind.to_pandas_dtype())
    return pa.Array.from_buffers(kind, len(whole), [None, pa.py_buffer(whole)])


def _texts(values: Sequence[bytes], kind: pa.DataType) -> pa.Array:
    ends = np.cumsum([0, *map(len, values)])
    assert ends[-1] < 2**31, "the offsets of this kind of array have 32 bits"
    buffers = [None, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(b"".join(values))]
    return pa.Array.from_buffers(kind, len(values), buffers)


def _order(result: Distilled) -> dict[str, NDArray[Any]]:
    """Nothing of a set without one."""
    order = {} if result.stage is None else {"stage": result.stage}
    return order | ({"step_sizes": np.array(result.step_sizes, dtype=np.float64)} if result.step_sizes else {})


def _floats(values: Any) -> list[float]:
    return [float(value) for value in np.asarray(values).ravel()]
