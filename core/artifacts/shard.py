"""One WebDataset shard of an artifact: a tar in which the files of an example have its number for a name.

    000000.png             a picture, or 000000.x.npy float32 [F] of a row, [C, T] of series
    000000.cls             the class, counted from 0
    000000.json            {"class": its name}, with `real` and `stage` where the set has them
    000000.soft_label.npy  float32 [classes], where labels are soft; regression_target.npy where they are targets

WebDataset cuts names at their first dot, so that no word of a dataset is part of one. The same artifact gives the same
bytes.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from typing import IO, Any, Final

import numpy as np
from numpy.typing import ArrayLike

_BATCH: Final = 64


def write_shard(parquet: IO[bytes], target: IO[bytes]) -> None:
    """Write the shard of an artifact's parquet file, a few examples at a time.

    Raises:
        ValueError: the file is no set of this service's.
    """
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for number, files in enumerate(_samples(parquet)):
            for kind, content in files.items():
                member = tarfile.TarInfo(f"{number:06d}.{kind}")
                member.size, member.mode = len(content), 0o644
                archive.addfile(member, io.BytesIO(content))


def _samples(parquet: IO[bytes]) -> Iterator[dict[str, bytes]]:
    """The files of each example, by what follows its number."""
    import pyarrow.parquet as pq  # slow to load, and most that read artifacts do without it

    source = pq.ParquetFile(parquet)
    try:
        features = json.loads(source.schema_arrow.metadata[b"huggingface"])["info"]["features"]
        label = next(name for name, feature in features.items() if feature["_type"] == "ClassLabel")
        names = features[label]["names"]
    except (TypeError, LookupError, StopIteration) as error:
        raise ValueError(f"the parquet file says nothing of classes ({error!r})") from None
    columns = list(features)
    inputs, more = columns[: columns.index(label)], columns[columns.index(label) + 1 :]
    for batch in source.iter_batches(_BATCH):
        for row in batch.to_pylist():
            yield {
                **_example(features, {name: row[name] for name in inputs}),
                "cls": str(row[label]).encode(),
                "json": _about(names[row[label]], {name: row[name] for name in more}),
                **{f"{name}.npy": _array(row[name]) for name in more if isinstance(row[name], list)},
            }


def _example(features: dict[str, Any], values: dict[str, Any]) -> dict[str, bytes]:
    (first, *_) = values
    if features[first]["_type"] == "Image":
        return {"png": values[first]["bytes"]}
    return {"x.npy": _array(list(values.values()))}


def _about(name: str, more: dict[str, Any]) -> bytes:
    told = {"class": name} | {key: value for key, value in more.items() if not isinstance(value, list)}
    return json.dumps(told, ensure_ascii=False).encode()


def _array(values: ArrayLike) -> bytes:
    file = io.BytesIO()
    np.save(file, np.asarray(values, np.float32), allow_pickle=False)
    return file.getvalue()
