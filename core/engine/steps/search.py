"""The search for what a recipe leaves "auto": candidates are tried one after the other, without the test split."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, final

import torch
import torch.nn.functional as F

from core.engine import distill, evaluate, init, jury, kept, stored
from core.engine.context import JobContext
from core.engine.distill import Diverged
from core.engine.evaluate import Draws
from core.engine.jury import Jury
from core.engine.kept import Contents, Making
from core.engine.keys import Key
from core.engine.objectives import build
from core.engine.state import State
from core.engine.teacher import Teacher
from core.engine.trajectories import Trajectories
from core.engine.workspace import TimeUp
from core.plan import steps
from core.plan.cache_names import judging
from core.plan.steps import Kept
from core.recipe import Recipe, Trajectory, Window, search
from core.recipe.search import Candidates, Tried
from core.report import Probe

Document = dict[str, Any]

_FILE = "choices.json"


@final
@dataclass(frozen=True)
class Given:
    """The things that candidates are made with: by the first steps of the plan, as far as its recipe asks them."""

    experts: Trajectories | None
    learned: init.Learned | None
    taught: Teacher | None


def known(context: JobContext, step: steps.Search) -> tuple[Probe, ...] | None:
    """The choices by what earlier attempts and jobs left; None where a candidate has yet to be tried."""
    documents: dict[str, Document] = stored.document(context.workspace.checkpoint(_FILE), {})
    fields = [tried.field for tried in step.candidates]
    if fields and documents.keys() >= set(fields):
        return tuple(Probe.model_validate(documents[field]) for field in fields)
    try:
        return _Search(context, step, None).choices()
    except _Untried:
        return None


def settled(context: JobContext, step: steps.Search, given: Given, found: tuple[Probe, ...] | None) -> JobContext:
    """The context with a number for every "auto" that a search decides: as `found`, or by trying candidates.

    Neither the candidates nor what is chosen depend on the job's seed. What a candidate did is kept in the cache, so
    that an attempt that follows goes on after the last one, and jobs that differ in their seed alone share them all.

    Raises:
        Diverged: even the lowest learning rate of the images did.
        Drained: the attempt was told to stop.
    """
    documents: dict[str, Document] = stored.document(context.workspace.checkpoint(_FILE), {})
    if found is None or not documents.keys() >= {choice.field for choice in found}:
        trying = _Search(context.hurried, step, given)
        found = trying.choices() if found is None else found
        trying.end()
        documents |= {choice.field: choice.document() for choice in found}
        context.workspace.store(_FILE, stored.written(documents))
    for choice in found:
        context.journal.log(f"A search chose {choice.field} = {choice.chosen:g}. {choice.why}")
    recipe = search.settled(context.recipe, {choice.field: choice.chosen for choice in found})
    return replace(context, recipe=recipe, choices=(*context.choices, *found))


class _Untried(Exception):
    """A candidate has yet to be tried."""


@final
class _Search:
    """The candidates of a step. All that distil do so from the same images and along the same segments."""

    def __init__(self, context: JobContext, step: steps.Search, given: Given | None) -> None:
        """Without what is `given`, candidates are looked up and not tried."""
        self._context, self._step, self._given = context, step, given
        self._total = sum(len(tried.values) * tried.units for tried in step.candidates)
        self._done, self._entered = 0, False
        self._key = Key(0).fold("probe")

    def choices(self) -> tuple[Probe, ...]:
        """The choices, field by field."""
        recipe, found, end = self._context.recipe, list[Probe](), 0
        for candidates in self._step.candidates:
            begin, tried = end, list[Tried]()
            while not candidates.over(tried):
                self._done = begin + len(tried) * candidates.units
                try:
                    tried.append(self._tried(recipe, candidates, len(tried)))
                except TimeUp:
                    break
            end = self._done = begin + len(candidates.values) * candidates.units
            try:
                value, why = candidates.best(tried)
            except ValueError as error:
                raise Diverged(f"{error} Lower step_size.initial, or set {candidates.field} to a number.") from None
            found.append(_entry(candidates, tried, value, why))
            recipe = search.taken(recipe, candidates.field, value)
        return tuple(found)

    def end(self) -> None:
        """Say that all is done; if nothing was made, that all of it was there."""
        self._done = self._total
        self._enter()
        self._context.journal.progress(self._total, self._total)

    def _enter(self) -> None:
        """Begin the phase, as soon as something is made: what an earlier attempt or job made is skipped."""
        if not self._entered:
            self._context.journal.enter(self._step.phase, self._total, skipped=self._done)
            self._entered = True

    def _tried(self, recipe: Recipe, candidates: Candidates, place: int) -> Tried:
        """How far a candidate got, now or in an earlier attempt or job.

        Raises:
            _Untried: it was not tried, and nothing is given to try it with.
        """
        context, value, done = self._context, candidates.values[place], self._done
        with_value = search.taken(recipe, candidates.field, value)
        if candidates.steps:
            with_value = search.short(with_value, candidates.steps)
            name, make = self._name(with_value, candidates), partial(self._probed, with_value, candidates)
        else:
            name, make = self._step.kept.files[place], partial(self._window, with_value)

        def say(share: float) -> None:
            context.journal.progress(done + share * candidates.units, self._total)

        making: Making[Document] = Making(lambda _: make(), lambda source: stored.document(source, None))
        if self._given is None:
            source = context.workspace.find(name)
            found = None if source is None else making.read(source)
            if found is None:
                raise _Untried
        else:
            (found,) = kept.gather(context, [name], making, say=None if candidates.steps else say)
        return Tried(value, found.get("loss"), tuple(found.get("validation", ())))

    def _window(self, recipe: Recipe) -> Contents:
        """The accuracies, on the validation split, of networks trained on the real images of a window."""
        context, window = self._context, recipe.init
        assert isinstance(window, Window), "a window is judged as it is"
        learned, real, counts = self._made_with.learned, context.real, context.counts
        assert learned is not None, "a window is chosen by what was learned of its images"
        self._enter()
        evaluation = recipe.evaluation.model_copy(update={"epochs": search.epochs(recipe)})
        rate = evaluation.lr or evaluation.baseline_lrs[0]
        key = Key(0).fold("window")
        index = init.selected(window, real, counts, key, learned)
        labels = F.one_hot(init.classes(real, counts), real.classes).float()
        marks = torch.ones(len(index), dtype=torch.bool, device=real.device)
        protocol = evaluate.on_synthetic(evaluation, recipe.augment, rate, marks)
        keys = [key.fold("seed", seed) for seed in range(search.NETWORKS)]
        images = Draws(real.train, index.expand(search.NETWORKS, -1))
        trained = yield from evaluate.train(context.kernels, images, labels, protocol, keys)
        accuracies = [evaluate.measured(evaluation.measure, context.kernels, one, real.validation) for one in trained]
        line = {"beta": window.beta, "validation_mean": statistics.fmean(accuracies), "validation": accuracies}
        return [stored.written(line)]

    def _probed(self, recipe: Recipe, candidates: Candidates) -> Contents:
        """The loss or the accuracies that a short distillation ends with; it says for itself how far it is."""

        def measure() -> Document:
            state, losses = self._distil(recipe)
            if candidates.judged == "loss":
                mean = statistics.fmean(losses[len(losses) // 2 :])
                return {"loss": mean if math.isfinite(mean) else None}
            return {"validation": self._judged(recipe, state)}

        return kept.at_once(lambda: stored.written(measure()))

    def _name(self, recipe: Recipe, candidates: Candidates) -> str:
        """The name of what a short distillation did, with everything it depends on."""
        context = self._context
        training = {"training": judging(_shorter(recipe).evaluation) | {"lr": recipe.evaluation.lr}}
        identity = context.names.probe(
            recipe=recipe.model_dump(mode="json", exclude={"evaluation"}),
            ipc=context.ipc,
            experts=self._experts,
            device=context.real.device.type,
            **(training if candidates.judged == "validation" else {}),
        )
        return Kept.one(identity, ".json").files[0]

    def _distil(self, recipe: Recipe) -> tuple[State, list[float]]:
        """The last state and the losses of a short distillation, which ends where a loss is no number."""
        (known, state), context = self._begun, self._context
        objective = build.objective(
            recipe, self._asked(recipe), context.kernels, context.real, context.plan.residual_bytes, known
        )
        assert objective is not None, "trajectories are matched"
        losses, more = list[float](), (context.real.transform, context.counts)
        for state in distill.distill(recipe, objective, state, self._key, *more):  # noqa: B020 (the loop goes on from the state)
            losses.append(state.loss)
            if state.rollbacks:
                break
            self._done += 1
            context.journal.progress(self._done, self._total)
            context.raise_if_draining()
        return state, losses

    def _judged(self, recipe: Recipe, state: State) -> list[float]:
        """Accuracies, on the validation split, of networks trained on the images of a state."""
        context, real = self._context, self._context.real
        result = distill.finish(recipe, state, real, context.ipc)
        keys = tuple(self._key.fold("judge", place) for place in range(search.NETWORKS))
        labels, protocol = result.supervision(real.classes), evaluate.on_result(_shorter(recipe), result)
        return jury.validated(context, Jury(result.images, labels, protocol, keys, split="validation"))[0]

    @cached_property
    def _experts(self) -> int:
        """How many of the job's experts probes begin with."""
        asked = self._context.recipe.experts
        assert asked is not None, "trajectories are those of experts"
        return search.experts(asked.count, kept.together(self._context, asked.batch_size))

    @property
    def _made_with(self) -> Given:
        assert self._given is not None, "candidates are tried with what was made before"
        return self._given

    @cached_property
    def _begun(self) -> tuple[Trajectories, State]:
        """The experts there are so far, trained as far as any choice may ask, and the images probes begin with."""
        context, recipe, given = self._context, search.largest(self._context.recipe), self._made_with
        if given.experts is None:  # there was no time for them
            raise TimeUp
        self._enter()
        say, ipc = partial(context.journal.log, level="warning"), context.ipc
        judges = build.judges(recipe, context.network, given.experts, say)
        state = distill.begin(recipe, context.real, ipc, self._key, given.learned, judges, given.taught)
        return given.experts, state

    def _asked(self, recipe: Recipe) -> Trajectory:
        """The objective of the first stage."""
        asked = recipe.objective_at(0, self._context.ipc, self._context.real.classes)
        assert isinstance(asked, Trajectory), "only trajectories are probed"
        return asked


def _shorter(recipe: Recipe) -> Recipe:
    """The recipe with the evaluation by which candidates are judged."""
    evaluation = recipe.evaluation.model_copy(update={"epochs": search.epochs(recipe)})
    return recipe.model_copy(update={"evaluation": evaluation})


def _entry(candidates: Candidates, tried: list[Tried], value: float, why: str) -> Probe:
    """The report's entry."""
    name, judged = candidates.field.rpartition(".")[2], candidates.judged
    lines = tuple({name: each.value, judged: getattr(each, judged)} for each in tried)
    return Probe(field=candidates.field, chosen=value, why=why, steps=candidates.steps, candidates=lines)
