"""Rounds of real images: a network on the set so far, and of each class what it gets wrong, the simplest first."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from core.engine import checkpoint, distill, evaluate, init, relabel, rounds, stored
from core.engine.context import JobContext, follow
from core.engine.evaluate import Replays, Trained
from core.engine.keys import Key
from core.engine.state import State
from core.engine.teacher import Teacher
from core.engine.view_labels import Replay
from core.recipe import Rounds

_FILE, _DONE = "rounds.safetensors", "rounds.json"
_UNITS = 100  # of progress, for each round


def are_over(context: JobContext) -> bool:
    """Whether an earlier attempt took the last of them."""
    asked, state = context.recipe.rounds, _stored(context)
    return asked is not None and state is not None and state.rounds == asked.count


def taken(context: JobContext, state: State, hardness: Tensor | None, taught: Teacher | None) -> tuple[State, str]:
    """The state with the images of all rounds, and in words how many there were time for.

    After each round it is stored, so that an attempt that follows goes on with the next. Where no time is left, the
    images of the rounds that are missing are drawn at random.
    """
    asked, workspace, real = context.recipe.rounds, context.workspace, context.real
    assert asked is not None, "a plan with this step"
    state, key = _stored(context) or state, context.key.fold("rounds")
    counts, total = context.counts, _UNITS * asked.count
    real_ones = int(init.untouched(context.recipe, real, counts).sum())
    if state.rounds == asked.count:
        return state, _words(context, asked)
    assert hardness is not None, "images are ranked before rounds begin"
    context.journal.enter("selecting", total, skipped=_UNITS * state.rounds)
    trusted = torch.ones(len(real.train), dtype=torch.bool, device=real.device)
    if taught is not None and context.recipe.relabel.needs_teacher:
        trusted = rounds.sureness(taught.kernels, Trained(taught.theta, taught.moments, 0.0), real.train) >= 0
    while state.rounds < asked.count:
        if workspace.time_left() <= 0:
            context.journal.log(
                f"There is time for {state.rounds} of {asked.count} rounds: the other images are random real ones.",
                level="warning",
            )
            done, draw = state.rounds, key.fold("rest").uniform(len(real.train)).to(real.device)
            state = rounds.filled(context.recipe, state, real, counts, draw, asked.count)
            workspace.store(_DONE, stored.written({"rounds": done}))
            workspace.store(_FILE, checkpoint.packed(state, context.run, real_ones))
            break
        network = _trained(context, asked, state, key.fold(state.rounds), taught)
        right = rounds.sureness(context.kernels, network, real.train)
        order = rounds.order(right, hardness, trusted, key.fold(state.rounds, "order"))
        state = rounds.filled(context.recipe, state, real, counts, order, state.rounds + 1)
        workspace.store(_FILE, checkpoint.packed(state, context.run, real_ones))
        context.journal.progress(_UNITS * state.rounds, total)
        context.raise_if_draining()
    return state, _words(context, asked)


def _stored(context: JobContext) -> State | None:
    return checkpoint.load(context.workspace.checkpoint(_FILE), context.run, context.real.device)


def _words(context: JobContext, asked: Rounds) -> str:
    done = stored.document(context.workspace.checkpoint(_DONE), {"rounds": asked.count})["rounds"]
    return f"with real images of {done} of {asked.count} round{'s' if asked.count > 1 else ''}"


def _trained(context: JobContext, asked: Rounds, state: State, key: Key, taught: Teacher | None) -> Trained:
    """A network on the set so far, labelled as the result will be."""
    evaluation = context.recipe.evaluation.model_copy(update={"epochs": asked.epochs})
    own = replace(context, recipe=context.recipe.model_copy(update={"evaluation": evaluation}))
    result = distill.finish(own.recipe, state, own.real, own.ipc)
    if taught is not None and own.recipe.relabel.needs_teacher:
        result = relabel.labelled(own, taught, result, key.fold("relabel"))
    shown = result.images if result.views is None else Replays((Replay(result.images, result.views),))
    protocol = replace(evaluate.on_result(own.recipe, result), temperature=result.temperature)
    work = evaluate.train(own.judging, shown, result.supervision(own.real.classes), protocol, [key])
    total = _UNITS * asked.count

    def say(share: float) -> None:
        context.journal.progress(_UNITS * (state.rounds + share), total)

    (network,) = follow(context, work, say)
    return network
