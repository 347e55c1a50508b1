"""The trial of a compiled program: its numbers beside automatic differentiation's, before it is trusted.

A program can be wrong without failing, for instance when a cache of the compiler's holds one for wider vectors. So
each is tried once a process, on arguments for which a right one differs by rounding alone: every norm's bias lies so
far from nought that hardly a ReLU is near its edge, where two ways to round decide differently. The passes themselves,
of 29 networks (8x8 to 64x64, one to 50 images), differ by at most 4e-5 of a part's length in float32 and 0.03 in
bfloat16; programs for vectors of another width gave infinity or NaN, each of four.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from core.engine.kernels.eager import Eager
from core.engine.kernels.passes import Kept, Passes
from core.engine.kernels.step import Adjoint
from core.engine.keys import Key
from core.engine.networks import ConvNet, Moments

Run = Callable[..., Sequence[Tensor]]
"""A program: the tensors of its name's function, flat."""

_STEADY = 3.0  # standard deviations between a norm's bias and nought
_TINY = 2  # pixels of a map's side: a mean over so few that are alive together, once normalised, depends on nothing
_LEAST = (
    0.01  # share of the whole's length below which a part's own length is no measure: a bias before a norm has none
)
_PIECE = 32  # images that are differentiated at once, to take little memory


class Given(NamedTuple):
    """Arguments of one student's step, and a cotangent of its gradient."""

    theta: Tensor
    images: Tensor
    labels: Tensor
    u: Tensor


def fault(
    name: str, run: Run, two: Passes, students: int, batch: int, device: torch.device, within: float
) -> str | None:
    """The fault of the program of this name, in words; None if it has none.

    Args:
        two: the passes it was compiled from; they stand in for the other half where it is one half of an adjoint.
        students, batch: the shape it was compiled for.
        within: share of the length of each part of a result that may be rounding.
    """
    each = [_given(two.network, batch, device, student) for student in range(students)]
    try:
        with torch.no_grad():
            for part, ours, truth, least in _pairs(name, run, two, each):
                off = float((ours - truth).norm() / max(float(truth.norm()), least))
                if not off <= within:  # nor is NaN
                    cosine = float(torch.cosine_similarity(ours.flatten(), truth.flatten(), dim=0))
                    return f"its {part} is off by {off:.1e} of its length, at a cosine of {cosine:.4f}"
    except Exception as error:  # whatever a program that is another one's does with these arguments
        return f"it fails: {repr(error)[:300]}"
    return None


def statistics(network: ConvNet) -> int:
    """How many tensors of running moments a test of the network takes."""
    return 2 * network.depth if network.norm == "batch" else 0


def _given(network: ConvNet, batch: int, device: torch.device, student: int) -> Given:
    key = Key(0).fold("trial", student)
    theta = network.init(key.fold("theta")) + 0.1 * key.fold("away").normal(network.size)
    parts = network.unflatten(theta)  # views of theta
    for block in range(network.depth):
        bias = parts[f"{'conv' if network.norm == 'none' else 'norm'}{block}.bias"]
        side = min(network.shape[1:]) + 2 * (network.first_padding - 1) >> block
        sign = 2.0 * (key.fold("sign", block).uniform(*bias.shape) < 0.5) - 1
        bias.copy_(sign * (_STEADY if side > _TINY else 1))
    images = key.fold("images").normal(batch, *network.shape)
    labels = 2 * key.fold("labels").uniform(batch, network.classes)
    u = key.fold("u").normal(network.size) / network.size**0.5
    theta, images, labels, u = (part.to(device) for part in (theta, images, labels, u))
    g = _gradient(network, theta, images, labels)[0]
    return Given(theta, images, labels, u + g / g.norm())  # so that <g, u> does not vanish


def _pairs(name: str, run: Run, two: Passes, each: Sequence[Given]) -> Iterator[tuple[str, Tensor, Tensor, float]]:
    """Each part of a result: its name, as the program has it and as it is, and the least length to measure it by."""
    network, depth = two.network, two.network.depth
    if name == "logits":
        ((theta, images, _, _),) = each
        moments = _gradient(network, *each[0][:3])[1] if statistics(network) else None
        ours = run(theta, images, *(tensor for kind in moments or () for tensor in kind))[0]
        parts = [network.apply(theta, some, moments) for some in images.split(_PIECE)]
        yield "result", ours, torch.cat(parts), 0.0
        return
    if name in ("gradient", "observe"):
        alone = len(each) == 1
        arguments = [part[0] if alone else torch.stack(part) for part in list(zip(*each, strict=True))[:3]]
        results = run(*arguments)[: 1 + (2 * depth if name == "observe" and network.norm == "batch" else 0)]
        for student, given in enumerate(each):
            g, *seen = results if alone else [result[student] for result in results]
            truth, moments = _gradient(network, *given[:3])
            yield from _parts(network, "gradient", g, truth)
            for ours, same in zip(seen, [*moments.means, *moments.variances] if seen else [], strict=True):
                yield "moments", ours, same, 0.0
        return
    ((theta, images, labels, u),) = each
    if name == "recall":
        kept = two.first(theta, images, labels)[1]
        adjoint = Adjoint(*run(theta, u, *kept.leaves)[: len(Adjoint._fields)])
    else:
        found = list(run(theta, images, labels))
        if name == "remember":
            yield from _parts(network, "gradient", found.pop(0), _gradient(network, theta, images, labels)[0])
        adjoint = two.second(theta, Kept.of(found, depth), u)[0]
    true = _adjoint(network, theta, images, labels, u)
    yield from _parts(network, "Hessian's product", adjoint.theta, true.theta)
    for part in ("along", "images", "labels"):
        yield f"derivative ({part})", getattr(adjoint, part), getattr(true, part), 0.0


def _parts(network: ConvNet, of: str, ours: Tensor, truth: Tensor) -> Iterator[tuple[str, Tensor, Tensor, float]]:
    least = _LEAST * float(truth.norm())
    true = network.unflatten(truth)
    for name, part in network.unflatten(ours).items():
        yield f"{of} ({name})", part, true[name], least


def _gradient(network: ConvNet, theta: Tensor, images: Tensor, labels: Tensor) -> tuple[Tensor, Moments]:
    eager = Eager(network)
    if network.norm == "batch":
        return eager.gradient_and_batch_stats(theta, images, labels)
    g = torch.zeros_like(theta)
    for some, theirs in zip(images.split(_PIECE), labels.split(_PIECE), strict=True):
        g += eager.gradient(theta, some, theirs) * (len(some) / len(images))
    return g, Moments((), ())


def _adjoint(network: ConvNet, theta: Tensor, images: Tensor, labels: Tensor, u: Tensor) -> Adjoint:
    eager, size = Eager(network), len(images) if network.norm == "batch" else _PIECE
    pieces = [
        (eager.adjoint(theta, some, theirs, u), len(some) / len(images))
        for some, theirs in zip(images.split(size), labels.split(size), strict=True)
    ]
    return Adjoint(
        torch.stack([share * piece.along for piece, share in pieces]).sum(),
        torch.stack([share * piece.theta for piece, share in pieces]).sum(0),
        torch.cat([share * piece.images for piece, share in pieces]),
        torch.cat([share * piece.labels for piece, share in pieces]),
    )
