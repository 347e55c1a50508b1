"""The plan of a job, from its recipe and the facts of its dataset, without torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import final

from core.data import DatasetFacts
from core.feasibility import taken
from core.plan import steps
from core.plan.cache_names import CacheNames, Identity
from core.plan.race import Entrants
from core.plan.sizing import Sizing
from core.plan.steps import Kept, Plan, Snapshots, Step
from core.plan.two_layer import two_layer_steps
from core.recipe import (
    CScore,
    Embedding,
    Generated,
    Generative,
    Herding,
    KCenter,
    KMeans,
    LearnedScore,
    Network,
    Noise,
    Recipe,
    Scored,
    Trajectory,
    TwoLayer,
    Window,
    search,
)


def plan(
    recipe: Recipe,
    facts: DatasetFacts,
    ipc: int,
    searching: Entrants | Sizing | None = None,
    seed: int | None = None,
    *,
    shared: bool = False,
) -> Plan:
    """The steps of a job of `ipc` images a class. A seed changes nothing but the names of networks on random images.

    The names of results stand for a dataset's content by its digest: of a dataset without one they mean nothing.
    Where candidates race, at one size or at several, `recipe` has what they share, and what follows is the report on
    the winner. A recipe that is `shared` by candidates is reported on as the dearest of them, images that are made.
    """
    if isinstance(recipe.objective, TwoLayer):
        return Plan(recipe, two_layer_steps(recipe))
    job = _Job(facts, ipc, seed, shared or searching is not None)
    return job.whole(recipe) if searching is None else job.raced(recipe, searching)


def judged_by(recipe: Recipe) -> LearnedScore | Embedding | None:
    """The networks that judge images for the recipe's init to choose by; None where none does, or a file says it."""
    match recipe.init:
        case init if isinstance(init, Scored):
            return None if isinstance(init.score, CScore) else init.score
        case Herding(embedding=embedding) | KCenter(embedding=embedding) | KMeans(embedding=embedding):
            return embedding
        case Noise() if isinstance(recipe.objective, Generative):
            return recipe.objective.judge
        case _:
            return None


def _rounds(recipe: Recipe) -> bool:
    """Whether images change when they are rounded to 8-bit pixels; real ones that are left as they are do not."""
    left = recipe.objective.keeps_images and not recipe.init.alters_images and recipe.parameterize.formation == 1
    return recipe.preprocess.mixes_pixels or not left


