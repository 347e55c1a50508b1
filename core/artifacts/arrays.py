"""The synthetic set as files of arrays: safetensors (the exact floats), npz (the plain bundle) and parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray
from safetensors.numpy import save_file

from core.artifacts.distilled import Distilled, columns_of, label_of
from core.data import DatasetFacts
from core.data.numbers import natural_values
from core.request import canonical_json


def write_tensors(path: Path, result: Distilled) -> None:
    """`dataset.safetensors`: images, labels, `Distilled.columns`, step sizes and whitening, none of them rounded."""
    kind = result.facts.kind
    arrays: dict[str, NDArray[Any]] = {"images": natural_values(result.images, kind), "labels": result.labels}
    arrays |= _more(result)
    if result.step_size is not None:
        arrays["step_size"] = np.array(result.step_size, dtype=np.float64)
    transform = dict(result.transform)
    if transform["kind"] == "zca":
        for part in ("mean", "whiten", "unwhiten"):
            arrays[f"zca_{part}"] = np.asarray(transform.pop(part), dtype=np.float32)
    else:
        transform = {key: value if isinstance(value, str) else _floats(value) for key, value in transform.items()}
    about = {
        "schema_version": 1,
        "class_names": result.facts.class_names,
        "dataset": result.facts.name,
        "dataset_digest": result.facts.digest,
        "recipe": result.recipe,
        "request": result.request,
        "transform": transform,
        **({} if kind == "pictures" else {"kind": kind, "columns": result.facts.columns}),
    }
    save_tensors(path, arrays, about)


def save_tensors(path: Path, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> None:
    """A safetensors file, whose metadata are canonical JSON under the single key `stillhouse`.

    With several keys the bytes of the file would follow the order of a hash map, which differs between processes.
    """
    # Not ascontiguousarray, which makes a vector of a scalar.
    whole = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    save_file(whole, path, metadata={"stillhouse": canonical_json(dict(about))})


def write_bundle(path: Path, result: Distilled) -> None:
    """`dataset.npz`: x_train uint8 (n, H, W) or (n, H, W, 3), y_train, class_names.

    Of vectors x_train is float32 (n, F), of series (n, C, T), with kind and the names of columns. Also
    `Distilled.columns`, and a curriculum's step_sizes.
    """
    arrays: dict[str, NDArray[Any]] = {
        "x_train": _as_given(result),
        "y_train": result.labels,
        "class_names": np.array(result.facts.class_names),
    }
    if result.facts.kind != "pictures":
        arrays |= {"kind": np.array(result.facts.kind)}
        arrays |= {"columns": np.array(result.facts.columns)} if result.facts.columns else {}
    arrays |= _more(result)
    np.savez(path, allow_pickle=False, **arrays)


def write_parquet(path: Path, result: Distilled, names: Sequence[str], pictures: Sequence[bytes]) -> None:
    """The images as PNG `pictures` with their labels, readable by `datasets.load_dataset` and the Hub's viewer."""
    picture, place = _texts(pictures, pa.binary()), _texts([name.encode() for name in names], pa.string())
    image = pa.StructArray.from_arrays([picture, place], names=["bytes", "path"])
    _write(path, result, {"image": {"_type": "Image"}}, {"image": image}, "label")


def write_rows(path: Path, result: Distilled) -> None:
    """Vectors as parquet, a float32 column a feature; or series, a list of T float32 a channel. Both with a label."""
    values, names = natural_values(result.pixels, result.facts.kind), columns_of(result.facts)
    feature: dict[str, Any] = {"_type": "Value", "dtype": "float32"}
    columns: dict[str, pa.Array] = {}
    for place, name in enumerate(names):
        numbers = _numbers(values[:, place].ravel(), pa.float32())
        columns[name] = numbers if values.ndim == 2 else pa.FixedSizeListArray.from_arrays(numbers, values.shape[2])
    if values.ndim == 3:
        feature = {"_type": "List", "feature": feature, "length": values.shape[2]}
    _write(path, result, dict.fromkeys(names, feature), columns, label_of(result.facts))


def write_csv(path: Path, result: Distilled) -> None:
    """`dataset.csv`: a line a case, its numbers in the order of `csv_header`, and the name of its class."""
    values = natural_values(result.pixels, result.facts.kind).reshape(len(result.labels), -1)
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow([*csv_header(result.facts), label_of(result.facts)])
        for row, label in zip(values, result.labels.tolist(), strict=True):
            lines.writerow([*(format(value, ".9g") for value in row.tolist()), result.facts.class_names[label]])


def csv_header(facts: DatasetFacts) -> list[str]:
    """The names of a line's numbers: of a table its columns, of series each channel's steps, `channel_step`."""
    names = columns_of(facts)
    if facts.kind == "vectors":
        return names
    return [f"{name}_{step}" for name in names for step in range(facts.shape[2])]


def _write(path: Path, result: Distilled, features: dict[str, Any], columns: dict[str, pa.Array], label: str) -> None:
    """Columns, the labels and `Distilled.columns` as parquet, with the features that `datasets` reads."""
    features |= {label: {"_type": "ClassLabel", "names": list(result.facts.class_names)}}
    columns |= {label: _numbers(result.labels, pa.int64())}
    for each in result.columns:
        kind, width = pa.from_numpy_dtype(each.values.dtype), each.values.shape[1:]
        numbers = _numbers(each.values.ravel(), pa.uint8() if kind == pa.bool_() else kind).cast(kind)
        feature = {"_type": "Value", "dtype": each.values.dtype.name}
        features[each.entry] = {"_type": "List", "feature": feature, "length": width[0]} if width else feature
        columns[each.entry] = pa.FixedSizeListArray.from_arrays(numbers, *width) if width else numbers
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


def _more(result: Distilled) -> dict[str, NDArray[Any]]:
    """The arrays that some sets have, and the rates of a curriculum."""
    arrays = {each.name: each.values for each in result.columns}
    return arrays | ({"step_sizes": np.array(result.step_sizes, dtype=np.float64)} if result.step_sizes else {})


def _as_given(result: Distilled) -> NDArray[Any]:
    """The examples in the shape and the values of their source."""
    if result.facts.kind != "pictures":
        return natural_values(result.pixels, result.facts.kind)
    pixels = result.pixels.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def _floats(values: Any) -> list[float]:
    return [float(value) for value in np.asarray(values).ravel()]
