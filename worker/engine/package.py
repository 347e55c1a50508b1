"""From the engine's tensors to the numpy record the artifact is built from."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np

from core.artifacts import Beside, Distilled, layout
from core.data import Mirroring
from core.data.doubts import doubts
from core.engine.context import JobContext
from core.engine.diffusion import generator
from core.engine.diffusion import stored as saved
from core.engine.report import Distillation, compose
from core.engine.synthetic import SyntheticDataset
from core.engine.trees import lost_by
from core.methods import cuts_tiles
from core.recipe import Generated, Generative, Recipe
from core.report import Within
from core.request import ENGINE_VERSION, JobRequest
from worker.engine.job import Job, hardware

_VERSIONED = ("stillhouse", "torch", "numpy", "safetensors", "pyarrow")
_COLLAPSED = 10  # times below where it began from which a learned learning rate is told
_version = cache(version)  # it reads a file each time


def artifact_of(job: Job, done: Distillation) -> Distilled:
    """Everything the artifact says and holds."""
    context, result = done.context, done.result
    recipe, facts, journal = context.recipe, context.dataset.facts, context.journal
    journal.leave()
    images = result.images.cpu().numpy().astype(np.float32)
    soft = None if result.soft_labels is None else result.soft_labels.cpu().numpy().astype(np.float32)
    targets = None if result.targets is None else result.targets.cpu().numpy().astype(np.float32)
    transform = {name: array.cpu().numpy() for name, array in result.transform.arrays.items()}
    numbers = {} if result.transform.pixels else {"values": "numbers"}
    remarks = [
        *doubts(facts),
        *_remarks(job.request, context, result),
        *lost_by(context, result),
        *(context.sampled.doubts if context.sampled else ()),
    ]
    within = Within(seconds=job.request.within, given_up=_given_up(job, recipe)) if job.request.within else None
    report = compose(done, hardware(context.real.device), remarks, within)
    return Distilled(
        images=images,
        labels=result.labels.cpu().numpy().astype(np.int64),
        soft_labels=soft,
        regression_targets=targets,
        pixels=result.pixels.cpu().numpy(),
        stored=None if result.stored is None else result.stored.cpu().numpy(),
        real=result.real.cpu().numpy(),
        views=None if result.views is None else result.views.stored(len(images)),
        beside=_published(context),
        step_size=result.step_size,
        stage=None if result.stage is None else result.stage.cpu().numpy().astype(np.int64),
        step_sizes=result.step_sizes,
        transform={"kind": result.transform.kind, **numbers, **transform},
        facts=facts,
        request=job.request.model_copy(update={"ipc": context.ipc}).model_dump(mode="json"),
        recipe=recipe.model_dump(mode="json"),
        report=report,
        metrics=journal.curves(),
        provenance={
            "fingerprint": job.fingerprint,
            "engine_version": ENGINE_VERSION,
            "commit": commit(),
            "versions": {"python": platform.python_version(), **{name: _version(name) for name in _VERSIONED}},
            "hardware": report.device,
            "seeds": {"request": job.request.seed, "evaluation": list(range(recipe.evaluation.seeds))},
            "timings": report.phases,
            "chosen": [probe.model_dump(include={"field", "chosen", "why"}) for probe in context.probes],
        },
    )


def _given_up(job: Job, recipe: Recipe) -> tuple[str, ...]:
    """The differences to the method's recipe; of the outer steps those to what there was time for in the end."""
    if job.fit is None:
        return ()
    most, steps = job.fit.most_steps, recipe.schedule.steps
    planned = f"schedule.steps {most} -> {job.recipe.schedule.steps}"
    made = {} if steps == job.recipe.schedule.steps else {planned: f"schedule.steps {most} -> {steps}"}
    return tuple(made.get(each, each) for each in job.fit.given_up if each != planned or steps < most)


