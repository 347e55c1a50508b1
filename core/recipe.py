"""The vocabulary of dataset distillation as frozen data; no torch.

A `Recipe` is a handful of choices: how the synthetic images start (`init`), what is optimised (`parameterize`,
`labels`, `step_size`), what they are asked to match (`objective`, with `experts` where it needs them), for how long
(`schedule`), what happens to the labels afterwards (`relabel`) and how the result is judged (`evaluation`).
Each choice is data; the behaviour lives in `core.engine`. A combination that means nothing cannot be constructed:
the error says which field to change, and to what.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with a request: the field's path, what is wrong, and what to do about it."""

    field: str
    message: str
    fix: str


class RecipeError(ValueError):
    """A recipe that cannot be built; `errors` names every field at fault and its fix."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(f"{e.field}: {e.message} {e.fix}" for e in self.errors))


def meaningless(field: str, message: str, fix: str) -> PydanticCustomError:
    """The error a validator raises for a combination that means nothing; `fix` is a sentence for the user."""
    return PydanticCustomError("meaningless", "{message} {fix}", {"field": field, "message": message, "fix": fix})


class Part(BaseModel):
    """Frozen data with no room for a misspelt field."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


# --- what is trained


class Network(Part):
    """ConvNet-D{depth}-W{width}: blocks of 3x3 convolution, norm, ReLU and 2x2 average pooling, then a linear layer.

    The architecture of DC, DSA, DM and MTT (Gidaris & Komodakis 2018). `depth=None` halves the image down to 4x4
    (3 for 32x32, 4 for 64x64).
    """

    width: int = Field(default=128, ge=1, le=1024, description="Channels of every convolution.")
    depth: int | None = Field(default=None, ge=1, le=7, description="Blocks; none halves the image down to 4x4.")
    norm: Literal["instance", "batch", "none"] = Field(default="instance", description="Normalisation in each block.")


class MeanStd(Part):
    """Per-channel standardisation, fitted on the training split."""

    kind: Literal["mean_std"] = "mean_std"


class Zca(Part):
    """ZCA whitening, W = U diag((S + eps)^-1/2) U^T of the pixel covariance, fitted on the training split.

    The MTT line uses eps = 0.1 on images in [0, 1].
    """

    kind: Literal["zca"] = "zca"
    eps: float = Field(default=0.1, gt=0, le=10, description="Added to every eigenvalue of the covariance.")


class Unprocessed(Part):
    """Images in [0, 1], untouched."""

    kind: Literal["none"] = "none"


Preprocess = Annotated[MeanStd | Zca | Unprocessed, Field(discriminator="kind")]

Transform = Literal["color", "crop", "cutout", "flip", "scale", "rotate"]


class Augment(Part):
    """DSA augmentation (Zhao & Bilen 2021): each call draws one of `transforms` and applies it to the whole batch."""

    transforms: tuple[Transform, ...] = Field(
        default=("color", "crop", "cutout", "flip", "scale", "rotate"),
        description="The transforms to draw from; empty switches augmentation off.",
    )

    @model_validator(mode="after")
    def _no_repeats(self) -> Self:
        if len(set(self.transforms)) != len(self.transforms):
            raise meaningless("transforms", "A transform is listed twice.", "List each transform once.")
        return self


# --- what is optimised


class Real(Part):
    """Start from real training images of each class, drawn at random."""

    kind: Literal["real"] = "real"


class Noise(Part):
    """Start from Gaussian noise in the preprocessed space (about six points worse for MTT at ipc 10)."""

    kind: Literal["noise"] = "noise"
    std: float = Field(default=1.0, gt=0, le=10, description="Standard deviation of the noise.")


Init = Annotated[Real | Noise, Field(discriminator="kind")]


class Pixels(Part):
    """Every pixel of every synthetic image is a variable."""

    kind: Literal["pixels"] = "pixels"


class Hard(Part):
    """One class index an image, fixed."""

    kind: Literal["hard"] = "hard"


class Learnable(Part):
    """Label logits, optimised with the images and read through a softmax; they start as `confidence` x one-hot."""

    kind: Literal["learnable"] = "learnable"
    confidence: float = Field(
        default=5.0, gt=0, le=50, description="Initial logit of the true class; the others are 0."
    )
    lr: float = Field(default=1.0, ge=0, le=1e6, description="Outer learning rate of the logits.")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Outer momentum of the logits.")


Labels = Annotated[Hard | Learnable, Field(discriminator="kind")]


