"""The loop: decode, ask the objective for a gradient, pull it back, move, yield.

The caller, which consumes the states, decides when to log, look, save or stop. A state and the arguments of `distill`
determine everything that follows, so a run resumed from a stored state equals, bit for bit, one that never stopped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from core.engine import columns, compact, init, ridge, targets
from core.engine.expert_predictions import Judges, mean_logits
from core.engine.keys import Key
from core.engine.networks import build
from core.engine.optimise import Adam, Sgd
from core.engine.parameterize import assemble, decode
from core.engine.preprocess import Transform
from core.engine.pullback import pullback
from core.engine.real import Real
from core.engine.state import Leaves, State, at_rest, still, tensors
from core.engine.synthetic import Gradients, Synthetic, SyntheticDataset
from core.engine.teacher import Teacher
from core.recipe import Columns, Counts, Learnable, Recipe, Solved, Targets
from core.recipe.share import equal

Measure = Callable[[Synthetic, Key, int], tuple[Tensor, Gradients]]
"""(synthetic set, key, outer step) -> (loss, gradients)."""


@dataclass(frozen=True)
class Carrying:
    """An objective with a student that lives longer than an outer step.

    `measure` is given the student [P] of the step before, or None, and returns the one for the step after, or None
    where that one begins afresh. The loop stores it with its state: an objective has no memory of its own.
    """

    measure: Callable[[Synthetic, Key, int, Tensor | None], tuple[Tensor, Gradients, Tensor | None]]


Objective = Measure | Carrying

MAX_ROLLBACKS = 10
_LASTING = 0.9  # share of the old in the running mean of the gradient's norm


class Diverged(ArithmeticError):
    """The loss became NaN or infinite again and again, and smaller steps did not help."""


def begin(
    recipe: Recipe,
    real: Real,
    ipc: int,
    key: Key,
    learned: init.Learned | None = None,
    judges: Judges | None = None,
    teacher: Teacher | None = None,
    drawn: Tensor | None = None,
) -> State:
    """The state before the first step, of a set of `ipc` images a class in the mean.

    `learned` is what the recipe's init chooses real images by, if it does, `judges` are the experts where images or
    labels start as they see them, and `teacher` chooses the parts of real images that images start as. `drawn`
    are the images of a generator, where the recipe has one.
    """
    counts = init.counts_of(recipe, real, ipc)
    classes = init.classes(real, init.decoded(recipe.parameterize, counts))
    made = init.made(recipe, counts)
    anchors = init.anchors(recipe, real, made, key.fold("init"), teacher)
    images = drawn if anchors is None else assemble(anchors, recipe.parameterize.factor)
    if images is None:
        images = init.images(recipe.init, real, made, key.fold("init"), learned, judges, recipe.parameterize, teacher)
    images = images if drawn is not None else init.with_blanks(recipe, counts, images)
    confidence = recipe.labels.confidence if isinstance(recipe.labels, Learnable) else 0.0
    logits = torch.nn.functional.one_hot(classes, real.classes).float() * confidence
    if isinstance(recipe.labels, Targets):
        logits = ridge.centred(logits + torch.nn.functional.one_hot(classes, real.classes)) / (real.classes / 10) ** 0.5
    if recipe.labels.needs_experts:
        assert judges is not None, "labels are learned with trajectories, which have experts"
        logits = mean_logits(judges, decode(recipe.parameterize, images), classes, confidence)
    leaves = Leaves(
        images=images,
        logits=logits,
        log_step_size=torch.tensor(recipe.initial_step_size(0), device=classes.device).log(),
    )
    average = None if recipe.schedule.ema is None else leaves
    initial = None if recipe.schedule.blend is None else images
    return State(
        step=0, leaves=leaves, velocity=still(leaves), good=leaves, average=average, anchors=anchors, initial=initial
    )


def distill(
    recipe: Recipe,
    objective: Objective,
    state: State,
    key: Key,
    transform: Transform | None = None,
    counts: Counts | None = None,
) -> Iterator[State]:
    """Yield the state after each outer step, from `state` to the last of its stage; without stages, the recipe's.

    `transform` says what a recipe that clamps images has to know: where black and white are. `counts` are the stored
    images of each class, if there are not as many of each.

    Raises:
        Diverged: the loss was not finite in `MAX_ROLLBACKS` + 1 steps, although each time the loop went back to the
            last good leaves and halved its learning rates.
    """
    counts = counts or equal(len(state.leaves.images) // state.leaves.logits.shape[1], state.leaves.logits.shape[1])
    while state.step < (state.stage + 1) * recipe.schedule.steps:
        state = _blended(recipe, _advance(recipe, objective, state, key, transform, counts))
        yield state


def settled(state: State) -> State:
    """The state; or, where its last step led to what are no numbers, with the leaves from before that step.

    Where a step leads shows when the next one asks for a gradient there. After the last one nobody does.
    """
    step_size = _step_size(state.leaves)
    if all(bool(t.isfinite().all()) for t in (*tensors(state.leaves), step_size)) and float(step_size) > 0:
        return state
    return replace(state, leaves=state.good, average=state.average and state.good)


def next_stage(recipe: Recipe, state: State) -> State | None:
    """The state in which the stage after the one that ended with `state` begins; None after the last.

    What was learned stays from now on as the result has it; the loop is at rest, with the new stage's step size.
    """
    stage = state.stage + 1
    if stage == recipe.schedule.stages.count:
        return None
    initial = torch.full_like(state.leaves.log_step_size, recipe.initial_step_size(stage)).log()
    leaves = replace(state.result, log_step_size=initial)
    return State(
        step=stage * recipe.schedule.steps,
        leaves=leaves,
        velocity=still(leaves),
        good=leaves,
        average=state.average and leaves,
        stage=stage,
        step_sizes=(*state.step_sizes, float(_step_size(state.leaves))),
    )


def finish(recipe: Recipe, state: State, real: Real, ipc: int) -> SyntheticDataset:
    """The dataset a state stands for; of stages, the images of those that have begun, and of rounds those over."""
    stored = compact.pixels(recipe.storage, state.result.images, real.transform)
    counts = init.counts_of(recipe, real, ipc)
    classes = init.classes(real, init.decoded(recipe.parameterize, counts))
    images = decode(recipe.parameterize, state.result.images if stored is None else real.transform.forward(stored))
    untouched = init.untouched(recipe, real, counts)
    if isinstance(recipe.storage, Columns):
        images = columns.typical(images, untouched, real, recipe.storage.levels)
    soft = state.result.logits.softmax(1) if isinstance(recipe.labels, Learnable) else None
    answers = state.result.logits if isinstance(recipe.labels, Targets) else None
    if isinstance(recipe.labels, Solved):
        network = build(recipe.network, real.shape, real.classes)
        answers = targets.solve(recipe.labels, network, images, classes, real)
    learned = _step_size(state.leaves) if recipe.objective.unrolls else None
    whole = SyntheticDataset(
        images=images,
        labels=classes,
        soft_labels=None if soft is None else compact.labels(recipe.storage, soft),
        step_size=None if learned is None else float(learned),
        transform=real.transform,
        real=untouched,
        targets=None if answers is None else compact.targets(recipe.storage, answers),
        stored=stored,
    )
    if recipe.rounds is not None and state.rounds < recipe.rounds.count:
        return whole.part((init.rounds(recipe, counts) <= state.rounds).to(real.device))
    if recipe.schedule.stages.count == 1:
        return whole
    stage = init.stages(recipe, counts).repeat_interleave(recipe.parameterize.formation).to(real.device)
    step_sizes = () if learned is None else (*state.step_sizes, float(learned))
    return replace(whole, step_size=None, stage=stage, step_sizes=step_sizes).before(state.stage + 1)


def _advance(
    recipe: Recipe, objective: Objective, state: State, key: Key, transform: Transform | None, counts: Counts
) -> State:
    leaves = state.leaves
    labels = probabilities(recipe, leaves, counts)
    images, encode = pullback(partial(decode, recipe.parameterize), leaves.images)
    begun, visible = _begun(recipe, state, counts, leaves.images.device)
    seen = Synthetic(_those(begun, images), _those(begun, labels), _step_size(leaves), visible, state.anchors)
    # a stage is a run of its own, and draws as one
    step, key = state.step - state.stage * recipe.schedule.steps, key.fold("stage", state.stage) if state.stage else key
    if isinstance(objective, Carrying):
        loss, gradients, student = objective.measure(seen, key, step, state.student)
    else:
        (loss, gradients), student = objective(seen, key, step), None
    images_bar, labels_bar = _among_all(begun, gradients.images), _among_all(begun, gradients.labels)
    assert images_bar is not None, "every objective moves the images"
    gradients = gradients._replace(images=encode(images_bar), labels=labels_bar)
    pulled = _pull_back(recipe, state, labels, gradients, counts)
    if not all(bool(t.isfinite().all()) for t in (loss, *tensors(pulled))):
        return _roll_back(state)
    state = replace(state, step=state.step + 1, good=leaves, loss=float(loss), curves=gradients.curves, student=student)
    if recipe.schedule.skip_above is not None and state.loss > recipe.schedule.skip_above:
        return state
    state = _move(recipe, *_clipped(recipe, state, pulled))
    if recipe.schedule.clamp:
        assert transform is not None, "images are clamped where it is known what pixels they stand for"
        state = replace(state, leaves=replace(state.leaves, images=transform.clamp(state.leaves.images)))
    return replace(state, average=_averaged(recipe, state.average, state.leaves))


def _begun(recipe: Recipe, state: State, counts: Counts, device: torch.device) -> tuple[Tensor | None, Counts]:
    """Which training images are of stages that have begun, bool [n], and how many of each class; None is all.

    Those of rounds of real images never are: steps see what the recipe itself makes.
    """
    stages = recipe.schedule.stages
    if recipe.rounds is not None:
        return (init.rounds(recipe, counts) == 0).to(device), init.made(recipe, counts)
    if state.stage + 1 == stages.count:
        return None, init.decoded(recipe.parameterize, counts)
    stage = init.stages(recipe, counts).repeat_interleave(recipe.parameterize.formation)
    seen = tuple(stages.seen(count)[state.stage] for count in counts)
    return (stage <= state.stage).to(device), init.decoded(recipe.parameterize, seen)


def _those(begun: Tensor | None, every: Tensor) -> Tensor:
    return every if begun is None else every[begun]


def _among_all(begun: Tensor | None, bar: Tensor | None) -> Tensor | None:
    """The gradient [m, ...] of images that have begun as one of all [n, ...], which depends on no others."""
    if begun is None or bar is None:
        return bar
    every = bar.new_zeros(len(begun), *bar.shape[1:])
    every[begun] = bar
    return every


def _averaged(recipe: Recipe, average: Leaves | None, leaves: Leaves) -> Leaves | None:
    """mean' = ema * mean + (1 - ema) * leaves. Written as lerp has it, what does not move stays as it is to the bit."""
    if average is None or recipe.schedule.ema is None:
        return None
    pairs = zip(tensors(average), tensors(leaves), strict=True)
    return Leaves(*(mean.lerp(leaf, 1 - recipe.schedule.ema) for mean, leaf in pairs))


