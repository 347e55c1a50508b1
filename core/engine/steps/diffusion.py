"""The training_generator phase, and what the generator draws: trained once and shared by every job on the same data."""

from __future__ import annotations

import time
from dataclasses import asdict, replace

from core import report
from core.engine import stored as files
from core.engine.context import JobContext, Sampled, follow
from core.engine.diffusion import stored, training
from core.engine.diffusion.drawing import Drawn, Judge, copies, draw
from core.engine.diffusion.generator import Generator
from core.engine.keys import Key
from core.engine.steps import scores
from core.engine.workspace import Drained
from core.plan.cache_names import file_name
from core.recipe import Generative, Noise

_STATE, _CURVES = "generator.safetensors", "generator_curves.json"
_CURVE_POINTS = 200  # of each loss, at most
_AGREES, _COPIED = 0.7, 0.05  # shares of samples: those that suffice, those that are too many


def settled(context: JobContext) -> JobContext:
    """The context with a generator and its images, if the recipe wants one; as it was if not."""
    wanted, real = context.recipe.objective, context.real
    if not isinstance(wanted, Generative):
        return context
    generator = _trained(context, wanted)
    judge = None
    if wanted.judge is not None:
        judge = Judge(context.network, scores.embedder(context, wanted.judge))
    total = real.classes * context.ipc * wanted.candidates
    context.journal.enter("distilling", total)
    start = context.recipe.init
    assert isinstance(start, Noise), "a recipe with a generator starts from noise"
    work = draw(
        generator,
        real.classes,
        context.ipc,
        start.std,
        context.key.fold("distill").fold("init"),
        judge,
        wanted.candidates,
    )
    drawn = follow(context, work, lambda share: context.journal.progress(int(share * total), total))
    copied = copies(drawn.images, real.train)
    facts = _facts(wanted, generator, drawn, copied)
    said = "samples of the generator" if wanted.candidates == 1 else "samples that the judge chose"
    return replace(context, sampled=Sampled(generator, drawn.images, said, facts, _doubts(drawn, copied)))


def _trained(context: JobContext, wanted: Generative) -> Generator:
    """The cache's, or trained now from where the checkpoint ends; it does not depend on the job's seed."""
    name = file_name(context.names.generator(wanted), ".safetensors")
    total = training.steps(wanted)
    known = stored.read(context.workspace.find(name), context.real.device)
    context.journal.enter("training_generator", total, skipped=total if known else 0)
    if known is None:
        known = _train(context, wanted, total)
        context.workspace.keep(name, stored.packed(known))
    else:
        context.journal.log("The generator was in the cache.")
    context.journal.progress(total, total)
    return replace(known, guidance=wanted.guidance, steps=wanted.sampler_steps)


def _train(context: JobContext, wanted: Generative, total: int) -> Generator:
    real, key, workspace = context.real, Key(0).fold("generator"), context.workspace
    a = training.architecture(wanted, real.shape, real.classes)
    found = stored.read_progress(workspace.checkpoint(_STATE), context.run, real.device)
    progress = found or training.begin(wanted, a, key, real.device)
    behind = training.done(wanted, progress)
    if found is not None:
        context.journal.log(f"Resumed the generator's training at step {behind} of {total}.")
        points = files.document(workspace.checkpoint(_CURVES), [])
        context.journal.recall([p for p in points if p["step"] <= behind])
    context.journal.progress(behind, total)
    saved = time.monotonic()
    mirror = "flip" in context.recipe.augment.transforms
    for progress in training.train(wanted, a, real.train, key, progress, mirror):  # noqa: B020 (it goes on from it)
        done = training.done(wanted, progress)
        context.journal.progress(done, total)
        if done % max(1, total // _CURVE_POINTS) == 0:
            context.journal.metric(f"{progress.stage}_loss", done, progress.loss)
        stopping = workspace.should_stop()
        if stopping or time.monotonic() - saved >= workspace.interval:
            # The curves first: a crash between the two leaves points beyond the training, which resuming drops.
            workspace.store(_CURVES, files.written(context.journal.curves()))
            workspace.store(_STATE, stored.pack_progress(progress, context.run))
            saved = time.monotonic()
        if stopping:
            raise Drained
    return training.finished(wanted, a, real.train, progress)


def _facts(wanted: Generative, generator: Generator, drawn: Drawn, copied: float) -> report.Generator:
    """The report's entry on the generator."""
    return report.Generator(
        architecture=asdict(generator.architecture),
        parameters=generator.parameters,
        bytes=sum(weight.nbytes for weight in generator.weights.values()),
        published=wanted.publish,
        guidance=generator.guidance,
        sampler_steps=generator.steps,
        samples=drawn.samples,
        samples_per_second=round(drawn.samples / drawn.seconds, 2),
        agreement=drawn.agreement,
        copies=copied,
    )


def _doubts(drawn: Drawn, copied: float) -> tuple[str, ...]:
    """Sentences on what a sceptic should know of the samples."""
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
