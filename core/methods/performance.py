"""Methods that lower the loss of a student trained on the synthetic set, through its training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from core.methods.task import Presets, Settings, Task, augment, evaluation, network, preset
from core.overrides import override
from core.recipe import Performance, Recipe, Schedule, StepSize

__all__ = ["at_bptt", "bptt", "rat_bptt"]


def bptt(task: Task) -> Recipe:
    """Back-propagation through time.

    Synthetic images and a step size with which a fresh student, trained for T steps, does well on real data: the first
    formulation of dataset distillation, with the exact gradient through all T steps.

    Family: performance
    Equation: min_{S, eta} E_{theta_0} l(theta_T; T), theta_{i+1} = theta_i - eta grad l(theta_i; A_w(S))
    Citation: Wang, Zhu, Torralba & Efros, "Dataset Distillation", arXiv 1811.10959, 2018
    Published: CIFAR-10: 36.8 % at ipc 10, random initialisations (RECALLED, UNVERIFIED)
    Use: to know what truncation costs, or with few student steps.
    Avoid: with many student steps, whose gradient is noisy: take `rat-bptt`.
    """
    return preset(
        PRESETS["bptt"],
        task,
        Recipe(
            augment=augment(task),
            network=network(task),
            objective=Performance(syn_steps=60, momentum=0.9, real_batch=1000),
            step_size=StepSize(initial=0.01, lr=1e-5),
            schedule=Schedule(steps=10_000, image_lr=1e-3, image_momentum=0.9, optimiser="adam", clip=2.0),
            evaluation=evaluation(task, lr=None),
        ),
    )


def rat_bptt(task: Task) -> Recipe:
    """Random truncated back-propagation through time.

    A fresh student is judged on real data after a random number of steps, and the gradient goes through the last W of
    them only. Windows at random places cover a long training at the price of a short one, with less noise.

    Family: performance
    Equation: as `bptt`, with l(theta_n; T), n ~ U[W, T], and theta_{n-W} held constant
    Citation: Feng, Vedantam & Kempe, "Embarrassingly Simple Dataset Distillation", ICLR 2024
    Published: CIFAR-10, ConvNet-3 with ZCA: 53.2 / 69.4 / 75.3 % at ipc 1 / 10 / 50, students trained by Adam (here by
        SGD with momentum and a learned step size)
    Use: for the best accuracy at ipc 1 to 50, when there is time and no wish to train experts.
    Avoid: at large ipc, where students need more steps than a window reaches.
    """
    recipe = override(bptt(task), {"objective.syn_steps": 200, "objective.window": 60, "objective.end": "random"})
    if task.kind != "pictures":
        recipe = override(recipe, _OF_NUMBERS)
    return preset(PRESETS["rat-bptt"], task, recipe)


def at_bptt(task: Task) -> Recipe:
    """Back-propagation through time with an adaptive window.

    As RaT-BPTT, but where the window ends follows the student's gradients: at first steps with large ones are likely,
    in the middle all are alike, at last those with small ones. In the spirit of AT-BPTT, reconstructed from its
    abstract and figures: without its adaptive window size and its low-rank Hessian.

    Family: performance
    Equation: as `rat-bptt`, with P(n) proportional to exp(b z_n), z_n the standardised norm of the student's n-th
        gradient, b from 1 to -1 over the outer steps
    Citation: Li, Gou, Zhang, Liang, Xie, Ouyang & Qin, "Beyond Random: Automatic Inner-loop Optimization in Dataset
        Distillation", NeurIPS 2025
    Published: CIFAR-10, ConvNet-3: 54.4 / 72.4 / 78.7 % at ipc 1 / 10 / 50 (of the complete method)
    Use: to compare with `rat-bptt`; the student's whole training is run ahead of every window.
    Avoid: to reproduce the paper's numbers.
    """
    return preset(PRESETS["at-bptt"], task, override(rat_bptt(task), {"objective.end": "adaptive"}))


_OF_NUMBERS: Final[Mapping[str, Any]] = {
    "objective.syn_steps": 20,
    "objective.window": 6,
    "objective.real_batch": 256,
    "step_size.initial": 0.03,
    "schedule.steps": 100,
    "schedule.image_lr": 0.03,
}
"""The settings for rows and series, which are ours (`benchmarks/numbers.py`)."""


def _digits(task_steps: int, window: int | None) -> dict[str, int | float | None]:
    return {
        "objective.syn_steps": task_steps,
        "objective.window": window,
        "objective.real_batch": 200,
        "step_size.initial": 0.02,
        "schedule.steps": 150,
        "schedule.image_lr": 0.03,
    }


# RaT-BPTT: the released commands, with their students' SGD instead of Adam. The real batch of 5,000 is theirs for
# CIFAR; the window of CIFAR-100 at ipc 1 ends at 90 to 130. Digits: ours.
_RAT: Settings = {
    ("digits", 1): _digits(20, 8),
    ("cifar10", 10): {"schedule.steps": 60_000, "objective.real_batch": 5000, "preprocess.kind": "zca"},
    ("cifar100", 1): {
        "objective.syn_steps": 130,
        "objective.window": 90,
        "objective.real_batch": 5000,
        "schedule.image_lr": 3e-4,
        "schedule.steps": 60_000,
        "preprocess.kind": "zca",
        "labels.kind": "learnable",
        "labels.lr": 3e-4,
    },
    ("cifar100", 10): {
        "objective.syn_steps": 300,
        "objective.window": 100,
        "objective.batch_size": 100,
        "objective.real_batch": 5000,
        "schedule.steps": 60_000,
        "preprocess.kind": "zca",
        "labels.kind": "learnable",
        "labels.lr": 1e-3,
    },
}

PRESETS: Presets = {"bptt": {("digits", 1): _digits(10, None)}, "rat-bptt": _RAT, "at-bptt": {}}
