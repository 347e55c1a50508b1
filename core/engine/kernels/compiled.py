"""The written-out passes as compiled programs of fixed shapes, kept on disk from one process to the next."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple, final

import torch
from torch import Tensor

from core.engine.kernels import products
from core.engine.kernels.convolution import Coarse, Convolution, Direct, Patches, Winograd
from core.engine.kernels.eager import Eager
from core.engine.kernels.environment import capabilities, environment
from core.engine.kernels.passes import Kept, Passes
from core.engine.kernels.program import Program
from core.engine.kernels.slices import Slice, Sliced, filled, joined, mean, slices
from core.engine.kernels.stamp import SUFFIX
from core.engine.kernels.step import Adjoint
from core.engine.kernels.trial import fault, statistics
from core.engine.networks import ConvNet, Moments
from core.plan import packing
from core.plan.ways import Pick, Precision, Verdict, Way, kinds

_WITHIN: Mapping[Precision, float] = {"float32": 1e-3, "bfloat16": 0.1}
"""Share of a result's length that may be rounding, see `trial`."""

log = logging.getLogger(__name__)


class Shape(NamedTuple):
    """So many students at once, on batches of so many images each."""

    students: int
    batch: int


TESTS: Final = Shape(*packing.TESTS)
"""Shape that stands for the tests of a network."""


@cache
def multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for products of bfloat16; without them such a product is 50 times slower
    than one of float32."""
    return any(has is True and "bf16" in name for name, has in capabilities().items())


def rule(precision: Precision) -> Pick:
    """The way to multiply out a convolution on a CPU that nobody has measured, but for one of few channels."""
    if precision == "float32":
        return Pick(forward="F(4)", rest="F(4)", factors="float32")
    return Pick(forward="F(4)", rest="F(4)", factors="bfloat16" if multiplies_bfloat16() else "rounded")


def passes(
    network: ConvNet, precision: Precision, device: torch.device, batch: int = 1, verdict: Verdict | None = None
) -> Passes:
    """The passes of a network as they are compiled for a device, for batches of a size.

    bfloat16 is for the large products whose rounding no ReLU depends on, see `Passes`; on a GPU the backend's own
    convolutions stay in float32, or in whatever it may take for float32. Which factors are rounded depends on the
    precision and not on the processor: one that cannot multiply bfloat16, or not fast, rounds the same factors.

    Args:
        verdict: of the machine that the job began on; None for the rule.
    """
    if device.type == "cuda":
        return Passes(network, (Direct(),) * network.depth)
    measured = verdict or Verdict()
    found = [measured.of(precision, *kind) for kind in kinds(network.shape, network.width, network.depth, batch)]
    picks = [rule(precision) if each is None else each.pick for each in found]
    few = [Patches()] * (network.depth - len(picks))
    rest = [convolution_of(pick.rest, _coarse(pick)) for pick in picks]
    others = [None if pick.forward == pick.rest else convolution_of(pick.forward, "no") for pick in picks]
    return Passes(network, (*few, *rest), (*[None] * len(few), *others) if any(others) else ())


def convolution_of(way: Way, coarse: Coarse) -> Convolution:
    """The convolution multiplied out that way."""
    match way:
        case "direct":
            return Direct(coarse)
        case "F(2)":
            return Winograd(2, coarse)
        case "F(4)":
            return Winograd(4, coarse)
        case "F(4) by BLAS":
            return Winograd(4, coarse, blas=True)


def _coarse(pick: Pick) -> Coarse:
    """The rounding as this processor does it: the verdict may be another one's."""
    if pick.factors == "bfloat16":
        return "bfloat16" if multiplies_bfloat16() else "rounded"
    return "rounded" if pick.factors == "rounded" else "no"


