"""The evaluating phase: the distilled set beside its baselines, one line of the report at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from core.engine import balance, evaluate, jury, kept, lines, ridge_lines, stored
from core.engine import baseline as shared
from core.engine.context import JobContext, follow
from core.engine.evaluate import Result, Trained
from core.engine.jury import Jury, Say
from core.engine.kept import Contents, Making
from core.engine.keys import Key
from core.engine.lines import Work
from core.engine.report import merged, row
from core.engine.synthetic import SyntheticDataset
from core.engine.teacher import Teacher
from core.plan.steps import Evaluate, FullReference

Row = dict[str, Any]

Arm = Callable[[Say], Result]
"""The networks of a line, which tell how far they are."""

TEACHER = "teacher"
"""The name of a teacher's own line, the last one."""

_FILE = "rows.json"
_ROUNDED = "distilled_8bit"


def rows(context: JobContext, step: Evaluate, result: SyntheticDataset, taught: Teacher | None = None) -> list[Row]:
    """The lines `distilled` and `distilled_8bit` of the report, which are one where no pixel is rounded.

    Where a teacher labels the images it labels random ones too, `random`; then `distilled_hard` are the same images
    with one class each. A teacher's own line is `teacher`. For labels that are targets there are also the lines of
    `ridge_lines.arms`.

    Each line is kept in the checkpoint once it is known, and until then what each of its networks says, so that an
    attempt that follows repeats those at most that were trained at the moment.
    """
    recipe, seeds = context.recipe, context.recipe.evaluation.seeds
    key = context.key.fold("evaluate")
    rounded = result.rounded if result.transform.pixels else result.images

    def judged(name: str, judges: Jury) -> Arm:
        return lambda say: jury.tested(name, context, judges, say)

    def followed(work: Work) -> Arm:
        return lambda say: follow(context, work, say)

    solved = ridge_lines.arms(context, result, key.fold("regression"))
    arms: dict[str, Arm] = {
        "distilled": judged("distilled", lines.trained_on(context, result, result.images)),
        _ROUNDED: judged(_ROUNDED, lines.trained_on(context, result, rounded)),
        **{name: followed(work) for name, work in solved.items()},
    }
    if not step.rounds and torch.equal(rounded, result.images):  # of the same keys: the same networks once more
        del arms[_ROUNDED]
    if recipe.relabel.needs_teacher:
        chosen, drawn = lines.draws(context, result.counts(context.real.classes)), key.fold("random")
        arms["random"] = lambda say: lines.random("random", context, chosen, drawn, say, taught, stages=result.stages)
        classes, hard = F.one_hot(result.labels, context.real.classes).float(), evaluate.on_result(recipe, result)
        judges = Jury(result.images, classes, hard, (*lines.keys(key, seeds),))
        arms["distilled_hard"] = judged("distilled_hard", judges)
    known: dict[str, Row] = stored.document(context.workspace.checkpoint(_FILE), {})
    total = _total(context, len(arms) + 1)
    context.journal.enter("evaluating", total)
    for place, (name, arm) in enumerate(arms.items()):

        def say(share: float, place: int = place) -> None:
            context.journal.progress((place + share) * seeds, total)

        if name not in known:
            known[name] = _line(arm(say))
            context.workspace.store(_FILE, stored.written(known))
        say(1.0)
    known.setdefault(_ROUNDED, _renamed(known["distilled"], _ROUNDED))
    names = list(dict.fromkeys(("distilled", _ROUNDED, *arms)))
    if taught is not None and recipe.teacher is not None:
        trained = Trained(taught.theta, taught.moments, 0.0)
        known[TEACHER] = row(evaluate.judged(TEACHER, taught.kernels, trained, recipe.teacher.lr, context.real))
        names.append(TEACHER)
    return [known[name] for name in names]


def _total(context: JobContext, arms: int) -> int:
    """Networks of the whole phase, of which so many lines are those of `rows`; the analysis of coverage is one more."""
    evaluation = context.recipe.evaluation
    more = (evaluation.full is not None) + 2 * len(evaluation.across)
    return (arms + more) * evaluation.seeds + (evaluation.coverage is not None)


def _line(result: Result) -> Row:
    """A line, that of the images themselves with what is taken for what."""
    return row(result) | ({"confusion": result.confusion} if result.name == "distilled" else {})


def _renamed(line: Row, name: str) -> Row:
    """The line of images that are the same, which took no time."""
    return {key: value for key, value in line.items() if key != "confusion"} | {"name": name, "seconds": 0.0}


def baseline(context: JobContext, result: SyntheticDataset, behind: Sequence[Row]) -> list[Row]:
    """The lines `behind` it, and among them that of random images labelled with their classes, see `baseline.line`.

    It is `random`, or `random_hard` beside images that a teacher labels.
    """
    known: dict[str, Row] = stored.document(context.workspace.checkpoint(_FILE), {})
    own, teacher = _parted(behind)
    made = sum(line["seconds"] > 0 for line in own)
    total, seeds = _total(context, made + 1), context.recipe.evaluation.seeds
    name, place = ("random_hard", len(own)) if context.recipe.relabel.needs_teacher else ("random", 2)

    def say(share: float) -> None:
        context.journal.progress((made + share) * seeds, total)

    if name not in known:
        known[name] = shared.line(name, context, result.counts(context.real.classes), result.stages, say)
        context.workspace.store(_FILE, stored.written(known))
    say(1.0)
    return [*own[:place], known[name], *own[place:], *teacher]


def _parted(behind: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """The lines of a table but for a teacher's, and that one, if there is one."""
    own, teacher = ([line for line in behind if (line["name"] == TEACHER) == is_last] for is_last in (False, True))
    return own, teacher


def full(context: JobContext, step: FullReference, behind: Sequence[Row]) -> list[Row]:
    """The lines `behind` it, and among them the full training set under its own protocol, before a teacher's.

    Its networks are the same for every job on the same data and network, and what each says is kept in the cache; the
    checkpoint holds the line, too.
    """
    recipe, real = context.recipe, context.real
    asked = recipe.evaluation.full
    assert asked is not None, "a plan with this step"
    labels = balance.supervision(real.train.labels, real.classes, asked.balance)
    known: dict[str, Row] = stored.document(context.workspace.checkpoint(_FILE), {})
    own, teacher = _parted(behind)
    total, seeds = _total(context, len(own)), recipe.evaluation.seeds

    def say(share: float) -> None:
        context.journal.progress((len(own) + share) * seeds, total)

    protocol, keys = evaluate.on_full(asked, recipe.augment), lines.keys(Key(0).fold("full"), step.seeds)

    def make(places: list[int]) -> Contents:
        own = [keys[place] for place in places]
        result = yield from evaluate.evaluate("full", context.kernels, real.train, labels, real, protocol, own)
        return [stored.written(row(one)) for one in result.each]

    if "full" not in known:
        together = kept.stacks(step.seeds, kept.together(context, asked.batch_size))
        making: Making[Row] = Making(make, lambda source: stored.document(source, None), together=together)
        lines_of_each: list[Row] = kept.gather(context, step.kept.files, making, say=say, helped=True)
        known["full"] = merged(lines_of_each)
        context.workspace.store(_FILE, stored.written(known))
    say(1.0)
    return [*own, known["full"], *teacher]
