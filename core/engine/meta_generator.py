"""Train a generator of synthetic images: on subsets of a source's classes, then on a target (MGDD, reconstructed).

Liu & Wang, "MGDD: A Meta Generator for Fast Dataset Distillation", NeurIPS 2023: of the paper only the abstract was
available. The objective is neural feature regression's, with labels in closed form. A state and the arguments determine
everything that follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine import init, model_pool
from core.engine.keys import Key
from core.engine.networks import Network
from core.engine.networks.generator import Generator
from core.engine.optimise import Adam
from core.engine.real import Real
from core.engine.ridge import RIDGE, centred
from core.recipe import Generated
from core.recipe.share import equal

BATCH = 256
"""Images that are generated at a time."""

_MOST = 512  # synthetic images of a step
_BETA_1 = 0.9


@dataclass(frozen=True)
class Training:
    """A generator between two steps: its parameters [Q], where the present task began, Adam's moments, and the pool."""

    step: int
    theta: Tensor
    start: Tensor
    velocity: Tensor
    squares: Tensor
    networks: Tensor | None = None
    loss: float = float("nan")


@dataclass(frozen=True)
class Scored:
    """The error, and the targets [M, K] with which a regression on the synthetic features answers so."""

    error: Tensor
    targets: Tensor


def begin(theta: Tensor) -> Training:
    """The state before the first step, from the parameters to start with."""
    return Training(0, theta, theta, torch.zeros_like(theta), torch.zeros_like(theta))


def meta_train(
    choice: Generated, generator: Generator, network: Network, real: Real, state: Training, key: Key
) -> Iterator[Training]:
    """Yield the state after each step on subsets of the source's classes, up to the last task's end."""
    assert choice.meta is not None, "asked for where there is any"
    each = choice.meta.inner_steps
    while state.step < choice.meta.tasks * each:
        task = key.fold("task", state.step // each)
        state = _advance(choice, generator, network, real, _subset(real.classes, task), state, key)
        if state.step % each == 0:
            moved = state.start + choice.meta.rate * (state.theta - state.start)
            state = replace(state, theta=moved, start=moved)
        yield state


def adapt(
    choice: Generated, generator: Generator, network: Network, real: Real, state: Training, key: Key
) -> Iterator[Training]:
    """Yield the state after each step on all of the target's classes."""
    every = torch.arange(real.classes)
    while state.step < choice.steps:
        state = _advance(choice, generator, network, real, every, state, key)
        yield state


def generate(generator: Generator, theta: Tensor, images: Tensor) -> Tensor:
    """Synthetic images of real ones, [n, C, H, W], each on its own."""
    with torch.no_grad():
        return torch.cat([generator.apply(theta, part) for part in images.split(BATCH)])


def error(own: Tensor, support: Tensor, truth: Tensor, query: Tensor, answers: Tensor, ridge: float) -> Scored:
    """The error on features `query` [n, p], targets [n, K], of the best classifier in the span of `own` [M, p].

    It is the ridge solution for features `support` [m, p] and targets `truth` [m, K], in the coordinates L^-1 own, L
    the Cholesky factor of own own^T: differentiable in all features, and the same as `ridge.solve` finds.
    """
    kernel = own @ own.T
    jitter = RIDGE * kernel.diagonal().mean() * torch.eye(len(own), dtype=own.dtype, device=own.device)
    lower = torch.linalg.cholesky(kernel + jitter)
    seen = torch.linalg.solve_triangular(lower, own @ support.T, upper=False).T
    penalty = ridge * support.square().sum() / support.shape[1]
    gram = seen.T @ seen + penalty * torch.eye(len(own), dtype=own.dtype, device=own.device)
    w = torch.linalg.solve(gram, seen.T @ truth)
    guessed = torch.linalg.solve_triangular(lower, own @ query.T, upper=False).T @ w
    return Scored((guessed - answers).square().sum(1).mean() / 2, lower @ w)


def _advance(
    choice: Generated,
    generator: Generator,
    network: Network,
    real: Real,
    classes: Tensor,
    state: Training,
    key: Key,
) -> Training:
    draw, device = key.fold("step", state.step), real.device
    networks = state.networks
    if networks is None:
        networks = model_pool.fresh(choice.pool, network, draw.fold("pool"), device)
    index = draw.fold("member").integer(0, len(networks))
    theta = model_pool.theta(networks, index)
    members = [real.members[c] for c in classes.tolist()]
    ipc = _size(choice, members, draw.fold("size"))
    keys, counts = [draw.fold("first", c) for c in range(len(members))], equal(ipc, len(members))
    first = init.given(choice, real, _apart(choice, members, ipc, draw), counts, keys)
    among = torch.cat(members)
    drawn = among[draw.fold("real").permutation(len(among))[: choice.real_batch].to(device)]
    support, query = drawn.split([len(drawn) // 2, len(drawn) - len(drawn) // 2])
    place = torch.zeros(real.classes, dtype=torch.long)
    place[classes] = torch.arange(len(classes))
    place = place.to(device)

    def truth(index: Tensor) -> Tensor:
        return centred(F.one_hot(place[real.train.labels[index]], len(classes)).double())

    with torch.no_grad():
        known = [network.embed(theta, real.train.take(part)).double() for part in (support, query)]
    with torch.enable_grad():
        weights = state.theta.detach().requires_grad_()
        images = generator.apply(weights, first)
        own = network.embed(theta, images).double()
        scored = error(own, known[0], truth(support), known[1], truth(query), choice.ridge)
        (g,) = torch.autograd.grad(scored.error, weights)
    moved, velocity, squares = Adam(choice.lr, _BETA_1).update(
        state.theta, g, state.velocity, state.squares, state.step
    )
    targets = torch.zeros(len(first), real.classes, device=device)
    targets[:, classes.to(device)] = scored.targets.detach().float()
    networks = model_pool.trained(
        choice.pool, network, networks, index, images.detach(), targets, draw.fold("training")
    )
    return Training(state.step + 1, moved, state.start, velocity, squares, networks, float(scored.error.detach()))


def _subset(classes: int, key: Key) -> Tensor:
    """From half of the classes to all but one, in order; both, where there are two."""
    most = max(2, classes - 1)
    size = key.fold("size").integer(max(2, min(classes // 2, most)), most + 1)
    return key.fold("classes").permutation(classes)[:size].sort().values


def _apart(choice: Generated, members: list[Tensor], ipc: int, draw: Key) -> list[Tensor]:
    """The images a step draws from: for means, half of each class, as the mean of a whole class never changes."""
    if choice.given == "images":
        return members
    orders = [own[draw.fold("half", c).permutation(len(own)).to(own.device)] for c, own in enumerate(members)]
    return [own[: max(ipc, len(own) // 2)] for own in orders]


def _size(choice: Generated, members: list[Tensor], key: Key) -> int:
    smallest = min(map(len, members))
    fit = [n for n in choice.sizes if n <= smallest and n * len(members) <= _MOST] or [1]
    return fit[key.integer(0, len(fit))]
