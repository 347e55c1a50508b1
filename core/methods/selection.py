"""Methods that select real images instead of optimising synthetic ones."""

from __future__ import annotations

from core.methods.task import Presets, Settings, Task, augment, embedding, evaluation, network, preset, rounds
from core.methods.task import dual as uncertainty
from core.methods.task import el2n as errors
from core.methods.task import forgetting as difficulty
from core.recipe import (
    BetaDraw,
    Herding,
    Init,
    KCenter,
    KMeans,
    NoObjective,
    Ranked,
    Real,
    Recipe,
    Rounds,
    Schedule,
    Window,
)

__all__ = ["dual", "el2n", "forgetting", "herding", "k_center", "k_means", "random", "self_evolved", "window"]


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


def herding(task: Task) -> Recipe:
    """Herding of class means.

    Real images of each class, added one at a time so that the mean of their features stays next to the mean of the
    class, and left as they are.

    Family: selection
    Equation: x_{k+1} = argmin_{x in T_c} || (k + 1) mu_c - sum_{i <= k} phi(x_i) - phi(x) ||, phi of a network trained
        on T
    Citation: Welling, "Herding Dynamical Weights to Learn", ICML 2009; as a choice of exemplars in Rebuffi, Kolesnikov,
        Sperl & Lampert, "iCaRL", CVPR 2017
    Published: CIFAR-10, ConvNet-3: 21.5 / 31.6 / 40.4 % at ipc 1 / 10 / 50 (as printed by a later paper, AutoPalette)
    Use: at ipc 1 to 10, where typical images are worth more than random ones.
    Avoid: above some tens of images a class, where variety is worth more.
    """
    return _select(PRESETS["herding"], task, Herding(embedding=embedding(task)))


def k_center(task: Task) -> Recipe:
    """Greedy k-center.

    Real images of each class that cover it: a random one, then always the one whose features are farthest from all
    chosen so far; left as they are.

    Family: selection
    Equation: x_{k+1} = argmax_{x in T_c} min_{i <= k} || phi(x_i) - phi(x) ||, phi of a network trained on T
    Citation: Sener & Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set Approach", ICLR 2018
    Published: CIFAR-10, ConvNet-3: 23.3 / 36.4 / 48.7 % at ipc 1 / 10 / 50 (as printed by a later paper, AutoPalette,
        whose choice of the first image is not known)
    Use: to cover a class evenly, a few per cent of the dataset and more.
    Avoid: on noisy data, of which it takes the outliers first.
    """
    return _select(PRESETS["k-center"], task, KCenter(embedding=embedding(task)))


def k_means(task: Task) -> Recipe:
    """Images nearest to centroids.

    Each class is divided into ipc clusters of features; of each the real image nearest to the centroid is taken, and
    left as it is. Typical like herding, and varied like k-center.

    Family: selection
    Equation: S_c = {argmin_{x in T_c} || phi(x) - m_j ||}, m_1 .. m_ipc the k-means centroids of phi(T_c)
    Citation: Cui, Wang, Si & Hsieh, "DC-BENCH: Dataset Condensation Benchmark", NeurIPS 2022 (k-means embedding)
    Published: none that could be verified at ipc 1 / 10 / 50
    Use: at small ipc, for real images that are typical and still differ, and to start an optimised method from.
    Avoid: at thousands of images a class, where it takes longer than it is worth.
    """
    return _select(PRESETS["k-means"], task, KMeans(embedding=embedding(task)))


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


