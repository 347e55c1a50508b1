"""Methods that select real images instead of optimising synthetic ones."""

from __future__ import annotations

from core.methods.task import Presets, Settings, Task, augment, evaluation, network, preset
from core.methods.task import el2n as errors
from core.methods.task import forgetting as difficulty
from core.recipe import Init, Nothing, Ranked, Real, Recipe, Schedule, Window

__all__ = ["el2n", "forgetting", "random", "window"]


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
    return _select(PRESETS["random"], task, Real())


def forgetting(task: Task) -> Recipe:
    """The most forgotten images.

    Real images of each class that networks lose most often after they had them right, or never get right at all; left
    as they are. A ranking made to find which images a training set can spare: what it cannot spare lies at the top.

    Family: selection
    Equation: S_c = the ipc images of T_c with the largest mean over networks of sum_e [right in e, wrong in e + 1]
    Citation: Toneva, Sordoni, Tachet des Combes, Trischler, Bengio & Gordon, "An Empirical Study of Example Forgetting
        during Deep Neural Network Learning", ICLR 2019
    Published: CIFAR-10, ConvNet-3: 13.5 / 23.3 / 23.3 % at ipc 1 / 10 / 50 (recalled from Zhao & Bilen 2021, not
        verified); 76.3 % at ipc 1000, random 78.4 % (reported by a later paper, PAD)
    Use: to keep most of a dataset, a third of it or more.
    Avoid: at small ipc, where the hardest images of a class are its mislabelled and its strangest.
    """
    return _select(PRESETS["forgetting"], task, Ranked(score=difficulty(task)))


def el2n(task: Task) -> Recipe:
    """The images with the largest errors early in training.

    Real images of each class whose predicted probabilities are furthest from their label after a few epochs, on average
    over several networks; left as they are. Cheaper than counting forgetting events, and much the same ranking.

    Family: selection
    Equation: S_c = the ipc images of T_c with the largest mean over networks of || softmax(f(x)) - onehot(y) ||_2
    Citation: Paul, Ganguli & Dziugaite, "Deep Learning on a Data Diet: Finding Important Examples Early in Training",
        NeurIPS 2021
    Published: none that could be verified at ipc 1 / 10 / 50
    Use: to keep most of a dataset, a third of it or more.
    Avoid: at small ipc, where the hardest images of a class are its mislabelled and its strangest.
    """
    return _select(PRESETS["el2n"], task, Ranked(score=errors(task)))


def window(task: Task) -> Recipe:
    """A window of difficulty.

    Real images of each class, ranked from hard to easy, from which the hardest share beta is skipped and the next ipc
    are taken, left as they are. SelMatch without its distillation (alpha = 0): the fewer images, the easier they
    should be.

    Family: selection
    Equation: S_c = ranks [s, s + ipc) of T_c from hard to easy, s = floor(beta |T_c|) (or floor(beta ipc), as released)
    Citation: Lee & Chung, "SelMatch: Effectively Scaling Up Dataset Distillation via Selection-Based Initialization and
        Partial Updates by Trajectory Matching", ICML 2024
    Published: beta 0.5 / 0.3 / 0.2 / 0.2 for CIFAR-10 at ipc 250 / 500 / 1000 / 1500; accuracies of the window alone
        were not verified
    Use: above a few per cent of the dataset, and as what SelMatch has to beat.
    Avoid: at ipc 1 to 10, where every distillation method is far ahead.
    """
    return _select(PRESETS["window"], task, Window(score=difficulty(task)))


def _select(settings: Settings, task: Task, init: Init) -> Recipe:
    return preset(
        settings,
        task,
        Recipe(
            augment=augment(task),
            network=network(task),
            init=init,
            objective=Nothing(),
            schedule=Schedule(steps=0),
            evaluation=evaluation(task, lr=0.01),
        ),
    )


# Window: Lee & Chung 2024, the released scripts, where the best beta is swept for on real subsets.
PRESETS: Presets = {
    "random": {},
    "forgetting": {},
    "el2n": {},
    "window": {
        ("cifar10", 250): {"init.beta": 0.5},
        ("cifar10", 500): {"init.beta": 0.3},
        ("cifar10", 1000): {"init.beta": 0.2},
        ("cifar10", 1500): {"init.beta": 0.2},
        ("cifar100", 25): {"init.beta": 0.8},
        ("cifar100", 50): {"init.beta": 0.7},
        ("cifar100", 100): {"init.beta": 0.6},
        ("cifar100", 150): {"init.beta": 0.4},
        ("tiny-imagenet", 50): {"init.beta": 0.8},
        ("tiny-imagenet", 100): {"init.beta": 0.7},
    },
}
