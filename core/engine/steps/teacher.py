"""The teacher of a job: trained once and shared by every job on the same data, examined, and asked for labels."""

from __future__ import annotations

from core.engine import kept, relabel, teacher
from core.engine.context import JobContext
from core.engine.keys import Key
from core.engine.networks import build
from core.engine.synthetic import SyntheticDataset
from core.engine.teacher import Teacher
from core.plan.steps import TrainTeacher


def gather(context: JobContext, step: TrainTeacher) -> Teacher:
    """The teacher the recipe asks, of the cache or trained now; it does not depend on the job's seed.

    Raises:
        TeacherAtChance: it does not know the classes.
    """
    training, real = context.recipe.teacher, context.real
    assert training is not None, "a plan with this step"
    kernels = context.kernels_of(build(training.network, real.shape, real.classes))
    work = teacher.train(training, kernels, real.train, context.recipe.augment, Key(0).fold("teacher"))
    steps = training.epochs * -(-len(real.train) // training.batch_size)
    trained = kept.network(context, step.kept, work, "training_experts", steps, "The teacher")
    found = Teacher(kernels, trained.theta, trained.moments)
    measure = context.recipe.evaluation.measure if training.balance == "none" else "balanced"
    context.journal.log(teacher.examine(found, real, measure))
    return found


def relabelled(context: JobContext, known: Teacher | None, result: SyntheticDataset) -> SyntheticDataset:
    """The result with the labels its recipe wants."""
    if not context.recipe.relabel.needs_teacher:
        return result
    assert known is not None, "a recipe that relabels has a teacher"
    context.journal.enter("relabelling", 100)
    found = relabel.labelled(context, known, result, context.key.fold("relabel"))
    context.journal.progress(100, 100)
    return found
