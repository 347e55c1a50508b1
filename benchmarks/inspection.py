"""How long an upload of many small pictures is inspected, and how long its searches for near copies and mirrors take.

`python -m benchmarks.inspection DATASET.npz ... [--pictures 50000] [--repeats 3]`: packs so many training pictures of a
bundle as PNG into class folders of a zip and inspects it as an upload, in a process of its own; then looks for near
copies among all pictures of the bundle, and asks its training pictures whether mirrored ones stay what they are.
Seconds are those of the clock, median (min-max), and in the last columns those of a core.
"""

from __future__ import annotations

import argparse
import io
import resource
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from PIL import Image

from benchmarks.machine import describe
from benchmarks.rows import spread, table
from core.data.bundle import Bundle, read_bundle
from core.data.inspection import inspect
from core.data.mirroring import probe
from core.data.near_copies import near_copies

HEAD = ("dataset", "pictures", "inspected, s", "searched", "near copies, s", "mirror probe, s", "of a core, s each")


@final
@dataclass
class Times:
    """Seconds of a task at each repeat, of the clock and of a core."""

    clock: list[float] = field(default_factory=list)
    core: list[float] = field(default_factory=list)

    def take(self, task: Callable[[], object], who: int) -> None:
        """Do it once more; `who` does the work, this process or a child."""
        start, before = time.monotonic(), _busy(who)
        task()
        self.clock.append(time.monotonic() - start)
        self.core.append(_busy(who) - before)


def _busy(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def packed(bundle: Bundle, count: int, target: Path) -> None:
    """Write the first pictures of a bundle as a zip of class folders."""
    train = bundle.train
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for place, (image, label) in enumerate(zip(train.images[:count], train.labels[:count], strict=True)):
            file = io.BytesIO()
            Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0)).save(file, "PNG")
            archive.writestr(f"{bundle.class_names[label].replace('/', '-')}/{place:06}.png", file.getvalue())


def measured(path: Path, pictures: int, repeats: int) -> list[str]:
    """A row of the table."""
    bundle = read_bundle(path)
    inspected, searched, probed = Times(), Times(), Times()
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            packed(bundle, pictures, folder / "upload")
            inspected.take(lambda: inspect(folder / "upload", folder, None, lambda: False), resource.RUSAGE_CHILDREN)  # noqa: B023
        searched.take(lambda: near_copies(bundle.train, bundle.test), resource.RUSAGE_SELF)
        probed.take(lambda: probe(bundle.train, bundle.class_names), resource.RUSAGE_SELF)
    images = len(bundle.train) + len(bundle.test)
    clocks = (spread(each.clock, 1) for each in (inspected, searched, probed))
    cores = ", ".join(f"{sum(each.core) / repeats:.1f}" for each in (inspected, searched, probed))
    one, two, three = clocks
    return [path.stem, f"{min(pictures, len(bundle.train)):,}", one, f"{images:,}", two, three, cores]


def main() -> None:
    """The measurements, as a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inspection", description=__doc__)
    parser.add_argument("bundles", type=Path, nargs="+")
    parser.add_argument("--pictures", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    print(table(HEAD, [measured(path, asked.pictures, asked.repeats) for path in asked.bundles]))
    print(describe(*(path.parent for path in asked.bundles)))


if __name__ == "__main__":
    main()
