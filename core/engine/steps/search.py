"""The search for what a recipe leaves to probes: short distillations before the job's own, without the test split."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, final

from core.engine import distill, evaluate, kept, stored
from core.engine.context import JobContext, follow
from core.engine.distill import Diverged, State
from core.engine.kept import Making
from core.engine.keys import Key
from core.engine.objectives import build
from core.engine.steps import experts, scores
from core.engine.teacher import Teacher
from core.engine.trajectories import Trajectories
from core.plan.cache_names import judging
from core.plan.steps import Kept
from core.recipe import Recipe, Trajectory, search
from core.recipe.search import End, Rate
from core.report import Probe

Document = dict[str, Any]

_FILE = "probes.json"


def settled(context: JobContext, taught: Teacher | None) -> JobContext:
    """The context with a number for every "auto" that `core.recipe.search` knows; as it was where there is none.

    `taught` is the teacher of a recipe that has one. Neither the probes nor what they choose depend on the job's seed.
    What a candidate did is kept in the cache, so that an attempt that follows goes on after the last one, and jobs that
    differ in their seed alone share them all.

    Raises:
        Diverged: even the lowest learning rate of the images did.
        Drained: the attempt was told to stop.
    """
    recipe = context.recipe
    if not search.asks(recipe):
        return context
    documents = stored.document(context.workspace.checkpoint(_FILE), [])
    found = [Probe.model_validate(each) for each in documents] or _Search(context, taught).choices()
    if not documents:
        context.workspace.store(_FILE, stored.written([choice.document() for choice in found]))
    for choice in found:
        context.journal.log(f"A probe chose {choice.field} = {choice.chosen:g}. {choice.why}")
    chosen = {choice.field: choice.chosen for choice in found}
    end = int(chosen.get(search.END, search.start_epochs(recipe)[0]))
    rate = chosen.get(search.RATE, search.image_lrs(recipe)[0])
    return replace(context, recipe=search.chosen(recipe, end, rate), probes=tuple(found))


@final
class _Search:
    """The short distillations of a job, all from the same images and along the same segments."""

    def __init__(self, context: JobContext, taught: Teacher | None) -> None:
        self._context, self._recipe, self._taught = context, context.recipe, taught
        self._rates, self._ends = search.image_lrs(self._recipe), search.start_epochs(self._recipe)
        self._total = len(self._rates) * search.rate_steps(self._recipe)
        self._total += len(self._ends) * search.end_steps(self._recipe)
        self._done = 0
        self._key = Key(0).fold("probe")
        asked = self._recipe.experts
        assert asked is not None, "trajectories are those of experts"
        self._experts = search.experts(asked.count, experts.together(context, asked.batch_size))

    def choices(self) -> list[Probe]:
        """The choices, field by field."""
        found = []
        rate = self._rates[0]
        if steps := search.rate_steps(self._recipe):
            rates = self._try_rates(steps)
            try:
                rate, why = search.best_rate(rates)
            except ValueError as error:
                raise Diverged(f"{error} Lower step_size.initial, or set {search.RATE} to a number.") from None
            found.append(_choice(search.RATE, rate, why, steps, rates))
        if steps := search.end_steps(self._recipe):
            ends = [self._end(end, rate, steps) for end in self._ends]
            end, why = search.best_end(ends)
            found.append(_choice(search.END, end, why, steps, ends))
        if "_begun" not in self.__dict__:
            self._context.journal.enter("probing", self._total, skipped=self._total)
        self._context.journal.progress(self._total, self._total)
        return found

    def _try_rates(self, steps: int) -> list[Rate]:
        """From low to high, up to the first that is of no use: higher ones are of none either."""
        tried: list[Rate] = []
        for image_lr in self._rates:
            tried.append(self._rate(image_lr, steps))
            start, loss = tried[0].loss, tried[-1].loss
            if loss is None or (start is not None and loss > search.HOPELESS * start):
                break
        self._done = len(self._rates) * steps
        return tried

    def _rate(self, image_lr: float, steps: int) -> Rate:
        recipe = search.short(self._recipe, search.middle(self._recipe), image_lr, steps)

        def measure() -> Document:
            losses = self._distil(recipe)[1]
            mean = statistics.fmean(losses[len(losses) // 2 :])
            return {"loss": mean if math.isfinite(mean) else None}

        return Rate(image_lr, self._kept(recipe, {}, measure)["loss"])

    def _end(self, end: int, image_lr: float, steps: int) -> End:
        recipe, real = search.short(self._recipe, end, image_lr, steps), self._context.real
        evaluation = recipe.evaluation.model_copy(update={"epochs": search.epochs(recipe)})
        judged = recipe.model_copy(update={"evaluation": evaluation})

        def measure() -> Document:
            state = self._distil(recipe)[0]
            result = distill.finish(recipe, state, real, self._context.ipc)
            keys = [self._key.fold("judge", place) for place in range(search.NETWORKS)]
            labels, protocol = result.supervision(real.classes), evaluate.on_result(judged, result)
            work = evaluate.train(self._context.judging, result.images, labels, protocol, keys)
            network = self._context.network
            return {
                "validation": [
                    evaluate.measured(evaluation.measure, network, trained, real.validation)
                    for trained in follow(self._context, work)
                ]
            }

        found = self._kept(recipe, {"training": judging(evaluation) | {"lr": evaluation.lr}}, measure)
        return End(end, tuple(found["validation"]))

    def _kept(self, recipe: Recipe, more: Document, measure: Callable[[], Document]) -> Document:
        """The measurements of a short distillation, made now or by an earlier attempt or job."""
        context, before = self._context, self._done
        content = recipe.model_dump(mode="json", exclude={"evaluation"})
        identity = context.names.probe(
            recipe=content,
            ipc=context.ipc,
            experts=self._experts,
            device=context.real.device.type,
            **more,
        )
        making: Making[Document] = Making(
            lambda _: kept.at_once(lambda: stored.written(measure())), lambda source: stored.document(source, None)
        )
        (found,) = kept.gather(context, Kept.one(identity, ".json").files, making)
        self._done = before + recipe.schedule.steps
        return found

    def _distil(self, recipe: Recipe) -> tuple[State, list[float]]:
        """The last state and the losses of a short distillation, which ends where a loss is no number."""
        (known, state), context = self._begun, self._context
        objective = build.objective(
            recipe, self._asked(recipe), context.kernels, context.real, context.plan.residual_bytes, known
        )
        assert objective is not None, "trajectories are matched"
        losses, transform = list[float](), context.real.transform
        for state in distill.distill(recipe, objective, state, self._key, transform):  # noqa: B020 (the loop goes on from the state)
            losses.append(state.loss)
            if state.rollbacks:
                break
            self._done += 1
            context.journal.progress(self._done, self._total)
            context.raise_if_draining()
        return state, losses

    @cached_property
    def _begun(self) -> tuple[Trajectories, State]:
        """The experts there are so far, trained as far as any choice may ask, and the images probes begin with."""
        context, recipe = self._context, search.largest(self._recipe)
        known = experts.gather(context, self._asked(recipe), most=self._experts)
        learned = scores.learned(context)
        context.journal.enter("probing", self._total, skipped=self._done)
        say, ipc = partial(context.journal.log, level="warning"), context.ipc
        judges = build.judges(recipe, context.network, known, say)
        return known, distill.begin(recipe, context.real, ipc, self._key, learned, judges, self._taught)

    def _asked(self, recipe: Recipe) -> Trajectory:
        """The objective of the first stage."""
        asked = recipe.objective_at(0, self._context.ipc, self._context.real.classes)
        assert isinstance(asked, Trajectory), "only trajectories are probed"
        return asked


def _choice(field: str, chosen: float, why: str, steps: int, candidates: Sequence[Rate | End]) -> Probe:
    tried = tuple(candidate._asdict() for candidate in candidates)
    return Probe(field=field, chosen=chosen, why=why, steps=steps, candidates=tried)
