"""The teacher: one network trained on the real data, which images are recovered from and labelled by."""

from __future__ import annotations

from pydantic import Field

from core.recipe.balance import Balance
from core.recipe.component import Component
from core.recipe.network import Architecture, Network


class Teacher(Component):
    """A network trained once on the training split: SGD, cosine decay, images cropped and mirrored as `augment` allows.

    It does not depend on the job's seed, so that jobs share it. Afterwards it stays in evaluation mode: batch norm uses
    the statistics of its training. One that is no better than chance on the validation split is refused. Training it
    much longer makes images harder to recover from it.
    """

    network: Architecture = Field(
        default=Network(norm="batch"), description="Its architecture; matching norms' statistics needs batch norm."
    )
    epochs: int = Field(default=15, ge=1, le=1000, description="Passes over the training split.")
    batch_size: int = Field(default=128, ge=1, le=65_536, description="Images a step.")
    lr: float = Field(default=0.05, gt=0, le=10, description="Initial learning rate.")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Momentum.")
    weight_decay: float = Field(default=5e-4, ge=0, le=1, description="L2 penalty.")
    augment: bool = Field(default=True, description="Whether it sees cropped and mirrored images.")
    balance: Balance = Field(
        default="none", description="Real images as there are, as many of each class, or each class of equal weight."
    )
