"""How long an upload of many small pictures is inspected, and how long the search for near copies in it takes.

`python -m benchmarks.inspection DATASET.npz [--pictures 50000]`: packs so many training pictures of a bundle as PNG
into class folders of a zip, inspects it as an upload, in a process of its own, and prints the seconds of both, those of
the clock and those of a core.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import tempfile
import time
import zipfile
from pathlib import Path

from PIL import Image

from core.data.bundle import Bundle, read_bundle
from core.data.inspection import inspect
from core.data.near_copies import near_copies


def packed(bundle: Bundle, count: int, target: Path) -> None:
    """Write the first pictures of a bundle as a zip of class folders."""
    train = bundle.train
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for place, (image, label) in enumerate(zip(train.images[:count], train.labels[:count], strict=True)):
            file = io.BytesIO()
            Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0)).save(file, "PNG")
            archive.writestr(f"{bundle.class_names[label].replace('/', '-')}/{place:06}.png", file.getvalue())


def main() -> None:
    """The measurement, as a line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inspection", description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--pictures", type=int, default=50_000)
    asked = parser.parse_args()
    bundle = read_bundle(asked.bundle)
    with tempfile.TemporaryDirectory() as folder:
        packed(bundle, asked.pictures, Path(folder, "upload"))
        start = time.monotonic()
        found = inspect(Path(folder, "upload"), Path(folder), None, lambda: False)
        inspected, used = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert found is not None, "nothing stops it"
    start, busy = time.monotonic(), time.process_time()
    near = near_copies(bundle.train, bundle.test)
    searched, busy = time.monotonic() - start, time.process_time() - busy
    told = {"bundle": asked.bundle.stem, "pictures": asked.pictures, "inspection_seconds": round(inspected, 1)}
    told |= {"inspection_core_seconds": round(used.ru_utime + used.ru_stime, 1)}
    told |= {"train": found["train_counts"], "mirrored": found["mirroring"]["allowed"], "near": found["near"]}
    images = len(bundle.train) + len(bundle.test)
    whole = {"searched": images, "search_seconds": round(searched, 1), "search_core_seconds": round(busy, 1)}
    whole |= {"found": near and vars(near.counts)}
    print(json.dumps(told | whole))


if __name__ == "__main__":
    main()
