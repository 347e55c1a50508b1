"""The labels of the result: kept, or given anew once the images are there."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from core.recipe.component import Later
from core.recipe.traits import RelabelTraits


class KeepLabels(RelabelTraits):
    """Leave the labels as the loop ended with them."""

    kind: Literal["keep"] = "keep"
    needs_teacher: ClassVar[bool] = False

    @property
    def temperature(self) -> float:
        """The temperature of the labels: 1, as they have none."""
        return 1.0


class SoftLabels(RelabelTraits):
    """One label an image: the teacher's softmax of logits / temperature.

    Training on them divides the student's logits by the same temperature.
    """

    kind: Literal["soft"] = "soft"
    temperature: float = Field(default=20.0, gt=0, le=1000, description="Divides teacher's and student's logits.")


class LabelledViews(RelabelTraits):
    """A label for each view: fast knowledge distillation (FKD, Shen & Xing 2022), as SRe2L uses it.

    Of every batch of the evaluation's epochs its order, crops, mirrors and mixing are stored, and the teacher's logits
    of what came of them; the student replays both, and needs no teacher. `keep` stores that share of the batches, of
    which each step draws one (LPLD, Xiao & He 2024); `bits` quantises logits evenly between the lowest and the highest
    of their view. `top_k` stores those of the likeliest classes, as LPQLD does (Xiao & He 2026), which was made for a
    thousand classes; how it fills up the others is not known. Here they share one more logit, by which at this
    temperature all of them together are as likely as they were. What is stored is counted in the report.
    """

    kind: Literal["views"] = "views"
    of_views: ClassVar[bool] = True
    temperature: float = Field(default=20.0, gt=0, le=1000, description="Divides teacher's and student's logits.")
    mix: Literal["none", "mixup", "cutmix"] = Field(
        default="mixup", description="How an image of a batch is mixed with another one of it."
    )
    alpha: float = Field(default=0.8, gt=0, le=100, description="Shares are drawn from Beta(alpha, alpha).")
    keep: float = Field(default=1.0, gt=0, le=1, description="Share of the batches whose labels are stored.")
    bits: Literal[4, 8, 16] = Field(default=16, description="Of a stored logit; 16 is half precision.")
    top_k: Annotated[int | None, Later(neutral=None)] = Field(
        default=None, ge=1, le=1_000_000, description="Classes of a view that have a logit of their own; null: all."
    )

    def own(self, classes: int) -> int | None:
        """Classes that have a logit of their own, where others share one; None if each has its own."""
        return None if self.top_k is None or self.top_k >= classes - 1 else self.top_k

    def logits(self, classes: int) -> int:
        """Logits that are stored of a view."""
        own = self.own(classes)
        return classes if own is None else own + 1

    def stored(self, images: int, epochs: int, batch_size: int) -> tuple[int, int]:
        """Batches that are stored, and images of each: the epochs' orders, one after the other, cut into batches."""
        size = min(batch_size, images)
        return max(1, round(self.keep * sum(replay_steps(images, epochs, size)))), size

    def size(self, images: int, epochs: int, batch_size: int, classes: int) -> int:
        """Bytes of all that is stored, as it is published."""
        records, size = self.stored(images, epochs, batch_size)
        count, own = self.logits(classes), self.own(classes)
        logits = -(-count // 2) if self.bits == 4 else count * self.bits // 8
        logits += 0 if own is None else own * (1 if classes <= 2**8 else 2)
        index = 2 if images <= 2**16 else 4
        view = index + 2 + 1 + logits + (0 if self.bits == 16 else 4)  # image, shift, mirror, logits, their range
        return records * (size * view + 4 + 8)  # share and box of a batch


def replay_steps(images: int, epochs: int, size: int) -> tuple[int, ...]:
    """The steps of each epoch of a student that replays views: the whole batches that begin among its images.

    The orders of all epochs lie end to end and are cut into batches of `size`, at most `images`: a batch may end in
    the next epoch, and only of the last epoch's images some may be left over.
    """
    most = epochs * images // size
    begun = [min(most, -(-epoch * images // size)) for epoch in range(epochs + 1)]
    return tuple(after - before for before, after in pairwise(begun))


Relabel = Annotated[KeepLabels | SoftLabels | LabelledViews, Field(discriminator="kind")]
