"""The measurements that advice rests on: networks on random subsets, on windows of difficulty and on short pilots.

Everything is judged on the validation split. What was measured is in the checkpoint, point by point.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, final

import torch
import torch.nn.functional as F
from torch import Tensor

from core.advice.directions import Directions
from core.advice.measured import VERSION, Point
from core.advice.study import VALIDATION, Study, WindowPoint
from core.engine import distill, evaluate, init, kept, lines, selection, stored
from core.engine.context import JobContext, follow
from core.engine.directions import EXAMPLES, counted, spectrum
from core.engine.evaluate import Trained
from core.engine.journal import Journal
from core.engine.kept import Contents, Making
from core.engine.keys import Key
from core.engine.real import Labelled
from core.engine.state import State
from core.engine.stored import Source
from core.engine.teacher import Teacher
from core.engine.workspace import Drained, InMemory
from core.plan.cache_names import Identity, file_name
from core.recipe.share import equal

FILE: Final = "advice.json"
"""The checkpoint's file: the points so far, and the seconds they took."""

_READY: Final = 0.75
"""Share of a study's time that may be over where a network has to be trained for its directions."""


_Key = tuple[str, int, float | None, int]
"""A point's source, images a class, share that is skipped and run."""


class _Late(Exception):
    """The time of the study is over."""


@final
@dataclass(frozen=True)
class _Measurement:
    """A point to measure, and how."""

    title: str
    key: _Key
    make: Callable[[], Point]


