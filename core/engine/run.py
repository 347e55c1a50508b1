"""A whole job in this process: `distil` runs its steps in order and returns everything a report is made of.

    from core.data import Catalogue
    from core.engine.run import distil

    done = distil(method("dm").recipe(task), Catalogue(folder).load("digits"), ipc=1, seed=0)
    done.result.images, done.rows

Everything slow is kept in the workspace as soon as it is done (experts in the cache, the loop's state and each line of
the report in the checkpoint), so a run that follows a crash goes on where the last one was.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from core.data import Dataset, DatasetFacts, UnknownDataset
from core.engine import distill
from core.engine.context import JobContext, KernelPlan
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.meta_generator import Training
from core.engine.networks import Network, build
from core.engine.real import prepare
from core.engine.report import Distillation
from core.engine.steps import diffusion, meta_generator, search, sweep, teacher
from core.engine.steps.coverage import covered
from core.engine.steps.distillation import distilled
from core.engine.steps.evaluation import rows
from core.engine.steps.meta_generator import Place
from core.engine.steps.neighbours import nearest
from core.engine.steps.transfer import across
from core.engine.workspace import InMemory, Workspace
from core.plan.cache_names import name_of
from core.recipe import Generated, Recipe

Planner = Callable[[Recipe, DatasetFacts, int, Network, torch.device], KernelPlan]
"""Decides which kernels compute a job of so many images a class."""

_CPU = torch.device("cpu")


def eager(recipe: Recipe, facts: DatasetFacts, ipc: int, network: Network, device: torch.device) -> KernelPlan:
    """Kernels as they are written, that keep nothing between the steps of a student."""
    return KernelPlan(Eager(network), "The kernels are not compiled.", 0, {}, frozenset())


def alone(name: str) -> Dataset:
    """No other dataset than the job's own."""
    raise UnknownDataset(f"The recipe's generator is meta-trained on '{name}': say how to load it.")


def distil(
    recipe: Recipe,
    dataset: Dataset,
    ipc: int,
    seed: int,
    workspace: Workspace | None = None,
    *,
    device: torch.device = _CPU,
    run: str | None = None,
    plan: Planner = eager,
    load: Callable[[str], Dataset] = alone,
) -> Distillation:
    """Distil a dataset to `ipc` images a class, evaluate them, and compare them with real images.

    The same arguments give the same images. `run` names what the workspace's checkpoint belongs to, which by default
    is all that the images depend on. `load` is asked for the dataset of `init.source`.

    Raises:
        Drained: the workspace said to stop; everything up to then is in its checkpoint.
        ValueError: the recipe cannot be followed on this dataset, or the training diverged.
    """
    real = prepare(dataset, recipe.preprocess, device)
    workspace = InMemory() if workspace is None else workspace
    workspace.journal.progress(2, 2)
    network = build(recipe.network, real.shape, real.classes)
    content = {"recipe": recipe.model_dump(mode="json"), "dataset": dataset.facts.digest, "ipc": ipc, "seed": seed}
    context = JobContext(
        recipe=recipe,
        ipc=ipc,
        key=Key(seed),
        run=run or name_of(content),
        dataset=dataset,
        real=real,
        network=network,
        plan=plan(recipe, dataset.facts, ipc, network, device),
        workspace=workspace,
        load=load,
    )
    taught = teacher.gather(context)
    context = diffusion.settled(search.settled(sweep.settled(context), taught))
    state, selection = distilled(context, taught)
    result = distill.finish(context.recipe, state, real, ipc)
    result = teacher.relabelled(context, taught, result)
    lines = rows(context, result, taught)
    seeds = recipe.evaluation.seeds
    judged = seeds * sum(line["name"] != "teacher" for line in lines)
    unseen = across(context, result, judged, taught)
    return Distillation(
        context=context,
        result=result,
        selection=selection,
        rows=lines,
        across=unseen,
        analyses={
            "coverage": covered(context, result, judged + 2 * seeds * len(unseen)),
            "neighbours": nearest(context, result),
        },
        teacher=taught,
    )


def meta_train(
    recipe: Recipe,
    choice: Generated,
    source: Dataset,
    workspace: Workspace,
    told: Callable[[Training], None],
    device: torch.device = _CPU,
) -> None:
    """Meta-train on `source` the generator that jobs of a recipe will look for; `told` hears of each step."""
    place = Place(workspace, "meta.safetensors", told)
    meta_generator.meta_trained(place, recipe, choice, source.facts, prepare(source, recipe.preprocess, device))