class StepSize(Part):
    """The student's learning rate, learned with the images and kept positive by optimising its logarithm.

    `lr` keeps the papers' meaning (a rate for the step size itself): the engine divides it by `initial`^2, so that both
    parametrisations take the same first step.
    """

    initial: float = Field(default=0.01, gt=0, le=10, description="Step size before the first outer step.")
    lr: float = Field(default=1e-5, ge=0, le=1, description="Outer learning rate of the step size; 0 keeps it fixed.")
    momentum: float = Field(default=0.5, ge=0, lt=1, description="Outer momentum of the step size.")


# --- what it is asked to match


class Trajectory(Part):
    """Match `syn_steps` student steps on the synthetic set to `expert_epochs` of an expert's training on real data.

    The start epoch is uniform on [`min_start_epoch`, `max_start_epoch`). Cazenavette et al. 2022, equation 2.
    """

    kind: Literal["trajectory"] = "trajectory"
    syn_steps: int = Field(default=30, ge=1, le=1000, description="Student steps N.")
    expert_epochs: int = Field(default=2, ge=1, le=100, description="Expert epochs M the student must cover.")
    min_start_epoch: int = Field(default=0, ge=0, le=1000, description="First epoch a segment may start from.")
    max_start_epoch: int = Field(default=20, ge=1, le=1000, description="Segments start before this epoch (T+).")
    batch_size: int | None = Field(
        default=None, ge=1, description="Synthetic images in a student step; none takes the whole set."
    )
    momentum: float = Field(default=0.0, ge=0, lt=1, description="The student's momentum.")

    @model_validator(mode="after")
    def _window_is_not_empty(self) -> Self:
        if self.min_start_epoch >= self.max_start_epoch:
            raise meaningless(
                "max_start_epoch",
                f"No epoch lies in [{self.min_start_epoch}, {self.max_start_epoch}).",
                f"Set max_start_epoch to at least {self.min_start_epoch + 1}.",
            )
        return self


class Distribution(Part):
    """Match the mean embedding of each class under freshly initialised networks. Zhao & Bilen 2023, equation 6."""

    kind: Literal["distribution"] = "distribution"
    real_batch: int = Field(default=256, ge=1, le=65_536, description="Real images a class and step.")


class Nothing(Part):
    """No objective: the initial images are the result. Selection is initialisation with zero steps."""

    kind: Literal["nothing"] = "nothing"


Objective = Annotated[Trajectory | Distribution | Nothing, Field(discriminator="kind")]


class Experts(Part):
    """Networks trained on the real data by plain SGD, whose parameters are kept after every epoch that will be read.

    The learning rate is constant, so only the epochs a segment can reach are trained; `epochs` bounds them.
    """

    count: int = Field(default=100, ge=1, le=1000, description="Expert trajectories.")
    epochs: int = Field(default=50, ge=1, le=1000, description="Longest trajectory a segment may ask for.")
    batch_size: int = Field(default=256, ge=1, le=65_536, description="Real images a step.")
    lr: float = Field(default=0.01, gt=0, le=10, description="Learning rate, constant.")
    momentum: float = Field(default=0.0, ge=0, lt=1, description="Momentum.")
    weight_decay: float = Field(default=0.0, ge=0, le=1, description="L2 penalty.")
    augment: bool = Field(default=True, description="Whether experts see augmented images.")


class KeepLabels(Part):
    """Leave the labels as the loop ended with them."""

    kind: Literal["keep"] = "keep"


class Schedule(Part):
    """The outer loop: how many steps, and how the images move."""

    steps: int = Field(default=5000, ge=0, le=1_000_000, description="Outer steps; 0 keeps the initial images.")
    image_lr: float = Field(default=100.0, ge=0, le=1e8, description="Outer learning rate of the images.")
    image_momentum: float = Field(default=0.5, ge=0, lt=1, description="Outer momentum of the images.")
    memory: Literal["auto", "keep", "recompute"] = Field(
        default="auto", description="Of student steps: keep them all, none, or as many as fit."
    )
    skip_above: float | None = Field(
        default=None, gt=0, description="Leave out an outer step whose loss exceeds this (DATM)."
    )


# --- how it is judged


class FullTraining(Part):
    """How the reference on the full training set is trained: SGD, cosine decay, the recipe's augmentation."""

    epochs: int = Field(default=30, ge=1, le=1000, description="Passes over the full training set.")
    batch_size: int = Field(default=256, ge=1, le=65_536, description="Images a step.")
    lr: float = Field(default=0.05, gt=0, le=10, description="Initial learning rate.")