def _blended(recipe: Recipe, state: State) -> State:
    """The state with images that went back in part to the initial ones, at rest, if it is time for that."""
    blend = recipe.schedule.blend
    if blend is None or state.step not in blend.after(recipe.schedule.steps):
        return state
    assert state.initial is not None, "a recipe that blends keeps what images began as"
    images = state.leaves.images.lerp(state.initial, 1 - blend.keep)
    return at_rest(replace(state, leaves=replace(state.leaves, images=images)))


def _roll_back(state: State) -> State:
    """Back to the last leaves whose loss was finite, at rest, with halved learning rates; a mean starts anew there."""
    if state.rollbacks == MAX_ROLLBACKS:
        raise Diverged(
            f"The loss was not finite for the {MAX_ROLLBACKS + 1}th time, at outer step {state.step}. Lower "
            "schedule.image_lr or step_size.lr by a factor of ten, or step_size.initial by two."
        )
    back = replace(
        state,
        step=state.step + 1,
        leaves=state.good,
        loss=float("nan"),
        damping=state.damping / 2,
        rollbacks=state.rollbacks + 1,
        student=None,
        average=state.average and state.good,
    )
    return at_rest(back)


def _clipped(recipe: Recipe, state: State, pulled: Leaves) -> tuple[State, Leaves]:
    """The gradients, the images' cut to `schedule.clip` times its usual norm (Feng et al. 2024, as released)."""
    if recipe.schedule.clip is None:
        return state, pulled
    norm = float(pulled.images.norm())
    usual = norm if math.isnan(state.usual) else _LASTING * state.usual + (1 - _LASTING) * norm
    most = recipe.schedule.clip * usual
    if norm > most:
        pulled = replace(pulled, images=pulled.images * (most / norm))
    return replace(state, usual=usual), pulled


