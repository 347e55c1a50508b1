"""The engine's decisions by arithmetic, before it computes: networks together, shapes to compile, steps to remember.

A forecast has to decide the same, and to do so without torch: hence one rule for both, in numbers alone.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, Literal, NamedTuple

from core.plan import limits

Batch = tuple[int, int]
"""So many students at once, on so many images each."""

Kernel = Literal["logits", "gradient", "observe", "adjoint"]

PROGRAMS: Final[Mapping[Kernel, frozenset[str]]] = {
    "logits": frozenset({"logits"}),
    "gradient": frozenset({"gradient"}),
    "observe": frozenset({"observe"}),
    "adjoint": frozenset({"gradient", "keep", "recall"}),
}
"""Names of the programs that are compiled for a kernel."""
KEEPING: Final = frozenset({"remember", "recall"})
"""Names of the programs that are compiled for adjoints instead where all of a segment's steps are kept."""
TESTS: Final[Batch] = 1, limits.TESTED
"""Shape that stands for the tests of a network, whatever the images that the last call of each is left."""
COMPILING: Final = 15.0
"""Seconds a program takes to compile on two cores."""
REMEMBERED: Final = 10
"""Floats that autograd may keep of a step for each that a convolution puts out: twice what a plain unroll takes."""
KEPT: Final = 4.25
"""The same of the compiled kernels: counted, 3.4 to 4.7 (width 32 to 128, 8x8 to 64x64)."""

_PASSES: Final[Mapping[Kernel, int]] = {
    "logits": 1,
    "gradient": 3,
    "observe": 3,
    "adjoint": 8,
}  # forward passes a call takes
_SLOWER: Final = {"cpu": 1 / 250e9, "cuda": 1 / 20e12}  # seconds an operation takes longer when it is not compiled
# the same of a call, however small
_CALL: Final[Mapping[Kernel, float]] = {"logits": 0.0, "gradient": 5e-4, "observe": 5e-4, "adjoint": 2e-3}

_BUSY: Final = {"cpu": 1e8, "cuda": 5e11}  # operations of a step beside which what a call costs does not count
_GPU_SHARE: Final = 4  # of the device's memory one of so many parts; the rest is the dataset's and the experts'
_ALIVE: Final = 5.25  # floats alive in a gradient for each that a convolution puts out, see `stack`
_MOST: Final = 32  # networks of a stack: what an interruption costs is at most their training

_SLICE: Final = 6_000_000  # floats that the convolutions put out for a slice: its largest map is three quarters of them
_THIN: Final = 3  # a slice has at least one in so many of the images that it might have

_SHARE: Final = 2  # of the free memory, one of so many parts may be kept: the rest is the next program's


def padded(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """(channels, height, width) that networks of blocks see of images of a shape: MNIST's are padded to 32 pixels.

    So does the literature, with images of that one shape alone.
    """
    return (1, 32, 32) if shape == (1, 28, 28) else shape


class Convolutions(NamedTuple):
    """Those of a network, all blocks together, for one image."""

    operations: int
    """Multiplications and additions of the forward pass."""
    outputs: int
    """Floats they put out."""

    @classmethod
    def of(cls, shape: tuple[int, int, int], width: int, depth: int) -> Convolutions:
        """A ConvNet's for images of `shape` (C, H, W)."""
        channels, height, width_ = padded(shape)
        operations, outputs = 0, 0
        for _ in range(depth):
            operations += 2 * 9 * channels * width * height * width_
            outputs += width * height * width_
            channels, height, width_ = width, height // 2, width_ // 2
        return cls(operations, outputs)


class Use(NamedTuple):
    """So many calls of a kernel with one shape."""

    kernel: Kernel
    shape: Batch
    calls: int


def stack(network: Convolutions, batch: int, device: str, device_bytes: int | None) -> int:
    """How many networks to train at once: as many as keep the processor busy, fit, and may be lost together.

    It depends on the machine but not on what else runs there, so that a job repeated has the same stacks. On a CPU
    only the smallest gain: maps of several networks miss the cache, and only one alone takes its batch in slices. On a
    GPU activations in float32 have to fit: of every block the output of the convolution, the norm and the ReLU, the
    pooled one, and two gradients.

    Args:
        network: each network's.
        batch: images of a step.
        device: kind of the device, for instance "cpu" or "cuda".
        device_bytes: its memory; None for a CPU.
    """
    # the backward pass takes twice the operations of the forward pass
    wanted = min(math.ceil(_BUSY.get(device, 0) / (3 * batch * network.operations)), _MOST)
    if device_bytes is not None:
        wanted = min(wanted, int(device_bytes / _GPU_SHARE / (4 * _ALIVE * batch * network.outputs)))
    return max(1, wanted)


def sliced(network: Convolutions, norm: str, shape: Batch, device: str, program: str = "gradient") -> Batch:
    """The shape of the programs for steps of a shape: on a CPU one student takes a batch in equal slices, or whole.

    The maps of a slice are smaller than what such processors have for a cache of all cores (32 MB and more), and large
    enough that what does not depend on the batch costs little. At width 128 on 32 x 32 pixels a gradient took
    least per image at 16 and an adjoint at 32 (2.30 and 5.89 ms; at 64, 2.49 and 6.94), measured while norms still read
    maps twice. Norms over the whole batch need the whole batch, but not in tests.
    """
    students, batch = shape
    most = max(1, _SLICE // network.outputs)
    whole = norm == "batch" and program != "logits"
    if students > 1 or batch <= most or whole or device != "cpu":
        return shape
    return students, max((size for size in range(-(-most // _THIN), most + 1) if batch % size == 0), default=batch)


def worth_compiling(
    network: Convolutions, uses: Iterable[Use], device: str, stored: Callable[[str, Batch], bool] = lambda *_: False
) -> frozenset[Batch]:
    """The shapes that save more than compiling costs, and those whose programs are all `stored` already.

    What an operation and a call save was measured once and for all machines; an error of a factor of two costs seconds.
    """
    wanted: dict[Batch, dict[Kernel, int]] = defaultdict(lambda: defaultdict(int))
    for use in uses:
        wanted[use.shape][use.kernel] += use.calls

    def costs(shape: Batch, kernels: Collection[Kernel]) -> float:
        # whether steps will be kept is decided after the kernels are: the cheaper way may turn out not to be taken
        ways = [PROGRAMS] if "adjoint" not in kernels else [PROGRAMS, {**PROGRAMS, "adjoint": KEEPING}]
        wanted = [frozenset[str]().union(*(way[kernel] for kernel in kernels)) for way in ways]
        return COMPILING * min(sum(not stored(program, shape) for program in programs) for programs in wanted)

    return frozenset(
        shape for shape, calls in wanted.items() if _saved(network, shape, calls, device) > costs(shape, calls)
    )


def kept_steps(memory: Literal["auto", "keep", "recompute"], steps: int, path: int, each: int, free: int) -> int:
    """How many of a segment's student steps keep what their adjoints need.

    Args:
        memory: the recipe's wish.
        steps: of the segment.
        path: bytes of its parameter vectors.
        each: bytes that a step keeps.
        free: bytes of memory that could be taken.
    """
    match memory:
        case "keep":
            return steps
        case "recompute":
            return 0
        case "auto":
            return min(steps, max(0, free // _SHARE - path) // each)


def _saved(network: Convolutions, shape: Batch, calls: Mapping[Kernel, int], device: str) -> float:
    """Seconds."""
    students, batch = shape
    work = network.operations * students * batch * _SLOWER[device]
    return sum(count * (_PASSES[kernel] * work + _CALL[kernel] * students) for kernel, count in calls.items())