class Evaluation(Part):
    """Fresh networks trained on the synthetic set, tested on the untouched test split.

    SGD with momentum; `schedule="step"` divides the rate by ten after half of the epochs, as the MTT line does. The
    baseline (random real images) is trained under the same protocol with the rate of `baseline_lrs` that is best on
    the validation split.
    """

    seeds: int = Field(default=5, ge=1, le=100, description="Fresh networks, each from its own initialisation.")
    epochs: int = Field(default=1000, ge=1, le=100_000, description="Passes over the synthetic set.")
    batch_size: int = Field(default=256, ge=1, le=65_536, description="Images a step.")
    lr: float | None = Field(default=None, gt=0, le=10, description="Learning rate; none takes the learned step size.")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Momentum.")
    weight_decay: float = Field(default=5e-4, ge=0, le=1, description="L2 penalty.")
    schedule: Literal["step", "cosine", "constant"] = Field(default="step", description="Learning rate over time.")
    augment: bool = Field(default=True, description="Whether the networks see augmented images.")
    baseline_lrs: tuple[Annotated[float, Field(gt=0, le=10)], ...] = Field(
        default=(0.01,),
        min_length=1,
        max_length=8,
        description="Learning rates tried for the random baseline.",
    )
    full: FullTraining | None = Field(
        default=FullTraining(), description="Reference on the full training set; none leaves it out."
    )
    look_every: int | None = Field(
        default=None, ge=1, description="Outer steps between looks at the validation split while distilling."
    )
    select: Literal["last", "best_validation"] = Field(
        default="last",
        description="Which iterate is the result: the last, or the best look on the validation split.",
    )


class Recipe(Part):
    """One way to distil a dataset, completely: with a dataset, an ipc and a seed it determines the result."""

    network: Network = Network()
    preprocess: Preprocess = MeanStd()
    augment: Augment = Augment()
    init: Init = Real()
    parameterize: Pixels = Pixels()
    labels: Labels = Hard()
    step_size: StepSize = StepSize()
    objective: Objective
    experts: Experts | None = None
    schedule: Schedule = Schedule()
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32",
        description="Of the compiled kernels' large products; bfloat16 only where no ReLU depends on it.",
    )
    relabel: KeepLabels = KeepLabels()
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        match self.objective:
            case Nothing():
                self._check_selection()
            case Trajectory():
                self._check_trajectory(self.objective)
            case Distribution():
                self._check_distribution()
        if not isinstance(self.objective, Nothing) and self.schedule.steps == 0:
            raise meaningless(
                "schedule.steps",
                f"Zero steps leave the objective '{self.objective.kind}' unused.",
                "Set schedule.steps to at least 1, or ask for method 'random'.",
            )
        if self.evaluation.lr is None and not isinstance(self.objective, Trajectory):
            raise meaningless(
                "evaluation.lr",
                f"The objective '{self.objective.kind}' learns no step size to evaluate with.",
                "Set evaluation.lr, for instance to 0.01.",
            )
        if self.evaluation.select == "best_validation" and self.evaluation.look_every is None:
            raise meaningless(
                "evaluation.look_every",
                "Selecting on the validation split needs looks at it.",
                "Set evaluation.look_every to a number of outer steps, or evaluation.select to 'last'.",
            )
        return self

    def _check_selection(self) -> None:
        if self.schedule.steps:
            raise meaningless(
                "schedule.steps",
                f"There is nothing to match in {self.schedule.steps} steps.",
                "Set schedule.steps to 0, or give an objective such as 'trajectory'.",
            )
        if isinstance(self.init, Noise):
            raise meaningless(
                "init.kind",
                "Noise that no objective ever improves is not a dataset.",
                "Set init.kind to 'real', or give an objective.",
            )
        if self.evaluation.look_every is not None:
            raise meaningless(
                "evaluation.look_every",
                "Zero outer steps leave nothing to look at in between.",
                "Leave evaluation.look_every out.",
            )
        self._check_labels_are_fixed()
        self._check_no_experts()

    def _check_trajectory(self, objective: Trajectory) -> None:
        if self.experts is None:
            raise meaningless(
                "experts",
                "Trajectories can only be matched to experts.",
                'Give experts, for instance {"count": 20}.',
            )
        reach = objective.max_start_epoch - 1 + objective.expert_epochs
        if reach > self.experts.epochs:
            raise meaningless(
                "experts.epochs",
                f"Segments reach epoch {reach}, but experts stop at {self.experts.epochs}.",
                f"Set experts.epochs to at least {reach}, or lower objective.max_start_epoch.",
            )

    def _check_distribution(self) -> None:
        self._check_labels_are_fixed()
        self._check_no_experts()

    def _check_labels_are_fixed(self) -> None:
        if isinstance(self.labels, Learnable):
            raise meaningless(
                "labels.kind",
                f"The objective '{self.objective.kind}' has no gradient for labels.",
                "Set labels.kind to 'hard', or the objective to 'trajectory'.",
            )

    def _check_no_experts(self) -> None:
        if self.experts is not None:
            raise meaningless(
                "experts",
                f"The objective '{self.objective.kind}' reads no expert trajectories.",
                "Leave experts out.",
            )