def _move(recipe: Recipe, state: State, pulled: Leaves) -> State:
    eta, labels, schedule = recipe.step_size, recipe.labels, recipe.schedule
    # d eta = eta d(log eta): dividing by eta_0^2 keeps the published meaning of the rate, see recipe.StepSize
    pace = state.damping * _pace(recipe, state.step - 1 - state.stage * schedule.steps)
    of_step_size = Sgd(eta.lr / recipe.initial_step_size(state.stage) ** 2 * pace, eta.momentum)
    label_lr, label_momentum = (labels.lr, labels.momentum) if isinstance(labels, Learnable | Targets) else (0.0, 0.0)
    assert schedule.image_lr != "auto", "a probe has put a number in its place"
    image_lr, image_momentum = schedule.image_lr * pace, schedule.image_momentum
    label_lr *= pace
    leaves, velocity = state.leaves, state.velocity
    step_size, its_velocity = of_step_size.update(leaves.log_step_size, pulled.log_step_size, velocity.log_step_size)
    if schedule.optimiser == "sgd":
        images, images_v = Sgd(image_lr, image_momentum).update(leaves.images, pulled.images, velocity.images)
        logits, logits_v = Sgd(label_lr, label_momentum).update(leaves.logits, pulled.logits, velocity.logits)
        squares = None
    else:
        old = state.squares or still(leaves)
        images, images_v, images_s = Adam(image_lr, image_momentum, schedule.beta_2).update(
            leaves.images, pulled.images, velocity.images, old.images, state.updates
        )
        logits, logits_v, logits_s = Adam(label_lr, label_momentum, schedule.beta_2).update(
            leaves.logits, pulled.logits, velocity.logits, old.logits, state.updates
        )
        squares = Leaves(images_s, logits_s, old.log_step_size)
    return replace(
        state,
        leaves=Leaves(images, logits, step_size),
        velocity=Leaves(images_v, logits_v, its_velocity),
        squares=squares,
        updates=0 if squares is None else state.updates + 1,
    )