@final
@dataclass(frozen=True)
class Compiled:
    """Kernels that run the given shapes as compiled programs and every other shape by automatic differentiation.

    A program is compiled when its shape is first met, or loaded from `folder` if that has it, and tried once. Where it
    can't be compiled or gives wrong numbers, the shape is run eagerly from then on, and the log says why.
    """

    network: ConvNet
    shapes: frozenset[Shape]
    precision: Precision = "float32"
    folder: Path | None = None
    verdict: Verdict | None = None
    """Verdict of the machine that the job began on, for students alone: stacked ones go by the rule."""
    _programs: dict[tuple[str, Shape], Program | None] = field(default_factory=dict, compare=False, repr=False)

    @property
    def eager(self) -> Eager:
        """The kernels of the other shapes."""
        return Eager(self.network)

    def logits(self, theta: Tensor, images: Tensor, moments: Moments | None = None) -> Tensor:
        """Logits [B, K]; batch norm uses `moments` if given, else the batch's statistics.

        A program of one shape takes batches of every size, the last of its parts filled up.
        """
        size, seen = self.sliced(TESTS, theta.device, "logits").batch, _flat(moments)
        few = 2 * len(images) < size  # filling them up would cost more than it saves
        if TESTS in self.shapes and not few and theta.dtype == torch.float32 and len(seen) == statistics(self.network):
            parts = filled(images, size)
            program = self._ready("logits", Shape(1, size), (theta, parts[0], *seen))
            if program is not None:
                return torch.cat([program(theta, part, *seen)[0] for part in parts])[: len(images)]
        return self.eager.logits(theta, images, moments)

    def gradient(self, theta: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        """g = grad_theta loss, shaped like theta."""
        if theta.ndim == 2 and len(theta) == 1:  # what is compiled for a shape of one student has no axis of students
            return self.gradient(theta[0], images[0], labels[0])[None]
        program, each = self._program("gradient", theta, images, labels)
        if program is None:
            return self.eager.gradient(theta, images, labels)
        return mean([program(theta, *some)[0] for some in each])

    def gradient_and_batch_stats(self, theta: Tensor, images: Tensor, labels: Tensor) -> tuple[Tensor, Moments]:
        """The gradient, and what each batch norm saw."""
        if self.network.norm != "batch":
            return self.gradient(theta, images, labels), Moments((), ())
        if theta.ndim == 2 and len(theta) == 1:
            g, moments = self.gradient_and_batch_stats(theta[0], images[0], labels[0])
            return g[None], Moments(*(tuple(m[None] for m in kind) for kind in moments))
        program, _ = self._program("observe", theta, images, labels)
        if program is None:
            return self.eager.gradient_and_batch_stats(theta, images, labels)
        g, *seen = program(theta, images, labels)[: 1 + 2 * self.network.depth]
        return g, Moments(tuple(seen[: self.network.depth]), tuple(seen[self.network.depth :]))

    def adjoint(self, theta: Tensor, images: Tensor, labels: Tensor, u: Tensor) -> Adjoint:
        """Derivatives of <g, u> in theta, images and labels."""
        program, each = self._program("keep", theta, images, labels)
        if program is None:
            return self.eager.adjoint(theta, images, labels, u)
        depth = self.network.depth
        return joined([self._second(theta, Kept.of(program(theta, *some), depth), u) for some in each])

    def gradient_with_residuals(self, theta: Tensor, images: Tensor, labels: Tensor) -> tuple[Tensor, object]:
        """The gradient, and what makes its adjoint cheaper."""
        program, each = self._program("remember", theta, images, labels)
        if program is None:
            return self.eager.gradient_with_residuals(theta, images, labels)
        results = [program(theta, *some) for some in each]
        kept = tuple(Kept.of(leaves, self.network.depth) for _, *leaves in results)
        return mean([result[0] for result in results]), Sliced(kept)

    def adjoint_from_residuals(self, theta: Tensor, residuals: object, u: Tensor) -> Adjoint:
        """The adjoint from what `gradient_with_residuals` gave."""
        if not isinstance(residuals, Sliced):
            return self.eager.adjoint_from_residuals(theta, residuals, u)
        return joined([self._second(theta, kept, u) for kept in residuals.each])

    def _second(self, theta: Tensor, kept: Kept, u: Tensor) -> Adjoint:
        shape = Shape(1, len(kept.head.p))
        program = self._ready("recall", shape, (theta, u, *kept.leaves))
        if program is None:
            return self.passes(shape, theta.device).second(theta, kept, u)[0]
        return Adjoint(*program(theta, u, *kept.leaves)[: len(Adjoint._fields)])

    def kept_bytes(self, theta: Tensor, batch: int) -> int:
        """Bytes that `gradient_with_residuals` keeps of a step."""
        if Shape(1, batch) not in self.shapes or theta.dtype != torch.float32:
            return self.eager.kept_bytes(theta, batch)
        products.load(self.folder)
        some = self.sliced(Shape(1, batch), theta.device)
        return batch // some.batch * _kept_bytes(self.passes(some, theta.device), some.batch)

    def sliced(self, shape: Shape, device: torch.device, program: str = "gradient") -> Shape:
        """The shape of a program for steps of a shape, see `packing.sliced`."""
        return Shape(*packing.sliced(self.network.convolutions, self.network.norm, shape, device.type, program))

    @property
    def used(self) -> frozenset[Shape]:
        """The shapes but for those of which a program was given up, and that are run eagerly therefore."""
        given_up = [named for named, program in self._programs.items() if program is None]

        def eagerly(whole: Shape) -> bool:
            names = ((name, shape) for name, shape in given_up if (name == "logits") == (whole == TESTS))
            return any(shape == self.sliced(whole, torch.device("cpu"), name) for name, shape in names)

        return frozenset(shape for shape in self.shapes if not eagerly(shape))

    def passes(self, shape: Shape, device: torch.device) -> Passes:
        """The passes that programs of a shape are compiled from."""
        verdict = self.verdict if shape.students == 1 else None
        return passes(self.network, self.precision, device, shape.batch, verdict)

    def give_up(self, programs: Collection[tuple[str, Shape]], device: torch.device) -> tuple[str, ...]:
        """Run eagerly, from now on, those of the programs that are not in the folder; returns their names."""
        missing = [program for program in sorted(programs) if not self.stored(*program, device)]
        self._programs.update(dict.fromkeys(missing))
        return tuple(name for name, _ in missing)

    def build(self, name: str, shape: Shape) -> None:
        """Compile a program on the CPU, with zeros for arguments; then it is in the folder, or the log says why not."""
        network, lead = self.network, () if shape.students == 1 else (shape.students,)
        theta = torch.zeros(*lead, network.size)
        images = torch.zeros(*lead, shape.batch, *network.shape)
        labels = torch.zeros(*lead, shape.batch, network.classes)
        if name == "logits":
            self._built(name, shape, (theta, images, *[torch.ones(network.width)] * statistics(network)))
        elif name == "recall":
            assert not lead, "only alone does a student have adjoints"
            kept = self.passes(shape, theta.device).first(theta, images, labels)[1]
            self._built(name, shape, (theta, torch.zeros_like(theta), *kept.leaves))
        else:
            self._built(name, shape, (theta, images, labels))

    def stored(self, name: str, shape: Shape, device: torch.device) -> bool:
        """Whether a program lies in the folder."""
        path = self.path(name, shape, device)
        return path is not None and path.exists()

    def path(self, name: str, shape: Shape, device: torch.device) -> Path | None:
        """The file of a program in the folder, named by all that it depends on."""
        if self.folder is None:
            return None
        identity = (name, shape, self.passes(shape, device), self.precision, *environment(device))
        return self.folder / f"{hashlib.sha256(repr(identity).encode()).hexdigest()[:32]}{SUFFIX}"

    def _program(self, name: str, theta: Tensor, images: Tensor, labels: Tensor) -> tuple[Program | None, list[Slice]]:
        """The program for steps on such a batch, if there is one, and the slices of the batch that it takes."""
        shape = Shape(len(theta) if theta.ndim == 2 else 1, labels.shape[-2])
        if shape not in self.shapes or theta.dtype != torch.float32:
            return None, []
        some = self.sliced(shape, theta.device)
        each = slices(images, labels, some.batch)
        return self._ready(name, some, (theta, *each[0])), each

    def _ready(self, name: str, shape: Shape, arguments: Sequence[Tensor]) -> Program | None:
        if (name, shape) not in self._programs:
            self._programs[name, shape] = self._built(name, shape, arguments)
        return self._programs[name, shape]

    def _built(self, name: str, shape: Shape, arguments: Sequence[Tensor]) -> Program | None:
        device = arguments[0].device
        if device.type == "cpu":
            products.load(self.folder)
        two = self.passes(shape, device)
        within = _WITHIN[self.precision if device.type == "cpu" else "bfloat16"]  # a GPU may round factors as it likes
        try:
            return Program.of(
                _functions(two)[name],
                [a.detach().contiguous() for a in arguments],
                self.path(name, shape, device),
                lambda run: fault(name, run, two, *shape, device, within),
            )
        except Exception as error:
            # Whatever a compiler stumbles on, be it missing headers or a full disk, the work can be done without it.
            log.warning("The kernel %s is not compiled, and slower: %s", name, str(error).strip().split("\n")[0][:500])
            return None


def _functions(two: Passes) -> dict[str, Callable[..., tuple[Tensor, ...]]]:
    """The programs, with flat results. What a program does not return it does not compute."""
    depth = two.network.depth

    def logits(theta: Tensor, images: Tensor, *moments: Tensor) -> tuple[Tensor, ...]:
        found, written = two.logits(theta, images, Moments(moments[:depth], moments[depth:]) if moments else None)
        return (found, *written)

    def gradient(theta: Tensor, images: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        g, _, written = two.first(theta, images, labels)
        return (g, *written)

    def observe(theta: Tensor, images: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        g, kept, written = two.first(theta, images, labels)
        seen = two.moments(theta, kept)
        return (g, *seen.means, *seen.variances, *written)

    def keep(theta: Tensor, images: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        _, kept, written = two.first(theta, images, labels)
        return (*kept.leaves, *written)

    def remember(theta: Tensor, images: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        g, kept, written = two.first(theta, images, labels)
        return (g, *kept.leaves, *written)

    def recall(theta: Tensor, u: Tensor, *kept: Tensor) -> tuple[Tensor, ...]:
        adjoint, written = two.second(theta, Kept.of(kept, depth), u)
        return (*adjoint, *written)

    return {f.__name__: f for f in (logits, gradient, observe, keep, remember, recall)}


def _flat(moments: Moments | None) -> tuple[Tensor, ...]:
    return () if moments is None else (*moments.means, *moments.variances)


@cache
def _kept_bytes(two: Passes, batch: int) -> int:
    """By the passes on one image and on two: each leaf has a part that all images share, and one for each.

    Tensors without data would need no arithmetic, but torch loads its compiler for theirs.
    """

    def kept(images: int) -> int:
        labels = torch.zeros(images, two.network.classes)
        leaves = two.first(torch.zeros(two.network.size), torch.zeros(images, *two.network.shape), labels)[1].leaves
        return sum(leaf.nbytes for leaf in leaves)

    one = kept(1)
    return one + (batch - 1) * (kept(2) - one)