def _remarks(request: JobRequest, context: JobContext, result: SyntheticDataset) -> list[str]:
    """Remarks on the result that a reader of the report would not guess."""
    recipe, labels, facts = context.recipe, context.recipe.labels, context.dataset.facts
    continued = [f"The images go on from those of {request.continue_from}."] if request.continue_from else []
    made = [*continued, *_collapsed(recipe, result), *mirrored(request, recipe, facts.mirroring)]
    if recipe.parameterize.formation == 1 and cuts_tiles(request.method, facts):
        height, width = facts.shape[1:]
        why = f"the sides are odd ({height} x {width})" if height % 2 or width % 2 else "the request says so"
        made.append(
            f"The images were made without tiles, since {why}: this is the objective of {request.method}, "
            "but each stored image is one training image of the full side, not several of a part of it."
        )
    if isinstance(choice := recipe.init, Generated):
        origin = choice.source or f"{facts.label} itself"
        meta = (
            f"meta-trained on {choice.meta.tasks} subsets of the classes of {origin}" if choice.meta else "not trained"
        )
        given = "Means of clusters of images" if choice.given == "means" else "The images"
        made.append(f"{given} passed through a generator that was {meta} and adapted in {choice.steps} steps.")
    if not recipe.regresses:
        return made
    if labels.for_pixels:
        return [
            *made,
            "The labels are the targets of a ridge regression on the images' pixels, in the space networks see them, "
            "without an intercept: for that the set stands in for the full one, see `ridge` beside `ridge_full`. The "
            "networks of the other lines were trained on the same targets by squared error, and nothing promises them "
            "more than the table says.",
        ]
    return [
        *made,
        "The labels are targets of a regression and no probabilities: networks were trained on them by squared error, "
        "and `ridge` is a regression on the features of networks that were not trained at all.",
    ]


def mirrored(request: JobRequest, recipe: Recipe, verdict: Mirroring) -> list[str]:
    """Pictures that were mirrored and should not have been, or were not and perhaps might have been."""
    transforms = recipe.augment.transforms
    asked = any(path.partition(".")[0] == "augment" for path in request.overrides)
    if "flip" in transforms and not verdict.allowed and verdict.by != "undecided":
        return [
            "Networks were trained on mirrored pictures, too, although on this dataset a mirrored picture is not what "
            f"it was: {verdict.reason}. Leave 'flip' out of augment.transforms."
        ]
    if verdict.by != "undecided" or asked or not transforms:
        return []
    done = "Mirrored pictures were trained on, too" if "flip" in transforms else "No picture was mirrored in training"
    change = "leave 'flip' out of augment.transforms" if "flip" in transforms else "add 'flip' to augment.transforms"
    return [
        f"{done}, and it could not be told whether a mirrored picture of this dataset stays what it is "
        f"({verdict.reason}). To have it otherwise, {change}, or upload the dataset with mirror=yes or mirror=no."
    ]


def _collapsed(recipe: Recipe, result: SyntheticDataset) -> list[str]:
    """Learned learning rates that came near nothing, at which networks hardly move."""
    learned = result.step_sizes or ((result.step_size,) if result.step_size is not None else ())
    falls = [(recipe.initial_step_size(stage), rate) for stage, rate in enumerate(learned)]
    fallen = [f"{first:g} to {rate:.2g}" for first, rate in falls if rate < first / _COLLAPSED]
    if not fallen:
        return []
    return [
        f"The learned learning rate fell from {', from '.join(fallen)}: at such a rate networks hardly move. A lower "
        "step_size.lr or schedule.image_lr keeps it up; evaluation.lr trains at a rate of its own."
    ]


def _published(context: JobContext) -> tuple[Beside, ...]:
    """The generator, where the recipe wants it in the artifact, with the code that samples from it."""
    wanted, made = context.recipe.objective, context.sampled
    if made is None or not isinstance(wanted, Generative) or not wanted.publish:
        return ()
    weights = {name: weight.cpu().contiguous().numpy() for name, weight in made.generator.weights.items()}
    code = {layout.SAMPLER: Path(generator.__file__).read_text("utf-8")}
    return (Beside(layout.GENERATOR, weights, saved.about(made.generator), code),)


@cache
def commit() -> str | None:
    """The commit the service runs from, if it runs from a checkout."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()