def _pace(recipe: Recipe, step: int) -> float:
    """Share of the outer learning rates in a step of a stage, counted from 0."""
    if recipe.schedule.decay == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * step / recipe.schedule.steps))


def _pull_back(recipe: Recipe, state: State, labels: Tensor, gradients: Gradients, counts: Counts) -> Leaves:
    """Gradients of what the objective saw, as gradients of the leaves."""
    leaves = state.leaves
    logits = torch.zeros_like(leaves.logits)
    if gradients.labels is not None and isinstance(recipe.labels, Learnable):
        inner = (gradients.labels * labels).sum(1, keepdim=True)
        logits = labels * (gradients.labels - inner)  # the softmax's own Jacobian
    if gradients.labels is not None and isinstance(recipe.labels, Targets):
        logits = gradients.labels
    log_step_size = torch.zeros_like(leaves.log_step_size)
    if gradients.step_size is not None:
        log_step_size = gradients.step_size * _step_size(leaves)
    images, stages = gradients.images, recipe.schedule.stages
    if recipe.parameterize.update < 1 or stages.count > 1:
        # a gradient of 0 leaves an image as it is to the last bit, and what it would have been cannot spoil a step
        still = init.stages(recipe, counts) != state.stage
        still |= init.frozen(recipe.parameterize, counts, stages)
        still = still.to(images.device)
        images, logits = images.clone(), logits.clone()
        images[still], logits[still.repeat_interleave(recipe.parameterize.formation)] = 0, 0
    return Leaves(images, logits, log_step_size)


def probabilities(recipe: Recipe, leaves: Leaves, counts: Counts) -> Tensor:
    """Label probabilities [n, K] of the synthetic images, or the targets that are learned."""
    if isinstance(recipe.labels, Targets):
        return leaves.logits
    if isinstance(recipe.labels, Learnable):
        return leaves.logits.softmax(1)
    each = torch.tensor(init.decoded(recipe.parameterize, counts), device=leaves.logits.device)
    own = torch.arange(len(counts), device=leaves.logits.device).repeat_interleave(each)
    return torch.nn.functional.one_hot(own, len(counts)).to(leaves.images.dtype)


def _step_size(leaves: Leaves) -> Tensor:
    return leaves.log_step_size.exp()
