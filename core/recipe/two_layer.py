"""A regression memory for two-layer networks: a few points and as many labels as units, in the place of a data set."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from core.recipe.traits import ObjectiveTraits


class TwoLayer(ObjectiveTraits):
    """Points that a gradient step at initialisation draws into the subspace that matters, and labels by their effect.

    Phase 1 distils `ipc` points by one gradient-matching step against the real data, with a weight decay that erases
    the random points it starts from. In each further round the gradients are those of the network that a student has
    become by its step on the points so far. Phase 2 distils one label a hidden unit, of inputs that are mixed from the
    points by a seed: the labels after which `students` networks of different seeds are best on real data, in closed
    form. Inspired by Kinoshita, Nishikawa & Toyoizumi 2026, of whose algorithm nothing but the abstract was to be had.
    """

    kind: Literal["two_layer"] = "two_layer"
    optimises_images: ClassVar[bool] = False
    width: int = Field(default=384, ge=8, le=4096, multiple_of=2, description="Hidden units L of a student.")
    rounds: int = Field(default=1, ge=1, le=8, description="Times that phase 1 is done; more than 1 is progressive.")
    clip: float = Field(
        default=3.0, gt=0, le=1e6, description="Largest target that gradients see, in the targets' standard deviations."
    )
    students: int = Field(default=8, ge=1, le=64, description="Networks that the labels are matched for.")
    samples: int = Field(
        default=16_384, ge=1024, le=1_000_000, description="Real samples that second layers are solved on."
    )
    ridge: float = Field(default=1e-4, gt=0, le=1, description="Weight of a second layer's squares, of their mean.")
    bias: float = Field(default=2.0, gt=0, le=10, description="Biases are uniform from minus this to this.")
