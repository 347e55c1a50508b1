"""Every named method as one Recipe expression. The docstring of a method is its entry in the catalogue.

To add a method: write one function `name(task) -> Recipe` whose docstring has the sections below, and list it in
`__all__`. It is then served by the API, checked by the conformance suite and accepted by every client.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from core.overrides import nearest, override
from core.recipe import (
    Augment,
    Distribution,
    Evaluation,
    Experts,
    FullTraining,
    Network,
    Nothing,
    Recipe,
    Schedule,
    StepSize,
    Trajectory,
    Zca,
)

__all__ = ["dm", "mtt", "random"]


@dataclass(frozen=True)
class Task:
    """What a recipe may depend on: the dataset by name and shape, and the images per class."""

    dataset: str
    ipc: int
    shape: tuple[int, int, int]
    classes: int


@dataclass(frozen=True)
class Method:
    """A method as the catalogue shows it; the text is the function's docstring."""

    name: str
    family: str
    title: str
    summary: str
    equation: str
    citation: str
    published: str
    use: str
    avoid: str
    presets: tuple[tuple[str, int], ...]
    recipe: Callable[[Task], Recipe]


class UnknownMethod(ValueError):
    """No method has this name."""


# --- the methods


def random(task: Task) -> Recipe:
    """Random selection.

    Real training images of each class, drawn at random and left as they are. The line every other method has to beat,
    and the answer when the budget approaches the size of the dataset.

    Family: selection
    Equation: S_c ~ Uniform{subsets of T_c of size ipc}
    Citation: baseline of every paper in the field
    Published: CIFAR-10, ConvNet-3: 14.4 / 26.0 / 43.4 % at ipc 1 / 10 / 50 (reported by Zhao & Bilen 2021)
    Use: as a baseline, for a dry run of a pipeline, or above a third of the dataset.
    Avoid: at small ipc, where every distillation method is far ahead.
    """
    return preset(
        "random",
        task,
        Recipe(
            augment=_augment(task),
            network=_network(task),
            objective=Nothing(),
            schedule=Schedule(steps=0),
            evaluation=_evaluation(task, lr=0.01),
        ),
    )


def dm(task: Task) -> Recipe:
    """Distribution matching.

    Synthetic images whose mean embedding, class by class, equals that of real batches under freshly initialised
    networks. No inner loop, no experts: the cheapest optimised method, and it scales to many images.

    Family: distribution
    Equation: min_S E_{theta, w} sum_c || mean_{x in T_c} psi_theta(A_w(x)) - mean_{s in S_c} psi_theta(A_w(s)) ||^2
    Citation: Zhao & Bilen, "Dataset Condensation with Distribution Matching", WACV 2023
    Published: CIFAR-10, ConvNet-3: 26.0 / 48.9 / 63.0 % at ipc 1 / 10 / 50
    Use: when minutes matter, when experts are too expensive, or at ipc 50 and above.
    Avoid: at ipc 1, where a class mean is a blur.
    """
    return preset(
        "dm",
        task,
        Recipe(
            augment=_augment(task),
            network=_network(task),
            objective=Distribution(real_batch=256),
            schedule=Schedule(steps=20_000, image_lr=1.0 if task.ipc <= 50 else 10.0),
            evaluation=_evaluation(task, lr=0.01),
        ),
    )


def mtt(task: Task) -> Recipe:
    """Matching training trajectories.

    A student trained for N steps on the synthetic images should land where an expert lands after M epochs on the real
    data. The images and the student's step size follow the exact gradient of that distance through all N steps.

    Family: trajectory
    Equation: min_{S, eta} || theta_{t+N} - theta*_{t+M} ||^2 / || theta*_t - theta*_{t+M} ||^2,
        theta_{i+1} = theta_i - eta grad l(theta_i; A_w(S)), theta_t = theta*_t, t ~ U[0, T+)
    Citation: Cazenavette, Wang, Torralba, Efros & Zhu, "Dataset Distillation by Matching Training Trajectories",
        CVPR 2022
    Published: CIFAR-10, ConvNet-3 with ZCA: 46.3 / 65.3 / 71.6 % at ipc 1 / 10 / 50 (best iterate on the test split)
    Use: at ipc 1 to 50, when the student's architecture resembles the one distilled with.
    Avoid: above a few per cent of the dataset, where random selection catches up.
    """
    return preset(
        "mtt",
        task,
        Recipe(
            augment=_augment(task),
            network=_network(task),
            objective=Trajectory(syn_steps=30, expert_epochs=2, max_start_epoch=20),
            step_size=StepSize(initial=0.01, lr=1e-5),
            schedule=Schedule(steps=5000, image_lr=100.0),
            experts=Experts(count=100, epochs=50, lr=0.01, batch_size=256),
            evaluation=_evaluation(task, lr=None),
        ),
    )


# --- what a task decides by itself

