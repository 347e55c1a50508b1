"""The verdict of a machine: by which way a convolution is multiplied out fastest, for each kind of shape.

A worker's calibration measures it; the engine compiles by it, and forecasts price by it. Where there is no verdict the
rule holds that is one for all processors: tiles F(4x4, 3x3).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, final

from pydantic import BaseModel, ConfigDict, Field

from core.plan.packing import padded

Way = Literal["direct", "F(2)", "F(4)", "F(4) by BLAS"]
"""The backend's own convolution, channels-last, or batched products of Winograd's tiles: those of float32 by the
engine's own kernel, or by the BLAS that torch ships."""
Factors = Literal["float32", "bfloat16", "rounded"]
"""Factors of products on whose signs no ReLU depends. `rounded` ones have bfloat16's values, multiplied as float32."""
Precision = Literal["float32", "bfloat16"]
Kind = tuple[int, int, int]
"""A kind of convolution: its channels, the side of its maps in pixels, and how many images there are of them."""

MARGIN: Final = 0.1
"""Share of its time that another way has to save before it is taken."""
FEW: Final = 12
"""Input channels up to which a convolution is one product of patches on a CPU, whatever the verdict."""


@final
class Pick(BaseModel):
    """How one convolution is multiplied out."""

    model_config = ConfigDict(frozen=True)

    forward: Way
    """The products that decide which ReLUs are alive, always of float32."""
    rest: Way
    """All other products."""
    factors: Factors
    """Factors of the latter."""

    def __str__(self) -> str:
        rest = self.rest if self.factors == "float32" else f"{self.rest} {self.factors}"
        return rest if self.forward == rest else f"{self.forward}, then {rest}"


@final
class Finding(BaseModel):
    """The ways of one kind of convolution: `channels` into as many, on `batch` maps of `side` x `side` pixels."""

    model_config = ConfigDict(frozen=True)

    precision: Precision
    channels: int = Field(gt=0)
    side: int = Field(gt=0)
    batch: int = Field(gt=0)
    pick: Pick
    """The chosen one."""
    rule: Pick
    """The one where nobody has measured."""
    seconds: dict[str, float]
    """Seconds of one step's gradient and adjoint, as far as they are this convolution, for each pick by its name."""

    @property
    def gain(self) -> float:
        """The time of the chosen one over the rule's; at most 1."""
        return self.seconds[str(self.pick)] / self.seconds[str(self.rule)]

    def distance(self, channels: int, side: int, batch: int) -> float:
        """Between this kind and another: of the logarithms of channels, sides and pixels of a batch."""
        pairs = ((self.channels, channels), (self.side, side), (self.batch * self.side**2, batch * side**2))
        return sum(math.log(ours / theirs) ** 2 for ours, theirs in pairs)


@final
class Verdict(BaseModel):
    """All findings on one machine; none where nobody has measured."""

    model_config = ConfigDict(frozen=True)

    findings: tuple[Finding, ...] = ()

    def of(self, precision: Precision, channels: int, side: int, batch: int) -> Finding | None:
        """The finding on the most similar kind."""
        same = [finding for finding in self.findings if finding.precision == precision]
        return min(same, key=lambda finding: finding.distance(channels, side, batch), default=None)

    def words(self, precision: Precision, kinds: Iterable[Kind]) -> str:
        """The ways of (channels, side, batch), where they are not the rule's; empty if all are."""
        told = {
            f"{found.pick} for {channels} channels at {side} pixels in batches of {batch}": None
            for channels, side, batch in kinds
            if (found := self.of(precision, channels, side, batch)) and found.pick != found.rule
        }
        return "; ".join(told)


def kinds(shape: tuple[int, int, int], width: int, depth: int, batch: int) -> list[Kind]:
    """Those of a ConvNet on images of `shape` (C, H, W): its last blocks, all that have more than a few channels."""
    channels, height, across = padded(shape)
    side = round(math.sqrt(height * across))
    each = [(width if block else channels, side >> block, batch) for block in range(depth)]
    return [kind for kind in each if kind[0] > FEW]


def relative(verdict: Verdict | None, precision: Precision, kinds: Sequence[Kind]) -> float:
    """Time of convolutions of these kinds in a precision, each as it is chosen, over that by the rule in float32."""
    taken = usual = 0.0
    for channels, side, batch in kinds:
        ours, plain = (verdict.of(each, channels, side, batch) if verdict else None for each in (precision, "float32"))
        if ours is not None and plain is not None:
            operations = channels**2 * side**2 * batch
            taken += operations * ours.seconds[str(ours.pick)] / plain.seconds[str(plain.rule)]
            usual += operations
    return taken / usual if usual else 1.0


def chosen(turns: Sequence[Mapping[Pick, float]], rule: Pick, before: Pick | None = None) -> Pick:
    """The fastest pick, where every turn says that it is faster by a margin than the one `before`, or the rule's.

    Args:
        turns: measurements apart from each other, of the same picks, in seconds.
    """
    kept = rule if before is None or before not in turns[0] else before
    best = min(turns[0], key=lambda pick: sum(turn[pick] for turn in turns))
    return best if all(turn[best] < (1 - MARGIN) * turn[kept] for turn in turns) else kept
