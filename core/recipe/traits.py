"""The traits of components: what a choice is to the others, so that these ask it and not its kind.

Each slot of a recipe has a base class with the usual answers; a component overrides those in which it differs. A new
component then states its traits where it is defined, and neither checks nor forecast nor engine list its kind.
"""

from __future__ import annotations

from typing import ClassVar

from core.recipe.component import Component


class ObjectiveTraits(Component):
    """The traits of an objective."""

    optimises_images: ClassVar[bool] = True
    """Outer steps move the images."""
    keeps_images: ClassVar[bool] = False
    """The initial images are the result."""
    draws_images: ClassVar[bool] = False
    """A generator draws them from noise."""
    reads_experts: ClassVar[bool] = False
    """Trajectories of experts are matched."""
    unrolls: ClassVar[bool] = False
    """Student steps are differentiated, and with them their step size."""
    matches_gradients: ClassVar[bool] = False
    """There are gradients of a student whose length SDC can penalise."""
    label_gradient: ClassVar[bool] = False
    """The loss has a gradient for labels."""
    regresses: ClassVar[bool] = False
    """The loss is that of a regression, which takes images of the whole set together."""
    needs_teacher: ClassVar[bool] = False
    """Images are recovered from a teacher."""
    pairs_images: ClassVar[bool] = False
    """Each tile is compared with the real image that it was made of."""

    @property
    def is_paced(self) -> bool:
        """Whether an outer step depends on how many there will be."""
        return False


class InitTraits(Component):
    """The traits of the initial images."""

    is_noise: ClassVar[bool] = False
    """The images show nothing yet."""
    alters_images: ClassVar[bool] = False
    """The images are made of real ones, none of which is left as it was."""
    needs_experts: ClassVar[bool] = False
    """Experts choose the images."""
    needs_teacher: ClassVar[bool] = False
    """A teacher chooses the images."""
    tiles_images: ClassVar[bool] = False
    """Each tile of an image is a real one made small."""


class LabelTraits(Component):
    """The traits of labels. The four kinds differ in two answers: whether they are learned, and what they are."""

    learned: ClassVar[bool] = False
    """Outer steps move the labels."""
    regresses: ClassVar[bool] = False
    """Labels are real-valued targets, which networks learn by squared error; else probabilities."""

    @property
    def needs_experts(self) -> bool:
        """Whether experts say what the labels start as."""
        return False

    @property
    def for_pixels(self) -> bool:
        """Whether the labels are solved for pixels, not for features of networks."""
        return False


class PreprocessTraits(Component):
    """The traits of preprocessing."""

    mixes_pixels: ClassVar[bool] = False
    """A preprocessed pixel depends on the whole image."""


class RelabelTraits(Component):
    """The traits of relabelling."""

    needs_teacher: ClassVar[bool] = True
    """The labels are a teacher's."""
    of_views: ClassVar[bool] = False
    """Each view of an image has labels, which are stored."""


class OptimiserTraits(Component):
    """The traits of an expert's optimiser."""

    gradients: ClassVar[int] = 1
    """Gradients that a step takes."""


class NetworkTraits(Component):
    """The traits of an architecture."""

    compiles: ClassVar[bool] = False
    """Its passes are written out, and can be compiled."""
    convolves: ClassVar[bool] = True
    """It has convolutions."""