@final
@dataclass
class Measuring:
    """A study on its way; `points` and `left_out` are what came of it.

    The networks of the largest size judge the images that they have not seen, and name soft labels.
    """

    context: JobContext
    asked: Study
    distil: Callable[[JobContext], State]
    """The last state of a pilot."""
    points: list[Point] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    spent: float = 0.0
    """Seconds of earlier attempts."""
    _began: float = field(default_factory=time.monotonic)
    _say: Callable[[float], None] = lambda share: None
    _judges: list[Trained] = field(default_factory=list)
    _hardness: Tensor | None = None

    def run(self) -> None:
        """Measure what the study asks for, as far as its time goes; other workers may make some of it.

        Raises:
            Drained: the job was told to stop; its checkpoint has every point that was finished.
            PartMade: some points alone were to be made for a job of another worker, and are.
        """
        before = stored.document(self.context.workspace.checkpoint(FILE), {"points": [], "seconds": 0.0})
        self.points = [Point.model_validate(each) for each in before["points"]]
        self.spent = float(before["seconds"])
        self._began = time.monotonic()
        work = list(self._work())
        total = len(work) * self.asked.networks
        self.context.journal.enter("evaluating", total, skipped=len(self.points) * self.asked.networks)
        self._share([each for each in work if self._stands_alone(each) and each.key not in self._known], total)
        for each in work:
            if each.key not in self._known:
                self._say = partial(self._progress, len(self.points), total)
                with suppress(_Late):
                    self._add(self._measured(each.make))
            self.context.journal.progress(len(self.points) * self.asked.networks, total)
        places = {each.key: place for place, each in enumerate(work)}
        self.points.sort(key=lambda point: places[_key(point)])
        self.left_out = [each.title for each in work if each.key not in self._known]
        self.context.journal.progress(total, total)

    @property
    def seconds(self) -> float:
        """Seconds that measuring took so far, in all attempts."""
        return self.spent + time.monotonic() - self._began

    def directions(self) -> Directions | None:
        """The directions that a network of the largest size depends on; None where there is no time to train one."""
        if not self._judges and self.seconds > _READY * self.asked.seconds:
            return None
        self._say = lambda share: None
        judge = self._largest()[0]
        images = next(judged_on(self.context.real.validation).sample(EXAMPLES).batches(EXAMPLES))
        eigenvalues = spectrum(self.context.network, judge, images, Key(0).fold("advice").fold("directions"))
        held, effective = counted(eigenvalues)
        return Directions(
            held=held,
            effective=round(effective, 2),
            numbers=images[0].numel(),
            examples=len(images),
            ipc=self.asked.sizes[-1],
        )

    def _stands_alone(self, measurement: _Measurement) -> bool:
        """Whether it needs nothing of what the largest networks say, so that any worker can make it."""
        return measurement.key[0] != "window" and self.asked.labels == "hard"

    def _share(self, measurements: Sequence[_Measurement], total: int) -> None:
        """Make points, each kept under a name of its own, beside other workers who make some of them."""
        begun = len(self.points)

        def make(places: list[int]) -> Contents:
            self._say = partial(self._progress, len(self.points), total)
            return kept.at_once(lambda: self._measured(measurements[places[0]].make).model_dump_json().encode())

        def read(source: Source) -> Point | None:
            found = stored.document(source, None)
            if found is None:
                return None
            point = Point.model_validate(found)
            if _key(point) not in self._known:
                self._add(point)
            return point

        def say(share: float) -> None:
            self._progress(begun, total, share * len(measurements))

        names = [file_name(self._identity(each), ".json") for each in measurements]
        try:
            kept.gather(self.context, names, Making(make, read), say=say, helped=True)
        except _Late:
            if self.context.workspace.crew is not None:
                self.context.workspace.crew.withdraw()
            for name in names:
                source = self.context.workspace.find(name)
                if source is not None:
                    read(source)

    def _identity(self, measurement: _Measurement) -> Identity:
        source, ipc, _, run = measurement.key
        recipe = self.asked.recipe.model_dump(mode="json")
        particulars = {"source": source, "ipc": ipc, "run": run, "networks": self.asked.networks}
        return self.context.names.point(recipe=recipe, version=VERSION, **particulars)

    @property
    def _known(self) -> set[_Key]:
        return {_key(point) for point in self.points}

    def _measured(self, make: Callable[[], Point]) -> Point:
        if self._late():
            raise _Late
        began = time.monotonic()
        point = make()
        return point.model_copy(update={"seconds": round(time.monotonic() - began, 3)})

    def _add(self, point: Point) -> None:
        self.points.append(point)
        content = {"points": [each.model_dump(mode="json") for each in self.points], "seconds": self.seconds}
        self.context.workspace.store(FILE, stored.written(content))

    def _work(self) -> Iterator[_Measurement]:
        """The measurements in their order."""
        asked = self.asked
        small, large = ([n for n in asked.sizes if (n <= asked.pilots[-1]) is within] for within in (True, False))
        for ipc in small:
            yield _Measurement(f"{ipc} random", ("random", ipc, None, 0), partial(self._random, ipc))
        for run in range(asked.runs):
            for ipc in asked.pilots:
                title = f"{ipc} distilled, run {run + 1}"
                yield _Measurement(title, ("distilled", ipc, None, run), partial(self._pilot, ipc, run))
        for ipc in large:
            yield _Measurement(f"{ipc} random", ("random", ipc, None, 0), partial(self._random, ipc))
        for each in asked.windows:
            title = f"{each.ipc} after the hardest {each.skipped:.0%}"
            yield _Measurement(title, ("window", each.ipc, each.skipped, 0), partial(self._window, each))

    def _random(self, ipc: int) -> Point:
        return Point(source="random", ipc=ipc, accuracies=self._accuracies(ipc, self._draws(ipc)), seconds=0.0)

    def _window(self, asked: WindowPoint) -> Point:
        real, hardness, key = self.context.real, self._difficulty(), Key(0).fold("advice").fold("window")
        picks = []
        for c, members in enumerate(real.members):
            first = min(round(asked.skipped * len(members)), len(members) - asked.ipc)
            picks.append(members[selection.window(hardness[members], first, asked.ipc, key.fold(c))])
        index = torch.cat(picks).expand(self.asked.networks, -1)
        accuracies = self._accuracies(asked.ipc, index)
        return Point(source="window", ipc=asked.ipc, accuracies=accuracies, seconds=0.0, skipped=asked.skipped)

    def _pilot(self, ipc: int, run: int) -> Point:
        context = self.context
        key = Key(0).fold("advice").fold("pilot", run)
        outer = context.workspace
        inner = InMemory(Journal(), should_stop=lambda: outer.should_stop() or self._late())
        alone = replace(context, ipc=ipc, key=key, workspace=inner, run=f"pilot {ipc} {run}")
        try:
            state = self.distil(alone)
        except Drained:
            if outer.should_stop():
                raise
            raise _Late from None
        recipe = context.recipe
        result = distill.finish(recipe, state, context.real, ipc)
        labels = F.one_hot(result.labels, context.real.classes).float()
        protocol = evaluate.on_result(recipe, result)
        keys = [key.fold("seed", seed) for seed in range(self.asked.networks)]
        labels = self._labelled(result.images, labels)
        found = self._trained(evaluate.train(context.kernels, result.images, labels, protocol, keys))
        return Point(source="distilled", ipc=ipc, accuracies=self._judged(found), seconds=0.0, run=run)

    def _draws(self, ipc: int) -> Tensor:
        """Training indices [S, K * ipc] of random images, of each network within those of its larger sizes."""
        key = Key(0).fold("advice").fold("draw")
        counts = equal(ipc, self.context.real.classes)
        return torch.stack(
            [init.chosen(self.context.real, counts, key.fold(seed)) for seed in range(self.asked.networks)]
        )

    def _accuracies(self, ipc: int, chosen: Tensor) -> tuple[float, ...]:
        real = self.context.real
        labels = F.one_hot(init.classes(real, equal(ipc, real.classes)), real.classes).float()
        if self.asked.labels == "soft":
            labels = torch.stack([self._labelled(real.train.take(own), labels) for own in chosen])
        return self._judged(self._networks(chosen, labels))

    def _networks(self, chosen: Tensor, labels: Tensor) -> list[Trained]:
        """Networks on real images, at the rate that a job would choose for as many."""
        key = Key(0).fold("advice")
        arm = replace(lines.Drawn.of(self.context, chosen, key), labels=labels)
        rate = follow(self.context, arm.rate(self.context, key), self._say)
        keys = [key.fold("seed", seed) for seed in range(self.asked.networks)]
        return self._trained(evaluate.train(arm.kernels, arm.images, labels, replace(arm.protocol, lr=rate), keys))

    def _trained(self, work: Generator[float, None, list[Trained]]) -> list[Trained]:
        return follow(self.context, work, self._say)

    def _judged(self, networks: Sequence[Trained]) -> tuple[float, ...]:
        data, measure = judged_on(self.context.real.validation), self.context.recipe.evaluation.measure
        return tuple(evaluate.measured(measure, self.context.kernels, each, data) for each in networks)

    def _labelled(self, images: Tensor, hard: Tensor) -> Tensor:
        """The labels of images [n, C, H, W]: those of their classes [n, K], or a network's, where they are soft."""
        if self.asked.labels == "hard":
            return hard
        largest = self._largest()[0]
        return Teacher(self.context.kernels, largest.theta, largest.moments).logits(images).softmax(1)

    def _largest(self) -> list[Trained]:
        """The networks of the largest size, with hard labels."""
        if not self._judges:
            real, ipc = self.context.real, self.asked.sizes[-1]
            labels = F.one_hot(init.classes(real, equal(ipc, real.classes)), real.classes).float()
            self._judges = self._networks(self._draws(ipc), labels)
        return self._judges

    def _difficulty(self) -> Tensor:
        """How far each training image [N] is from its class, in the mean over the networks that have not seen it.

        EL2N (Paul, Ganguli & Dziugaite 2021), of networks that were not trained on the image, where there is one.
        """
        if self._hardness is None:
            real, kernels = self.context.real, self.context.kernels
            judges, drawn = self._largest(), self._draws(self.asked.sizes[-1])
            classes = F.one_hot(real.train.labels, real.classes).float()
            rows = []
            for judge in judges:
                guesses = evaluate.answers(kernels, judge, real.train).softmax(1)
                rows.append((guesses - classes).norm(dim=1))
                self._say(1.0)
            unseen = torch.ones(len(judges), len(real.train), device=real.device).scatter(1, drawn, 0.0)
            unseen = unseen.where(unseen.any(0), 1.0)
            self._hardness = (torch.stack(rows) * unseen).sum(0) / unseen.sum(0)
        return self._hardness

    def _late(self) -> bool:
        return self.seconds >= self.asked.seconds or self.context.workspace.time_left() <= 0

    def _progress(self, place: int, total: int, share: float) -> None:
        self.context.journal.progress((place + share) * self.asked.networks, total)
        if self._late():
            raise _Late


def _key(point: Point) -> _Key:
    return point.source, point.ipc, point.skipped, point.run


def judged_on(validation: Labelled) -> Labelled:
    """The part of the validation split that networks are judged on."""
    return validation.sample(VALIDATION)
