"""Methods whose labels are the targets of a regression, learned or in closed form."""

from __future__ import annotations

from typing import Final

from core.methods.task import Presets, Settings, Task, augment, evaluation, network, preset, tiny
from core.recipe import Generated, Meta, NoObjective, Recipe, Regression, Schedule, Solved, Spanning, Targets

__all__ = ["frepo", "linear_exact", "mgdd"]

OF_PICTURES: Final = frozenset({"mgdd"})
"""Methods that mean nothing for vectors and series."""


def frepo(task: Task) -> Recipe:
    """Neural feature regression with pooling.

    Images and real-valued labels on which kernel ridge regression, on features of a pool of networks of all ages,
    answers real images. The networks are trained on the synthetic set meanwhile, one step at a time, and nothing is
    differentiated through their training: a step costs no more than one of distribution matching.

    Family: regression
    Equation: min_{X_s, Y_s} E_theta 1/2 || K_ts (K_ss + lam I)^-1 Y_s - Y_t ||^2, K of the features of theta, which is
        drawn from the pool
    Citation: Zhou, Nezhadarya & Ba, "Dataset Distillation using Neural Feature Regression", NeurIPS 2022 (FRePo)
    Published: CIFAR-10: 46.8 / 65.5 / 71.7 % at ipc 1 / 10 / 50, as a later paper reports it, with another optimiser
        (LAMB; here Adam), up to 500,000 steps, ZCA and a network whose width doubles from block to block
    Use: for good accuracy at ipc 1 to 50 without experts, and labels that say more than a class.
    Avoid: where cross-entropy is what will be trained by: the labels are targets for squared error.
    """
    steps, image_lr, lr = (10_000, 1e-3, 1e-3) if task.kind == "pictures" else (300, 0.05, 0.02)  # of numbers ours
    return preset(
        PRESETS["frepo"],
        task,
        Recipe(
            augment=augment(task),
            network=network(task),
            labels=Targets(lr=lr),
            objective=Regression(),
            schedule=Schedule(steps=steps, image_lr=image_lr, image_momentum=0.9, optimiser="adam", decay="cosine"),
            evaluation=evaluation(task, lr=_rate(task)),
        ),
    )


def linear_exact(task: Task) -> Recipe:
    """Exact distillation for a linear classifier.

    One image a class and real-valued labels from which ridge regression on the pixels returns the very classifier it
    learns from the full training set. Real images are changed as little as that takes, the less the more there are.
    Linear algebra in place of optimisation. It is about linear classifiers on pixels
    alone; the report also says what networks make of the set.

    Family: regression
    Equation: Phi_S = X - Q Q^T X (I - P), Y_S = (Phi_S Phi_S^T + lam I) pinv(Phi_S^T) W_T, with P the projection on the
        columns of W_T = (F^T F + lam_T I)^-1 F^T Y, and Q a basis of the combinations of the images X that come nearest
        to them
    Citation: derived here; that one point a class is enough for ridge regression is also the conclusion of "Provable
        and Efficient Dataset Distillation for Kernel Ridge Regression", NeurIPS 2024 (read as an abstract only)
    Published: none for this construction; rank(W_T) points are the least there can be, K - 1 for K classes
    Use: to hand on a linear model on pixels as a dataset, and as an exact line to hold other methods against.
    Avoid: to train networks, for which nothing is promised: take `frepo`, `mtt` or `dm`.
    """
    return preset(
        PRESETS["linear-exact"],
        task,
        Recipe(
            augment=augment(task),
            network=network(task),
            init=Spanning(),
            labels=Solved(features="pixels"),
            objective=NoObjective(),
            schedule=Schedule(steps=0),
            evaluation=evaluation(task, lr=_rate(task)),
        ),
    )


def mgdd(task: Task) -> Recipe:
    """A meta generator, adapted once and good for any size.

    Means of clusters of real images pass through a generator that starts as the identity, is meta-trained on subsets of
    classes and adapted to the dataset; labels are solved in closed form. The first job on a dataset adapts it. Any
    later one, of whatever ipc and seed, is a forward pass and a linear solve: seconds.

    Family: regression
    Equation: X_s = G_w(X_0), Y_s = argmin_Y sum_theta || K_ts (K_ss + lam I)^-1 Y - Y_t ||^2 + eps || Y - Y_0 ||^2,
        G_w(x) = x + R_w(x), R_w = 0 at first
    Citation: Liu & Wang, "MGDD: A Meta Generator for Fast Dataset Distillation", NeurIPS 2023: reconstructed from its
        abstract. Architecture, meta-objective (here Reptile) and settings are ours
    Published: 22 times as fast as the methods it is on par with, by its abstract; not measured here in that setting
    Use: where many sizes of one dataset are wanted, or an answer in seconds: on digits, at one image a class, it was as
        good as 400 steps of `frepo` in a nineteenth of their time. With init.source, to start from a generator that
        `python -m worker.engine.meta` trained on a larger dataset.
    Avoid: for the best accuracy at one size: `frepo` optimises the images themselves. Compare with {"init.meta": null,
        "init.steps": 0}, the same labels on means that no generator saw: on a twelfth of Fashion-MNIST the generator
        was worth 3.7 points more at ipc 1, and 2.0 at 10, where labels solved for random images were still better.
    """
    # Means beat random images in ridge regressions of width 32 on validation (three draws, no generator): on a twelfth
    # of Fashion-MNIST 72.4 to 63.5 % at ipc 1, 83.9 to 83.3 at 10, 85.1 to 83.9 at 50; on a tenth of CIFAR-10 27.8 to
    # 22.2 at ipc 1, but 28.3 to 29.7 at 10 and 27.2 to 28.0 at 50. Networks trained on them agree at ipc 1 (64.9 to
    # 60.5 on Fashion-MNIST, five draws, on test), and not at 10 (73.4 to 77.5).
    quick = {"meta": Meta(tasks=20), "steps": 200, "lr": 1e-3, "real_batch": 1000} if tiny(task) else {}
    return preset(
        PRESETS["mgdd"],
        task,
        Recipe(
            augment=augment(task),
            network=network(task),
            init=Generated.model_validate({"given": "means"} | quick),
            labels=Solved(support=2048),
            objective=NoObjective(),
            schedule=Schedule(steps=0),
            evaluation=evaluation(task, lr=_rate(task)),
        ),
    )


def _rate(task: Task) -> float:
    """The rate of networks that learn targets by squared error: in proportion to the classes, where those are few.

    Of two classes, 28x28, networks that ended near chance at a rate of 0.01 are 15 points better at 0.002; of tiny
    images they were worse (benchmarks/RESULTS.md, "Three more datasets in the same minute").
    """
    return 0.01 if tiny(task) else 0.01 * min(1.0, task.classes / 10)


_DIGITS: Settings = {
    ("digits", 1): {
        "objective.real_batch": 256,
        "objective.ridge": 1e-2,
        "labels.lr": 0.02,
        "schedule.steps": 400,
        "schedule.image_lr": 0.05,
    }
}

# Nothing of the linear method is to be tuned; the generator's settings for tiny images are ours, made for digits.
PRESETS: Presets = {"frepo": _DIGITS, "linear-exact": {("digits", 1): {}}, "mgdd": {("digits", 10): {}}}
