"""The objectives: each says what the synthetic images are asked to match."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from core.recipe.balance import Balance
from core.recipe.component import Component, invalid_combination, or_auto
from core.recipe.diffusion import Generative
from core.recipe.pairing import Paired
from core.recipe.regression import Regression
from core.recipe.statistics import Statistics
from core.recipe.traits import ObjectiveTraits
from core.recipe.two_layer import TwoLayer


class Growth(Component):
    """A window of start epochs that grows with the outer steps: easy, early segments first. Guo et al. 2024 (DATM).

    Reconstructed from the authors' code: at outer step i segments start before
    min(start + int((max_start_epoch - start) * i / steps), max_start_epoch).
    """

    start: int = Field(default=1, ge=1, le=1000, description="Segments of the first step start before this epoch.")
    steps: int = Field(default=1000, ge=1, le=1_000_000, description="Outer steps until max_start_epoch is reached.")


class Trajectory(ObjectiveTraits):
    """Match `syn_steps` student steps on the synthetic set to `expert_epochs` of an expert's training on real data.

    The start epoch is uniform on [`min_start_epoch`, `max_start_epoch`). Cazenavette et al. 2022, equation 2.

    `select="closest"` ends a segment after the step that came closest to the target in L1, the last of equally close
    ones (ATT); the loss and its gradient are those of the shorter segment. `gradient="tesla"` leaves out how a step
    changes the gradients of later ones, as the released code of TESLA does: a biased gradient, exact for one step
    alone, whose error grows with the step size and the number of steps. It is there to reproduce that code and saves
    neither time nor memory over the exact one.

    An "auto" `max_start_epoch` is chosen by a probe before distilling (`core.recipe.search`).
    """

    kind: Literal["trajectory"] = "trajectory"
    reads_experts: ClassVar[bool] = True
    unrolls: ClassVar[bool] = True
    matches_gradients: ClassVar[bool] = True
    label_gradient: ClassVar[bool] = True
    syn_steps: int = Field(default=30, ge=1, le=1000, description="Student steps N.")
    expert_epochs: int = Field(default=2, ge=1, le=100, description="Expert epochs M the student must cover.")
    min_start_epoch: int = Field(default=0, ge=0, le=1000, description="First epoch a segment may start from.")
    max_start_epoch: Annotated[
        Annotated[int, Field(ge=1, le=1000)] | Literal["auto"], or_auto("a whole number between 1 and 1000")
    ] = Field(default=20, description="Segments start before this epoch (T+); auto lets a probe choose it.")
    batch_size: int | None = Field(
        default=None, ge=1, description="Synthetic images in a student step; none takes the whole set."
    )
    momentum: float = Field(default=0.0, ge=0, lt=1, description="The student's momentum.")
    select: Literal["last", "closest"] = Field(
        default="last", description="The student's step that is compared: the last, or the closest to the target (ATT)."
    )
    gradient: Literal["exact", "tesla"] = Field(
        default="exact", description="Exact, or truncated as in TESLA's released code (biased; to reproduce it)."
    )
    growth: Growth | None = Field(
        default=None, description="How the window of start epochs grows (DATM); none has it whole from the first step."
    )

    @model_validator(mode="after")
    def _window_is_not_empty(self) -> Self:
        if self.max_start_epoch != "auto" and self.min_start_epoch >= self.max_start_epoch:
            raise invalid_combination(
                "max_start_epoch",
                f"No epoch lies in [{self.min_start_epoch}, {self.max_start_epoch}).",
                f"Set objective.max_start_epoch to at least {self.min_start_epoch + 1}.",
            )
        most = 1000 if self.max_start_epoch == "auto" else self.max_start_epoch
        if self.growth and not self.min_start_epoch < self.growth.start <= most:
            raise invalid_combination(
                "growth.start",
                f"A window that grows from epoch {self.growth.start} does not lie in ({self.min_start_epoch}, {most}].",
                f"Set objective.growth.start to between {self.min_start_epoch + 1} and {most}.",
            )
        return self

    @property
    def last_start_epoch(self) -> int:
        """The last epoch a segment may start from."""
        assert self.max_start_epoch != "auto", "a probe has put a number in its place"
        return self.max_start_epoch - 1


class Distribution(ObjectiveTraits):
    """Match the mean embedding of each class under freshly initialised networks. Zhao & Bilen 2023, equation 6."""

    kind: Literal["distribution"] = "distribution"
    real_batch: int = Field(default=256, ge=1, le=65_536, description="Real images a class and step.")


class Gradient(ObjectiveTraits):
    """Match, class by class, the gradient that synthetic images give a network to the one that real images give it.

    A fresh network is matched `outer_loops` times, once an outer step, and trained for `inner_loops` epochs between
    two matches: on the synthetic images (Zhao, Mopuri & Bilen 2021, algorithm 1) or on real ones (Kim et al. 2022).
    """

    kind: Literal["gradient"] = "gradient"
    matches_gradients: ClassVar[bool] = True
    label_gradient: ClassVar[bool] = True
    distance: Literal["cosine", "mse", "l1"] = Field(
        default="cosine",
        description="1 - cosine by output, over all weights; or squares or moduli, over the convolutions only.",
    )
    real_batch: int = Field(default=256, ge=1, le=65_536, description="Real images a class and match.")
    syn_batch: int | None = Field(
        default=None, ge=1, description="Synthetic images a class and match; none takes all of the class."
    )
    outer_loops: int = Field(default=1, ge=1, le=10_000, description="Matches of a network before the next one.")
    inner_loops: int = Field(default=1, ge=1, le=10_000, description="Epochs of training between two of its matches.")
    inner: Literal["synthetic", "real"] = Field(default="synthetic", description="What it is trained on.")
    inner_images: int | None = Field(
        default=None, ge=1, description="Real images of such an epoch; none takes the whole training split."
    )
    student_lr: float = Field(default=0.01, gt=0, le=10, description="Its learning rate.")
    student_batch: int = Field(default=256, ge=1, le=65_536, description="Images of a step of its training.")
    student_momentum: float = Field(
        default=0.0, ge=0, lt=1, description="Momentum of its training, at rest after each match."
    )
    student_weight_decay: float = Field(default=0.0, ge=0, le=1, description="L2 penalty of its training.")

    @model_validator(mode="after")
    def _training_is_between_matches(self) -> Self:
        if self.inner == "real" and self.outer_loops == 1:
            raise invalid_combination(
                "inner",
                "A network that is matched once is never trained.",
                "Set objective.outer_loops to at least 2, or objective.inner to 'synthetic'.",
            )
        if self.inner_images is not None and self.inner != "real":
            raise invalid_combination(
                "inner_images",
                "A network trained on the synthetic images sees no real ones between its matches.",
                "Set objective.inner_images to null, or objective.inner to 'real'.",
            )
        return self


class Performance(ObjectiveTraits):
    """Lower the loss on real data of a fresh student that was trained on the synthetic set, by back-propagation.

    The gradient goes through the last `window` steps before the end point and no further (truncated back-propagation
    through time); the steps before it are taken as they are. `end` says where the end point lies: at the last of
    `syn_steps`, uniformly drawn from [window, syn_steps] (RaT-BPTT, Feng et al. 2024), or drawn in proportion to
    exp(b z), z being the standardised norms of the student's gradients and b going from 1 to -1 over the outer steps:
    restless steps first, calm ones last. "adaptive" is in the spirit of AT-BPTT (Li et al. 2025), reconstructed from
    its abstract and figures; its adaptive window size and low-rank Hessian are left out.
    """

    kind: Literal["performance"] = "performance"
    unrolls: ClassVar[bool] = True
    label_gradient: ClassVar[bool] = True
    syn_steps: int = Field(default=60, ge=1, le=1000, description="Student steps T.")
    window: int | None = Field(
        default=None, ge=1, le=1000, description="Steps W that the gradient goes through; none goes through all."
    )
    end: Literal["last", "random", "adaptive"] = Field(
        default="last", description="Where the student is judged: after the last step, or after one that is drawn."
    )
    batch_size: int | None = Field(
        default=None, ge=1, description="Synthetic images in a student step; none takes the whole set."
    )
    momentum: float = Field(default=0.0, ge=0, lt=1, description="The student's momentum.")
    real_batch: int = Field(default=1000, ge=1, le=65_536, description="Real images the student is judged on.")
    balance: Balance = Field(
        default="none", description="Real images as there are, as many of each class, or each class of equal weight."
    )

    @property
    def is_paced(self) -> bool:
        """Whether an outer step depends on how many there will be: the end point moves over all of them."""
        return self.end == "adaptive"

    @model_validator(mode="after")
    def _window_fits(self) -> Self:
        if self.window is not None and self.window > self.syn_steps:
            raise invalid_combination(
                "window",
                f"A window of {self.window} steps does not fit into {self.syn_steps}.",
                f"Set objective.window to at most {self.syn_steps}, or to null.",
            )
        if self.end != "last" and (self.window is None or self.window == self.syn_steps):
            raise invalid_combination(
                "end",
                "A window over all steps has one place only.",
                "Set objective.end to 'last'"
                + (f", or objective.window to less than {self.syn_steps}." if self.syn_steps > 1 else "."),
            )
        return self


class NoObjective(ObjectiveTraits):
    """No objective: the initial images are the result. Selection is initialisation with zero steps."""

    kind: Literal["nothing"] = "nothing"
    optimises_images: ClassVar[bool] = False
    keeps_images: ClassVar[bool] = True


class Sdc(Component):
    """Sample difficulty correction: weight(i) * ||g||_2 is added to the loss, g the gradient in a student's parameters.

    Easy images have small gradients; the penalty keeps a matching objective from drifting to hard ones, which helps at
    small ipc if anywhere. "log" lets the weight grow from 0 at the first outer step to `weight` at the last, as
    ln(1 + i) / ln(steps). With trajectories `steps` says which gradients: the first student step's, the last's, or
    the mean norm over all steps that are compared. Reconstructed from the abstract of arXiv 2408.12483; every value of
    the weight, the shape of the schedule and the choice of steps are UNVERIFIED. With a learned step size the objective
    can undo the penalty: watch both curves.
    """

    weight: float = Field(default=0.002, ge=0, le=1e6, description="Weight of the gradient's norm in the loss.")
    schedule: Literal["constant", "log"] = Field(default="constant", description="The weight over the outer steps.")
    steps: Literal["first", "last", "mean"] = Field(
        default="mean", description="The student steps whose gradients count (trajectories)."
    )


Objective = Annotated[
    Trajectory
    | Distribution
    | Gradient
    | Performance
    | Statistics
    | Paired
    | Regression
    | Generative
    | TwoLayer
    | NoObjective,
    Field(discriminator="kind"),
]