_NOT_MIRRORED = {"digits", "mnist", "svhn"}  # a mirrored digit is another sign, not another view


def _tiny(task: Task) -> bool:
    return min(task.shape[1:]) < 16


def _augment(task: Task) -> Augment:
    if _tiny(task):  # half of an 8x8 digit cut out leaves no digit, and its brightness is the pen's
        return Augment(transforms=("crop", "scale", "rotate"))
    if task.dataset in _NOT_MIRRORED:
        return Augment(transforms=("color", "crop", "cutout", "scale", "rotate"))
    return Augment()


def _network(task: Task) -> Network:
    return Network(width=32, depth=2) if _tiny(task) else Network()


def _evaluation(task: Task, lr: float | None) -> Evaluation:
    if _tiny(task):
        return Evaluation(
            lr=lr,
            epochs=300,
            baseline_lrs=(0.003, 0.01, 0.03),
            full=FullTraining(epochs=40, batch_size=64, lr=0.05),
        )
    return Evaluation(lr=lr, full=FullTraining(epochs=30))


# Published settings per (dataset, ipc), and ours where nobody published any (digits, mnist, fashion-mnist).
# MTT: Cazenavette et al. 2022, appendix, as reproduced by DC-BENCH; cifar10 at ipc 10 with the correction of the
# released table (image_lr 1e2, not 1e5).
_PRESETS: Mapping[str, Mapping[tuple[str, int], Mapping[str, Any]]] = {
    "mtt": {
        ("digits", 1): {
            "objective.syn_steps": 20,
            "objective.expert_epochs": 3,
            "objective.max_start_epoch": 10,
            "schedule.steps": 240,
            "schedule.image_lr": 30.0,
            "experts.count": 10,
            "experts.epochs": 20,
            "experts.batch_size": 64,
        },
        ("cifar10", 1): {
            "preprocess": Zca(),
            "objective.syn_steps": 50,
            "objective.max_start_epoch": 2,
            "step_size.lr": 1e-7,
        },
        ("cifar10", 10): {
            "preprocess": Zca(),
            "objective.max_start_epoch": 20,
            "step_size.initial": 0.001,
        },
        ("cifar10", 50): {
            "objective.max_start_epoch": 40,
            "step_size.initial": 0.001,
            "schedule.image_lr": 1000.0,
        },
        ("cifar100", 1): {
            "preprocess": Zca(),
            "objective.syn_steps": 20,
            "objective.expert_epochs": 3,
            "schedule.image_lr": 1000.0,
        },
        ("cifar100", 10): {"objective.syn_steps": 20, "schedule.image_lr": 1000.0},
        ("cifar100", 50): {
            "preprocess": Zca(),
            "objective.syn_steps": 80,
            "objective.max_start_epoch": 40,
            "objective.batch_size": 125,
            "schedule.image_lr": 1000.0,
        },
    },
    "random": {},
    "dm": {("digits", 1): {"schedule.steps": 300}},
}


def preset(method: str, task: Task, recipe: Recipe) -> Recipe:
    """The recipe with the settings published (or measured by us) for this dataset at the nearest ipc, if any."""
    known = {ipc: changes for (dataset, ipc), changes in _PRESETS[method].items() if dataset == task.dataset}
    if not known:
        return recipe
    return override(recipe, known[min(known, key=lambda ipc: abs(ipc - task.ipc))])


# --- the catalogue

_SECTIONS = ("Family", "Equation", "Citation", "Published", "Use", "Avoid")


def names() -> tuple[str, ...]:
    """Names of all methods, in alphabetical order."""
    return tuple(sorted(__all__))


def method(name: str) -> Method:
    """The catalogue entry of a method.

    Raises:
        UnknownMethod: with the closest name.
    """
    if name not in __all__:
        raise UnknownMethod(f"There is no method '{name}'. {nearest(name, names())}")
    build = globals()[name]
    title, _, rest = inspect.cleandoc(build.__doc__).partition("\n\n")
    summary, _, sections = rest.partition("\n\n")
    text = {label: _section(sections, label) for label in _SECTIONS}
    return Method(
        name=name,
        family=text["Family"],
        title=title.rstrip("."),
        summary=_one_line(summary),
        equation=text["Equation"],
        citation=text["Citation"],
        published=text["Published"],
        use=text["Use"],
        avoid=text["Avoid"],
        presets=tuple(sorted(_PRESETS[name])),
        recipe=build,
    )


def override_schema() -> dict[str, Any]:
    """JSON Schema of a recipe: the paths and values a request's `overrides` may hold."""
    return Recipe.model_json_schema()


def _section(text: str, label: str) -> str:
    found = re.search(rf"^{label}: (.*?)(?=^\w+: |\Z)", textwrap.dedent(text), re.MULTILINE | re.DOTALL)
    assert found, f"the docstring of a method needs the section '{label}:'"
    return _one_line(found[1])


def _one_line(text: str) -> str:
    return " ".join(text.split())
