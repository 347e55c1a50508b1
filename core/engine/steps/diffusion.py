"""The training_generator phase, and what the generator draws: trained once and shared by every job on the same data."""

from __future__ import annotations

import time
from dataclasses import asdict, replace

from core import report
from core.engine import kept
from core.engine import stored as files
from core.engine.context import JobContext, Sampled, follow
from core.engine.diffusion import stored, training
from core.engine.diffusion.drawing import Drawn, Judge, copies, draw
from core.engine.diffusion.generator import Generator
from core.engine.evaluate import Trained
from core.engine.kept import Contents, Making
from core.engine.keys import Key
from core.plan.steps import TrainGenerator
from core.recipe import Generative, Noise

_STATE, _CURVES = "generator.safetensors", "generator_curves.json"
_CURVE_POINTS = 200  # of each loss, at most
_AGREES, _COPIED = 0.7, 0.05  # shares of samples: those that suffice, those that are too many


def drawn(context: JobContext, generator: Generator, judging: Trained | None) -> JobContext:
    """The context with the images that a generator drew, of which a network chooses where the recipe asks one."""
    wanted, real = context.recipe.objective, context.real
    assert isinstance(wanted, Generative), "a plan with this step"
    judge = None if judging is None else Judge(context.network, judging)
    total = sum(context.counts) * wanted.candidates
    context.journal.enter("distilling", total)
    start = context.recipe.init
    assert isinstance(start, Noise), "a recipe with a generator starts from noise"
    work = draw(
        generator,
        context.counts,
        start.std,
        context.key.fold("distill").fold("init"),
        judge,
        wanted.candidates,
    )
    found = follow(context, work, lambda share: context.journal.progress(share * total, total))
    copied = copies(found.images, real.train)
    facts = _facts(wanted, generator, found, copied)
    said = "samples of the generator" if wanted.candidates == 1 else "samples that the judge chose"
    return replace(context, sampled=Sampled(generator, found.images, said, facts, _doubts(found, copied)))


def trained(context: JobContext, step: TrainGenerator) -> Generator:
    """The cache's, or trained now from where the checkpoint ends; it does not depend on the job's seed."""
    wanted = context.recipe.objective
    assert isinstance(wanted, Generative), "a plan with this step"
    total, device = training.steps(wanted), context.real.device
    making: Making[Generator] = Making(
        lambda _: _train(context, wanted, total),
        lambda source: stored.read(source, device),
        total,
        lambda found: "The generator was in the cache." if found else None,
    )
    (known,) = kept.gather(context, step.kept.files, making, "training_generator")
    return replace(known, guidance=wanted.guidance, steps=wanted.sampler_steps)


def _train(context: JobContext, wanted: Generative, total: int) -> Contents:
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

    def store(progress: training.Progress) -> None:
        # The curves first: a crash between the two leaves points beyond the training, which resuming drops.
        workspace.store(_CURVES, files.written(context.journal.curves()))
        workspace.store(_STATE, stored.pack_progress(progress, context.run))

    saved = time.monotonic()
    mirror = "flip" in context.recipe.augment.transforms
    for progress in training.train(wanted, a, real.train, key, progress, mirror):  # noqa: B020 (it goes on from it)
        done = training.done(wanted, progress)
        if done % max(1, total // _CURVE_POINTS) == 0:
            context.journal.metric(f"{progress.stage}_loss", done, progress.loss)
        if time.monotonic() - saved >= workspace.interval:
            store(progress)
            saved = time.monotonic()
        try:
            yield done / total
        except GeneratorExit:
            store(progress)
            raise
    return [stored.packed(training.finished(wanted, a, real.train, progress))]


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
