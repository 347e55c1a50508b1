"""The variables that are optimised, and where they start: images, labels and the student's step size."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from core.recipe.component import Component
from core.recipe.regression import Generated, Solved, Spanning, Targets
from core.recipe.selection import BetaDraw, Herding, KCenter, KMeans, Ranked, Window
from core.recipe.traits import InitTraits, LabelTraits


class Real(InitTraits):
    """Start from real training images of each class, drawn at random."""

    kind: Literal["real"] = "real"


class Noise(InitTraits):
    """Start from Gaussian noise in the preprocessed space (about six points worse for MTT at ipc 10)."""

    kind: Literal["noise"] = "noise"
    is_noise: ClassVar[bool] = True
    std: float = Field(default=1.0, gt=0, le=10, description="Standard deviation of the noise.")


class Correct(InitTraits):
    """Start from random real images that an expert classifies correctly at the end of its training (DATM).

    Guo et al. 2024: images that experts get wrong have little to give to a trajectory. An expert is asked first and
    the next ones about what it leaves; where none is right often enough, any real images fill up.
    """

    kind: Literal["correct"] = "correct"
    needs_experts: ClassVar[bool] = True


class Mixed(InitTraits):
    """Start from random real images made small, one in each tile. Kim et al. 2022 (IDC)."""

    kind: Literal["mixed"] = "mixed"
    tiles_images: ClassVar[bool] = True


class Crops(InitTraits):
    """Start from the parts of real images that a teacher recognises best: RDED (Sun et al., CVPR 2024).

    Of `candidates` random images of a class `crops` random square parts each are enlarged; the one with the least loss
    stands for its image, and those with the least loss of all are taken, factor^2 of them tiled into one.
    """

    kind: Literal["crops"] = "crops"
    alters_images: ClassVar[bool] = True
    needs_teacher: ClassVar[bool] = True
    tiles_images: ClassVar[bool] = True
    candidates: int = Field(default=300, ge=1, le=1_000_000, description="Real images of a class that are looked at.")
    crops: int = Field(default=5, ge=1, le=1000, description="Parts of each that are tried.")
    smallest: float = Field(default=0.5, gt=0, le=1, description="Smallest share of the area that a part has.")
    factor: int = Field(default=1, ge=1, le=8, description="Parts along each side of an image.")


Init = Annotated[
    Real
    | Noise
    | Mixed
    | Crops
    | Herding
    | KCenter
    | KMeans
    | Ranked
    | BetaDraw
    | Window
    | Correct
    | Spanning
    | Generated,
    Field(discriminator="kind"),
]


class Pixels(Component):
    """The pixels of the synthetic images are variables: of all of them, or of the first share of each class.

    Partial update, the alpha of SelMatch (Lee & Chung, ICML 2024): of a class's ipc images the first
    int(update * ipc) are optimised, and the others stay, bit for bit, what the init gave. Images of a window of
    difficulty lie easiest first, so that the harder part stays real. Student steps see both parts. With 0 only the
    step size learns.
    """

    kind: Literal["pixels"] = "pixels"
    update: float = Field(
        default=1.0, ge=0, le=1, description="Share of each class's images that is optimised; the rest stays real."
    )

    factor: ClassVar[int] = 1
    """Tiles along each side of a stored image: it is one itself."""

    @property
    def formation(self) -> int:
        """Training images of a stored one."""
        return 1

    def optimised(self, ipc: int) -> int:
        """How many of a class's images are: the first ones."""
        return math.floor(self.update * ipc + 1e-9)  # 0.29 * 100 is no 28


class Tiles(Component):
    """The tiles of a stored image are variables, and each of them, enlarged, is a training image.

    Kim et al. 2022 (IDC): an image is cut into factor^2 tiles and each is enlarged to its size, so that as many pixels
    hold factor^2 times as many images, of less detail. The result and its artifact hold the training images.
    """

    kind: Literal["tiles"] = "tiles"
    factor: int = Field(default=2, ge=2, le=8, description="Tiles along each side of a stored image.")

    @property
    def formation(self) -> int:
        """Training images of a stored one."""
        return self.factor**2

    @property
    def update(self) -> float:
        """The share of each class's images that is optimised: all of them."""
        return 1.0

    def optimised(self, ipc: int) -> int:
        """The number of a class's images that are optimised: all of them."""
        return ipc


Parameterize = Annotated[Pixels | Tiles, Field(discriminator="kind")]


class Hard(LabelTraits):
    """One class index an image, fixed."""

    kind: Literal["hard"] = "hard"


class Learnable(LabelTraits):
    """Label logits, optimised with the images and read through a softmax.

    They start as `confidence` x one-hot or, as in DATM, as the mean logits of the experts that are right about the
    image at the end of their training (`confidence` x one-hot where none is).
    """

    kind: Literal["learnable"] = "learnable"
    learned: ClassVar[bool] = True
    start: Literal["confidence", "experts"] = Field(
        default="confidence", description="What the logits start as: one-hot, or what experts say (DATM)."
    )
    confidence: float = Field(
        default=5.0, gt=0, le=50, description="Initial logit of the true class; the others are 0."
    )
    lr: float = Field(default=1.0, ge=0, le=1e6, description="Outer learning rate of the logits.")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Outer momentum of the logits.")

    @property
    def needs_experts(self) -> bool:
        """Whether experts say what the logits start as."""
        return self.start == "experts"


Labels = Annotated[Hard | Learnable | Targets | Solved, Field(discriminator="kind")]


class StepSize(Component):
    """The student's learning rate, learned with the images and kept positive by optimising its logarithm.

    `lr` keeps the papers' meaning (a rate for the step size itself): the engine divides it by `initial`^2, so that both
    parametrisations take the same first step.
    """

    initial: float = Field(default=0.01, gt=0, le=10, description="Step size before the first outer step.")
    lr: float = Field(default=1e-5, ge=0, le=1, description="Outer learning rate of the step size; 0 keeps it fixed.")
    momentum: float = Field(default=0.5, ge=0, lt=1, description="Outer momentum of the step size.")
