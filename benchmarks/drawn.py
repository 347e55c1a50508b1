"""Accuracy against images a class where a generator draws them: any number, from an artifact of one size."""

from __future__ import annotations

import io
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from PIL import Image

from benchmarks.jobs import Ask, Finished, Setting
from benchmarks.rows import mean_and_deviation, percent, spread, table

TITLE: Final = "Any number of images from one diffusion model"

_CACHED = "The generator was in the cache."  # says the engine
_RATE = {"evaluation.baseline_lrs": [0.01]}  # one for generated and real images
_MOST = 60_000  # bytes of a picture
_HEAD = ["images a class", "generated", "random real", "difference, points", "n", "judge agrees", "copies"]
_HEAD += ["seconds of drawing", "samples/s", "the set, s", "the whole job, s"]


def gather(setting: Setting, ask: Ask, ipcs: Sequence[int]) -> dict[int, list[Finished]]:
    """The jobs of each size, a seed each; a budget that ends too soon leaves seeds of every size."""
    found: dict[int, list[Finished]] = {ipc: [] for ipc in ipcs}
    for seed in range(setting.seeds):
        for ipc in ipcs:
            job = ask(setting.order(f"diffusion, {ipc} a class", "diffusion", ipc, seed, _RATE))
            found[ipc] += [] if job is None else [job]
    return {ipc: jobs for ipc, jobs in found.items() if jobs}


def said(setting: Setting, found: Mapping[int, Sequence[Finished]], picture: str = "") -> str:
    """The section: what the generator is, and the table."""
    jobs = [job for each in found.values() for job in each]
    made = {id(job): _CACHED not in job.log() for job in jobs}
    trained = [job.phases["training_generator"] for job in jobs if made[id(job)]]
    facts, size = jobs[0].report["generator"], jobs[0].report["compression"]
    image, classes = size["bytes_before"] // size["images_before"], len(jobs[0].report["per_class"])
    text = (
        f"{setting.told}; method `diffusion`. One generator, whatever the ipc and the seed: {facts['parameters']:,} "
        f"parameters, {facts['bytes']:,} bytes, as many as {facts['bytes'] / (image * classes):,.0f} images a class in "
        f"8 bits; trained {'in ' + spread(trained, 0) + ' s' if trained else 'by an earlier benchmark'}. Each seed "
        "draws its own images from it, so that ± is over draws and networks, and not over generators. Networks learn "
        "generated and real images with hard labels, by one recipe and at one rate. Copies are samples nearer to a "
        "training image than half of what is usual among those. Seconds are medians of jobs that found the generator "
        "in the cache (least-most): of the drawing, of the engine until the set was there, of the whole job with its "
        "evaluation, from the order to its end."
    )
    rows = [_row(ipc, jobs, [job for job in jobs if not made[id(job)]]) for ipc, jobs in found.items()]
    return "\n\n".join([text, *([picture] if picture else []), table(_HEAD, rows)])


def shown(artifact: Path, path: Path) -> None:
    """Write the artifact's picture, of so many colours as fit into 60 kB."""
    picture = Image.open(artifact / "preview.png").convert("RGB")
    for colours in (256, 64, 32, 16, 8):
        file = io.BytesIO()
        picture.quantize(colours).save(file, "PNG", optimize=True)
        if file.tell() <= _MOST:
            break
    path.write_bytes(file.getvalue())


def _row(ipc: int, jobs: Sequence[Finished], later: Sequence[Finished]) -> list[str]:
    generated, real = ([job.accuracy(line) for job in jobs] for line in ("distilled", "random"))
    facts = [job.report["generator"] for job in jobs]
    agreement = [each["agreement"] for each in facts if each["agreement"] is not None]
    return [
        str(ipc),
        percent(generated),
        percent(real),
        mean_and_deviation([100 * (a - b) for a, b in zip(generated, real, strict=True)], 1),
        str(len(jobs)),
        percent(agreement) if agreement else "-",
        percent([each["copies"] for each in facts]),
        spread([job.phases["distilling"] for job in later]),
        f"{statistics.median(each['samples_per_second'] for each in facts):,.0f}",
        spread([job.making for job in later]),
        spread([job.wall for job in later]),
    ]
