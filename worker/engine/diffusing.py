"""The training_generator phase, and what the generator draws: trained once and shared by every job on the same data."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import safetensors

from core.engine.generative import generator as sampler
from core.engine.generative import stored, training
from core.engine.generative.drawing import Drawn, Judge, copies, draw
from core.engine.generative.generator import Generator
from core.engine.keys import Key
from core.recipe import Generative, Noise
from worker.engine import keep, selecting
from worker.engine.bench import Bench, Drained, Sampled
from worker.engine.follow import follow

_CURVE_POINTS = 200  # of each loss, at most
_AGREES, _COPIED = 0.7, 0.05  # shares of samples: those that suffice, those that are too many


def settled(bench: Bench) -> Bench:
    """The bench with a generator and its images, if the recipe wants one; as it was if not."""
    wanted, job, real = bench.job.recipe.objective, bench.job, bench.real
    if not isinstance(wanted, Generative):
        return bench
    generator = _trained(bench, wanted)
    judge = None
    if wanted.judge is not None:
        judge = Judge(bench.network, selecting.embedder(bench, wanted.judge))
    total = real.classes * job.request.ipc * wanted.candidates
    bench.channel.enter("distilling", total)
    start = job.recipe.init
    assert isinstance(start, Noise), "a recipe with a generator starts from noise"
    work = draw(
        generator,
        real.classes,
        job.request.ipc,
        start.std,
        bench.key.fold("distill").fold("init"),
        judge,
        wanted.candidates,
    )
    drawn = follow(bench, work, lambda share: bench.channel.progress(int(share * total), total))
    copied = copies(drawn.images, real.train)
    facts = _facts(wanted, generator, drawn, copied)
    said = "samples of the generator" if wanted.candidates == 1 else "samples that the judge chose"
    return replace(bench, sampled=Sampled(generator, drawn.images, said, facts, _doubts(drawn, copied)))


def _trained(bench: Bench, wanted: Generative) -> Generator:
    """The cache's, or trained now from where the checkpoint ends; it does not depend on the job's seed."""
    path = bench.cache.path(bench.names.generator(wanted), ".safetensors")
    total = training.steps(wanted)
    known = _read(path, bench)
    bench.channel.enter("training_generator", total, skipped=total if known else 0)
    if known is None:
        known = _train(bench, wanted, total)
        bench.cache.write(path, stored.packed(known), bench.channel.log, keep=frozenset({path}))
    else:
        bench.channel.log("The generator was in the cache.")
    bench.channel.progress(total, total)
    return replace(known, guidance=wanted.guidance, steps=wanted.sampler_steps)


def _train(bench: Bench, wanted: Generative, total: int) -> Generator:
    real, key, run = bench.real, Key(0).fold("generator"), bench.job.fingerprint or bench.job.job_id
    path, curves = (bench.folder.checkpoint / name for name in ("generator.safetensors", "generator_curves.json"))
    a = training.architecture(wanted, real.shape, real.classes)
    found = stored.read_progress(path, run, real.device)
    progress = found or training.begin(wanted, a, key, real.device)
    behind = training.done(wanted, progress)
    if found is not None:
        bench.channel.log(f"Resumed the generator's training at step {behind} of {total}.")
        bench.channel.recall([p for p in keep.read(curves, []) if p["step"] <= behind])
    bench.channel.progress(behind, total)
    saved = time.monotonic()
    mirror = "flip" in bench.job.recipe.augment.transforms
    for progress in training.train(wanted, a, real.train, key, progress, mirror):  # noqa: B020 (it goes on from it)
        done = training.done(wanted, progress)
        bench.channel.progress(done, total)
        if done % max(1, total // _CURVE_POINTS) == 0:
            bench.channel.metric(f"{progress.stage}_loss", done, progress.loss)
        stopping = bench.stopped()
        if stopping or time.monotonic() - saved >= bench.job.checkpoint_interval:
            # The curves first: a crash between the two leaves points beyond the training, which resuming drops.
            keep.write(curves, bench.channel.curves())
            keep.write_bytes(path, stored.pack_progress(progress, run))
            saved = time.monotonic()
        if stopping:
            raise Drained
    return training.finished(wanted, a, real.train, progress)


def _facts(wanted: Generative, generator: Generator, drawn: Drawn, copied: float) -> dict[str, Any]:
    """What the report says of the generator."""
    return {
        "architecture": asdict(generator.architecture),
        "parameters": generator.parameters,
        "bytes": sum(weight.nbytes for weight in generator.weights.values()),
        "published": wanted.publish,
        "guidance": generator.guidance,
        "sampler_steps": generator.steps,
        "samples": drawn.samples,
        "samples_per_second": round(drawn.samples / drawn.seconds, 2),
        "agreement": drawn.agreement,
        "copies": copied,
    }


def _doubts(drawn: Drawn, copied: float) -> tuple[str, ...]:
    """What a sceptic should be told of the samples."""
    doubts = []
    if drawn.agreement is not None and drawn.agreement < _AGREES:
        doubts.append(
            f"Under-trained generator: a network trained on the real images takes {drawn.agreement:.0%} of the samples "
            f"for the class they stand for, and {_AGREES:.0%} would do. Raise objective.denoiser.steps."
        )
    if copied > _COPIED:
        doubts.append(
            f"{copied:.0%} of the images nearly are training images: nearer to one than half of what is usual among "
            "those. The generator repeats what it has seen."
        )
    return tuple(doubts)


def _read(path: Path, bench: Bench) -> Generator | None:
    try:
        return sampler.read(path, str(bench.real.device))
    except (OSError, safetensors.SafetensorError):
        return None
