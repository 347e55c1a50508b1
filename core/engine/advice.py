"""The measurements of a study in this process, without a service: `measure`, and then `core.advice.verdict`.

facts = dataset.facts
measured = measure(study(facts, "hard", seconds=60), dataset)
print(answer(Question(ipc=20), measured).sentence)
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace

import torch

from core.advice.measured import VERSION, Measured
from core.advice.study import Study
from core.data import Dataset
from core.engine import evaluate
from core.engine.context import JobContext, KernelPlan
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import build
from core.engine.state import State
from core.engine.steps import distillation
from core.engine.steps.advising import Measuring, judged_on
from core.engine.whitened import real_data
from core.engine.workspace import InMemory, PartMade, Workspace

_CPU = torch.device("cpu")


def measure(
    asked: Study,
    dataset: Dataset,
    workspace: Workspace | None = None,
    *,
    device: torch.device = _CPU,
    hardware: str = "",
) -> Measured:
    """Measure what a study asks for, as far as its time goes, on the training and the validation split alone.

    Raises:
        Drained: the workspace said to stop; every point that was finished is in its checkpoint.
    """

    context = _context(asked, dataset, InMemory() if workspace is None else workspace, device)
    real, network = context.real, context.network
    measuring = Measuring(context, asked, _piloted)
    measuring.run()
    directions = measuring.directions()
    facts, measure = dataset.facts, asked.recipe.evaluation.measure
    judged, trained = judged_on(real.validation), real.train.labels
    assert facts.digest is not None, "a dataset that was loaded is on disk"
    return Measured(
        study=asked,
        dataset=facts.name,
        digest=facts.digest,
        classes=facts.classes,
        shape=facts.shape,
        smallest_class=facts.smallest_class,
        validation=len(judged),
        tests=facts.test_count,
        validation_telling=evaluate.telling(measure, judged.labels),
        tests_telling=facts.test_count * evaluate.telling(measure, trained) / len(trained),
        network=network.name,
        hardware=hardware,
        points=tuple(measuring.points),
        seconds=round(measuring.seconds, 1),
        directions=directions,
        left_out=tuple(measuring.left_out),
    )


def assist(
    asked: Study, dataset: Dataset, workspace: Workspace, files: Collection[str], device: torch.device = _CPU
) -> bool:
    """Make some points of a study that another worker is at, and keep them in the workspace under their names.

    False where no point of the study has these names.

    Raises:
        Drained: the workspace said to stop.
    """
    context = replace(_context(asked, dataset, workspace, device), only=frozenset(files))
    with suppress(PartMade):
        Measuring(context, asked, _piloted).run()
    return all(workspace.find(name) is not None for name in files)


def _context(asked: Study, dataset: Dataset, workspace: Workspace, device: torch.device) -> JobContext:
    def alone(name: str) -> Dataset:
        raise AssertionError("the pilots' method knows no other dataset")

    real = real_data(dataset, asked.recipe.preprocess, device, workspace)
    network = build(asked.recipe.network, real.shape, real.classes)
    return JobContext(
        recipe=asked.recipe,
        ipc=asked.sizes[-1],
        key=Key(0).fold("advice"),
        run=f"advice {VERSION}",
        dataset=dataset,
        real=real,
        network=network,
        plan=KernelPlan(Eager(network), "The kernels are not compiled.", 0, {}, frozenset()),
        workspace=workspace,
        load=alone,
    )


def _piloted(context: JobContext) -> State:
    """The last state of a pilot, whose recipe begins with random images and asks no other network."""
    state = distillation.begun(context, None, None, None, None)
    objective = distillation.objective_of(context, state, None, None, None)
    return distillation.distilled(context, state, objective, None).chosen
