"""Methods that match the gradients of a network's loss."""

from __future__ import annotations

from core.methods.task import Presets, Task, augment, evaluation, network, preset, tiny
from core.overrides import override
from core.recipe import Augment, CutMix, Gradient, Mixed, Noise, Pixels, Real, Recipe, Schedule, Tiles

__all__ = ["dc", "dsa", "idc"]

# Outer and inner loops by ipc: Zhao, Mopuri & Bilen 2021, as released. A recipe takes those of the nearest.
_LOOPS = {1: (1, 1), 10: (10, 50), 20: (20, 25), 30: (30, 20), 40: (40, 15), 50: (50, 10)}
_NETWORKS = 1000  # fresh networks, each of which is matched once an outer loop


def dc(task: Task) -> Recipe:
    """Dataset condensation with gradient matching.

    Synthetic images that give a network, from its first steps on, the same gradients as real images of their class. It
    is trained on the synthetic images between two matches, and replaced by a fresh one again and again.

    Family: gradient
    Equation: min_S E_{theta_0} sum_t sum_c D( grad l(theta_t; T_c), grad l(theta_t; S_c) ),
        D = sum over layers and outputs of 1 - cos, theta_{t+1} = train(theta_t; S)
    Citation: Zhao, Mopuri & Bilen, "Dataset Condensation with Gradient Matching", ICLR 2021
    Published: CIFAR-10, ConvNet-3: 28.3 / 44.9 / 53.9 % at ipc 1 / 10 / 50
    Use: to compare with it, or where no augmentation leaves an image what it is.
    Avoid: otherwise: `dsa` is the same with augmentation, and better.
    """
    outer, inner = _loops(task)
    return preset(
        PRESETS["dc"],
        task,
        Recipe(
            augment=Augment(transforms=()),
            network=network(task),
            init=Noise(),
            objective=Gradient(outer_loops=outer, inner_loops=inner),
            schedule=Schedule(steps=_NETWORKS * outer, image_lr=0.1),
            evaluation=evaluation(task, lr=0.01).model_copy(update={"augment": False, "epochs": 300}),
        ),
    )


def dsa(task: Task) -> Recipe:
    """Differentiable siamese augmentation.

    Gradient matching under augmentation: real and synthetic images of a class go through the same random transform, so
    that the synthetic images still teach when a network is trained on augmented views of them.

    Family: gradient
    Equation: as `dc`, with D( grad l(theta; A_w(T_c)), grad l(theta; A_w(S_c)) ), the same w on both sides
    Citation: Zhao & Bilen, "Dataset Condensation with Differentiable Siamese Augmentation", ICML 2021
    Published: CIFAR-10, ConvNet-3: 28.8 / 52.1 / 60.6 % at ipc 1 / 10 / 50
    Use: at ipc 1 to 50, when experts are too expensive to train.
    Avoid: at ipc 50 and above, where a step per network and class is slower than `dm` and no better.
    """
    recipe = override(dc(task), {"init.kind": "real"}).model_copy(
        update={"augment": augment(task), "evaluation": evaluation(task, lr=0.01)}
    )
    return preset(PRESETS["dsa"], task, recipe)


def idc(task: Task) -> Recipe:
    """Efficient synthetic-data parameterization.

    Gradient matching with images of half the side: four of them share the pixels of one and are enlarged before they
    are used. The network is trained on real images between two matches, so that its gradients stay informative.

    Family: gradient
    Equation: min_S E_{theta_0} sum_t sum_c || grad l(theta_t; A_w(T_c)) - grad l(theta_t; A_w(f(S_c))) ||^2,
        f cuts into tiles and enlarges, theta_{t+1} = train(theta_t; T)
    Citation: Kim, Kim, Oh, Yun, Song, Jeong, Ha & Song, "Dataset Condensation via Efficient Synthetic-Data
        Parameterization", ICML 2022
    Published: CIFAR-10, ConvNet-3: 50.6 / 67.5 / 74.5 % at ipc 1 / 10 / 50, evaluated with CutMix of half of
        the batches and without cutout (here but for tiny images, too)
    Use: where stored pixels are what counts, at ipc 1 to 50: ipc is of stored images, four training images each.
    Avoid: where training time on the result counts, or images with detail that half the side cannot hold.
    """
    judged = evaluation(task, lr=0.01)
    if not tiny(task):  # a box of an 8x8 image leaves too little of both
        judged = judged.model_copy(update={"cutmix": CutMix(probability=0.5)})
    tiles = None if any(side % 2 for side in task.shape[1:]) else Tiles()
    recipe = Recipe(
        augment=augment(task),
        network=network(task),
        init=Mixed() if tiles else Real(),
        parameterize=tiles or Pixels(),
        objective=Gradient(
            distance="cosine" if task.kind == "vectors" else "mse",  # which is of convolutions
            real_batch=64,
            syn_batch=128,
            outer_loops=100,
            inner="real",
            inner_images=2000,
            student_batch=64,
            student_momentum=0.9,
            student_weight_decay=5e-4,
        ),
        # 5e-3 (ipc / 10) on pixels in [0, 1]; standardised ones are five times as large, and their gradients a fifth
        schedule=Schedule(steps=200_000, image_lr=0.0125 * task.ipc),
        evaluation=judged,
    )
    return preset(PRESETS["idc"], task, recipe)


def _loops(task: Task) -> tuple[int, int]:
    return _LOOPS[min(_LOOPS, key=lambda ipc: abs(ipc - task.ipc))]


_DIGITS = {"objective.real_batch": 32, "schedule.steps": 150, "schedule.image_lr": 1.0}

# Published: the loops above, for every dataset. Digits: ours.
PRESETS: Presets = {
    "dc": {
        ("digits", 1): _DIGITS,
        ("digits", 10): _DIGITS | {"objective.outer_loops": 10, "objective.inner_loops": 5},
    },
    "idc": {("digits", 1): _DIGITS | {"objective.outer_loops": 10, "objective.inner_images": 200}},
    "dsa": {},  # those of `dc`
}