def dual(task: Task) -> Recipe:
    """Difficulty and uncertainty, drawn by a Beta density.

    Real images of each class drawn by how hard and how unsure early epochs show them to be, and the fewer of them, the
    more of the easy ones; left as they are. One short training scores them, where counts of forgetting take several
    whole ones. Not to be confused with dual problems or dual networks: the name stands for Difficulty and
    Uncertainty-Aware Lightweight.

    Family: selection
    Equation: P(x) ~ Beta(m(x); a_r, b_r) mean_k (1 - m_k(x)) s_k(x), m_k and s_k the mean and the standard deviation of
        p_e(y | x) over a window of J epochs, m the mean over T; b_r = C (1 - m*) (1 - r^c), a_r = C + 1 - b_r, of each
        class
    Citation: Cho, Shin, Kang & Yun, "Lightweight Dataset Pruning without Full Training via Example Difficulty and
        Prediction Uncertainty", ICML 2025; T = 30, J = 10, C = 15 reconstructed from the released code, c = 5.5
        recalled and not verified
    Published: CIFAR-10, ResNet-18, hard labels: about 87.1 / 91.4 / 93.0 % where 10 / 20 / 30 % are kept, random 83.7 /
        88.3 / 90.4 (read off a plot; the draw is over all classes together)
    Use: at 5 to 50 per cent of a dataset, in the place of `forgetting`, at a fifth of its cost: on digits 0.7 seconds
        of a processor for its one network, 4.0 for forgetting's three, and 7.6 points better at 10 %, as good at 20 %
        (n = 5).
    Avoid: at some images a class, where herding and all that distils are far ahead; and where there is time for
        `self-evolved`, three to six points better on 10,000 images of CIFAR-10, where this one is 5.6, 4.6 and 1.4
        points above random images at 5, 10 and 20 % and 2.4 below them at 30 (n = 5). On digits its lead was not
        decided: 1.8 points at 10 %, 0.2 at 20 %.
    """
    return _select(PRESETS["dual"], task, BetaDraw(score=uncertainty(task)))


def self_evolved(task: Task) -> Recipe:
    """Self-evolved selection in rounds.

    A few random real images of each class, and then rounds: a network is trained on what there is, and of the images
    that it gets wrong the simplest are taken, as many of each class. So a set grows by what it does not teach yet. Not
    to be confused with self-training or with evolution strategies: no label is guessed, and nothing mutates. CCFS is
    the same after a share of distilled images, with a teacher's labels.

    Family: selection
    Equation: S_0 random, S_{k+1} = S_k u {the n_k images x of T_c, not in S_k, with f_{S_k}(x) != c that are forgotten
        least often}, n_k = (ipc - |S_0|) / K of each class c
    Citation: Chen, Chen, Zhang, Guan & Nie, "Curriculum Coarse-to-Fine Selection for High-IPC Dataset Distillation",
        CVPR 2025, whose baseline without distilled images it is; rounds reconstructed from the released code
    Published: CIFAR-10, ResNet-18 with batch norm: 81.6 / 86.4 / 90.3 / 91.6 % at 5 / 10 / 20 / 30 %, random 73.4 /
        79.3 / 85.6 / 88.3 (the paper's table; how the first images are chosen there is not known)
    Use: at 5 to 30 per cent of a dataset, where a network on a part of it still gets enough wrong: on 10,000 images of
        CIFAR-10 9.2, 7.5, 6.1 and 3.1 points above random images at 5, 10, 20 and 30 % (n = 5), on digits 1.0 at 20 %
        (n = 5, p = 0.03); 2.2 at 10 %, not decided.
    Avoid: at some images a class, and where a small set is right about nearly all: then rounds have nothing to take.
    """
    return _select(PRESETS["self-evolved"], task, Real(), rounds(task, first=0.25, score=difficulty(task)))


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


def _select(settings: Settings, task: Task, init: Init, grown: Rounds | None = None) -> Recipe:
    return preset(
        settings,
        task,
        Recipe(
            augment=augment(task),
            network=network(task),
            init=init,
            objective=NoObjective(),
            schedule=Schedule(steps=0),
            rounds=grown,
            evaluation=evaluation(task, lr=0.01),
        ),
    )


# Window: Lee & Chung 2024, the released scripts, where the best beta is swept for on real subsets.
PRESETS: Presets = {
    "random": {},
    "herding": {},
    "k-center": {},
    "k-means": {},
    "forgetting": {},
    "el2n": {},
    "dual": {("cifar100", 50): {"init.exponent": 4.0}},
    "self-evolved": {},
    "window": {
        ("cifar10", 250): {"init.beta": 0.5},
        ("cifar10", 500): {"init.beta": 0.3},
        ("cifar10", 1000): {"init.beta": 0.2},
        ("cifar10", 1500): {"init.beta": 0.2},
        ("cifar100", 25): {"init.beta": 0.8},
        ("cifar100", 50): {"init.beta": 0.7},
        ("cifar100", 100): {"init.beta": 0.6},
        ("cifar100", 150): {"init.beta": 0.4},
    },
}