@final
@dataclass(frozen=True)
class _Job:
    facts: DatasetFacts
    ipc: int
    seed: int | None
    shared: bool

    def whole(self, recipe: Recipe) -> Plan:
        """The plan: the teacher, what is searched for, and then the job itself."""
        names = self._names(recipe)
        teacher = () if recipe.teacher is None else (steps.TrainTeacher(Kept.one(names.teacher())),)
        rest = self._swept(recipe)
        return Plan(recipe, (*teacher, *rest.steps), rest.then, rest.bound)

    def raced(self, recipe: Recipe, searching: Entrants | Sizing) -> Plan:
        """The race, or one at each size, and the report on whichever recipe it chose."""

        def reported(winner: Recipe) -> Plan:
            return Plan(winner, tuple(replace(self, seed=None)._reporting(winner)))

        # how the winner has random images seen, and of which size it is, is not known beforehand: hence no seed
        step = steps.Race(searching) if isinstance(searching, Entrants) else steps.FindSize(searching)
        return Plan(recipe, (step,), reported, recipe)

    def _swept(self, recipe: Recipe) -> Plan:
        tried, init = search.windows(recipe, taken(recipe, self.ipc, self.facts)), recipe.init
        if tried is None or not isinstance(init, Window):
            return self._searched(recipe)
        names = self._names(recipe)
        kept = Kept.each([names.window(init.at(beta), self.ipc) for beta in tried.values])
        then, bound = steps.Search("selecting", (tried,), kept), search.taken(recipe, tried.field, tried.values[0])
        return Plan(recipe, (*self._selecting(recipe), then), partial(self._searched, asked=recipe), bound)

    def _searched(self, recipe: Recipe, asked: Recipe | None = None) -> Plan:
        """The search, if there is one, and the rest; `asked` is the recipe before a window was chosen."""
        if not search.asks(recipe):
            return Plan(recipe, (*self._distilling(recipe), *self._reporting(recipe)))
        # by the recipe that was asked for: beforehand nobody knows which window it begins with
        names, bound = self._names(asked or recipe), search.largest(recipe)
        before = *self._experts(bound, 0, some=True), *self._selecting(bound)
        tried = tuple(each for each in search.probes(recipe) if each.open)
        then = steps.Search("probing", tried, replace(Kept.one(names.search(self.ipc)), files=()))
        return Plan(recipe, (*before, then), self._searched, bound)

    def _distilling(self, recipe: Recipe) -> Iterator[Step]:
        names = self._names(recipe)
        if isinstance(recipe.objective, Generative):
            yield steps.TrainGenerator(Kept.one(names.generator(recipe.objective)))
            yield from self._selecting(recipe)
            yield steps.DrawSamples()
        for stage in range(recipe.schedule.stages.count):
            if stage:
                count = recipe.experts.count if recipe.experts else recipe.schedule.stages.networks
                yield steps.PrepareNetworks(stage, count)
            yield from self._experts(recipe, stage)
            if not stage and not recipe.objective.draws_images:
                yield from self._selecting(recipe)
            if not stage:
                yield steps.Begin()
            yield steps.Distil(stage)
        if recipe.rounds is not None:
            score = recipe.rounds.score
            yield steps.RankImages(score, Kept.several(names.difficulty(score), score.networks))
            yield steps.ChooseRounds()

    def _experts(self, recipe: Recipe, stage: int, *, some: bool = False) -> Iterator[Step]:
        """Only those of the first stage have names beforehand, and only they judge images."""
        asked, experts = recipe.objective_at(stage, self.ipc, self.facts.classes), recipe.experts
        if isinstance(asked, Trajectory) and experts is not None:
            snapshots = Snapshots.of(asked, None if stage else recipe.judging_epoch)
            kept = None if stage else Kept.several(self._names(recipe).expert(), experts.count)
            yield steps.TrainExperts(stage, experts.count, snapshots, kept, some)

    def _selecting(self, recipe: Recipe) -> Iterator[Step]:
        """The steps on which the choice of the first images rests."""
        names, init = self._names(recipe), recipe.init
        match judged_by(recipe):
            case None:
                pass
            case Embedding() as embedding:
                yield steps.TrainEmbedder(embedding, Kept.one(names.embedder(embedding)))
            case score:
                yield steps.ScoreImages(score, Kept.several(names.difficulty(score), score.networks))
        if isinstance(init, Generated):
            if init.meta is not None:
                source = self._source(recipe, init)
                yield steps.MetaTrain(source and Kept.one(source.meta_trained(init)))
            yield steps.AdaptGenerator(Kept.one(names.adapted(init)))

    def _reporting(self, recipe: Recipe) -> Iterator[Step]:
        names, evaluation = self._names(recipe), recipe.evaluation
        if recipe.relabel.needs_teacher:
            yield steps.Relabel()
        yield steps.Evaluate(rounds=self.facts.kind == "pictures" and (self.shared or _rounds(recipe)))
        kept = None if self.seed is None else Kept.several(self._baseline(recipe), evaluation.seeds, ".json")
        yield steps.Baseline(evaluation.seeds, kept)
        if evaluation.full is not None:
            yield steps.FullReference(evaluation.seeds, Kept.several(names.reference(), evaluation.seeds, ".json"))
        if evaluation.across:
            yield steps.Transfer()
        if evaluation.coverage is not None:
            yield steps.TrainWitness(Kept.one(names.witness(evaluation.coverage)))
            yield steps.Cover()
        yield steps.FindNeighbours()

    def _baseline(self, recipe: Recipe) -> Identity:
        return self._names(recipe).baseline(self.ipc, self.seed or 0, recipe.schedule.stages.count)

    def _names(self, recipe: Recipe) -> CacheNames:
        return CacheNames(recipe, self.facts.digest, self.facts.shape)

    def _source(self, recipe: Recipe, choice: Generated) -> CacheNames | None:
        """The names on the data that a generator is meta-trained on; None where its network is not known.

        A ConvNet without a depth fits it to the images, whose size is known of this dataset alone.
        """
        if choice.source is None:
            return self._names(recipe)
        fits = isinstance(recipe.network, Network) and recipe.network.depth is None
        return None if choice.digest is None or fits else CacheNames(recipe, choice.digest, self.facts.shape)
