"""Methods that recover images from a trained teacher, and have it label them.

Settings are those of the papers for CIFAR, with a ConvNet in the place of ResNet-18 unless a teacher is asked for by
name, and shorter ones for tiny images.
"""

from __future__ import annotations

from typing import Any, Final

from core.methods.task import Presets, Settings, Task, augment, evaluation, forgetting, network, preset, rounds, tiny
from core.overrides import override
from core.recipe import (
    Adjustment,
    Blend,
    Crops,
    Evaluation,
    LabelledViews,
    Noise,
    NoObjective,
    Paired,
    Recipe,
    Schedule,
    Statistics,
    Teacher,
    Tiles,
    Views,
)

__all__ = ["ccfs", "cda", "cim", "dwa", "fadrm", "lpld", "rded", "sre2l"]

OF_PICTURES: Final = frozenset(__all__)
"""Methods that mean nothing for vectors and series."""


def sre2l(task: Task) -> Recipe:
    """Squeeze, recover and relabel.

    A teacher is trained once; images are then recovered from it alone, starting from noise: it shall recognise them,
    and its batch norms shall see in them the statistics of the real images. At last it labels every view that students
    will be shown.

    Family: statistics
    Equation: min_X CE(f(A_w(X)), y) + a sum_l k_l ( ||m_l - m^_l(X)||_2 + ||v_l - v^_l(X)||_2 ), k_1 = 10 and 1
        otherwise, for each slot of one image a class
    Citation: Yin, Xing & Shen, "Squeeze, Recover and Relabel: Dataset Condensation at ImageNet Scale From A New
        Perspective", NeurIPS 2023; reconstructed from the released code
    Published: CIFAR-10, ResNet-18: 27.2 / 47.5 % at ipc 10 / 50, labels of views (as printed by Du et al. 2024)
    Use: with many classes and images, where nothing that unrolls a student fits.
    Avoid: with few classes of small images: on digits random real images under the same labels did no worse.
    """
    return preset(PRESETS["sre2l"], task, _recovered(task))


def cda(task: Task) -> Recipe:
    """Curriculum data augmentation.

    As `sre2l`, with crops that begin as whole images and become smaller: large structure first, detail last.

    Family: statistics
    Equation: as `sre2l`, A_w cropping shares of the area in (s_t, 1), s_t = s + (1 - s) (1 + cos(pi t / T)) / 2
    Citation: Yin & Shen, "Dataset Distillation in Large Data Era", TMLR 2024; reconstructed from the released code
    Published: Tiny-ImageNet, ResNet-18: 48.7 / 53.2 % at ipc 50 / 100, labels of views
    Use: as `sre2l`, where objects fill the image, so that a part of them still shows what it is.
    Avoid: for images of some ten pixels, of which a part is no image.
    """
    mirrored = "flip" in augment(task).transforms
    views = Views(crop=0.35 if min(task.shape[1:]) <= 32 else 0.08, curriculum=True, flip=mirrored)
    recipe = override(_recovered(task), {"objective.views": views.model_dump()})
    return preset(PRESETS["cda"], task, recipe)


def ccfs(task: Task) -> Recipe:
    """Curriculum coarse-to-fine selection.

    A fifth of each class distilled as `cda` does it, and then real images in rounds: a network is trained on the set so
    far, and of the images that it gets wrong and the teacher right the simplest are taken. At last the teacher labels
    every view of all. Other objectives do for the distilled share: with `rounds` any method is followed by them, and
    with relabel.kind = "keep" labels are hard, those of the rounds' networks included. Not to be confused with CCS,
    which draws real images from strata of difficulty. What is not as in the paper: the ConvNet in the place of
    ResNet-18, fewer epochs in a round, labels of views that are stored and not made anew, and rounds that take images
    which a network gets right where too few are wrong.

    Family: statistics
    Equation: S_0 = CDA's images, S_{k+1} = S_k u {the n_k images x of T_c, not in S_k, with f_{S_k}(x) != c = g(x) that
        are forgotten least often}, g the teacher, n_k = (ipc - |S_0|) / K of each class c
    Citation: Chen, Chen, Zhang, Guan & Nie, "Curriculum Coarse-to-Fine Selection for High-IPC Dataset Distillation",
        CVPR 2025; reconstructed from the released code
    Published: CIFAR-10, ResNet-18 with batch norm, a teacher's labels made anew for each view, the best epoch on the
        test split: 87.9 / 92.5 / 93.2 / 93.8 % at 5 / 10 / 20 / 30 %, random 73.4 / 79.3 / 85.6 / 88.3 with hard labels
    Use: at 5 to 30 per cent of a dataset, where a teacher's labels may be stored.
    Avoid: where labels have to be hard: most of the published lead over real images is the teacher's.
    """
    grown = rounds(task, first=0.2, score=forgetting(task))
    return preset(PRESETS["ccfs"], task, override(cda(task), {"rounds": grown and grown.model_dump()}))


def dwa(task: Task) -> Recipe:
    """Directed weight adjustment.

    As `sre2l`, from real images, and with a teacher for each slot that is moved a little against them: as if it had
    been trained without, so that the slots differ. The variances weigh more than the means. What the adjustment itself
    adds to the real start shows beside the same recipe with objective.adjust.rho = 0.

    Family: statistics
    Equation: as `sre2l` with f_{theta + Delta_i} and a_var > a_mean,
        Delta_i <- Delta_i + rho / K grad CE / ||grad CE|| K times on slot i's real images
    Citation: Du, Zhang, Hu, Huang & Zhou, "Diversity-Driven Synthesis: Enhancing Dataset Distillation through Directed
        Weight Adjustment", NeurIPS 2024; reconstructed from the released code
    Published: CIFAR-10, ResNet-18: 32.6 / 53.1 % at ipc 10 / 50, labels of views
    Use: in the place of `sre2l`, which it improves on: by 8.6 points on a tenth of CIFAR-10 and by 11.3 on a
        twelfth of Fashion-MNIST at ipc 10, all but half a point of them its start's, by 9.6 on twenty classes of
        Tiny-ImageNet at ipc 3, by nothing on digits.
    Avoid: with ten classes and few images, where the published figures of trajectory matching are far ahead.
    """
    changes: dict[str, Any] = {"init.kind": "real", "objective.variance": 0.11}
    changes["objective.adjust"] = Adjustment().model_dump()
    return preset(PRESETS["dwa"], task, override(_recovered(task), changes))


def fadrm(task: Task) -> Recipe:
    """Fast and accurate data residual matching.

    As `sre2l`, from real images and with random crops; three times on the way each image is blended with the real one
    that it began as, so that the teacher does not wash it out. schedule.blend does the same in `cda` or `lpld`, where
    init.kind is "real"; objective.group = "difficulty" gives each slot real images of its own to resemble, as in PSM.
    The residual is one of data: not to be confused with the layers of a residual network.

    Family: statistics
    Equation: as `sre2l`; after each quarter of the steps but the last x <- keep x + (1 - keep) x_0, keep = 1 / 2
    Citation: Cui, Bi, Luo, Zhao, Liu & Shen, "FADRM: Fast and Accurate Data Residual Matching for Dataset
        Distillation", NeurIPS 2025; reconstructed from the released code, with one teacher in evaluation mode and
        random images in the place of the authors' patches of medium difficulty
    Published: CIFAR-100, ResNet-18, one teacher: 31.8 / 67.4 / 71.0 % at ipc 1 / 10 / 50, labels of views by teachers
        that normalise by the batch; CIFAR-10: 48.2 % at ipc 10 as re-run by others in 2026
    Use: in the place of `sre2l`, from which it differs as `dwa` does, by what is left of real images.
    Avoid: where results must not show real images: at least half of each pixel is one's when the last part begins.
    """
    mirrored = "flip" in augment(task).transforms
    views = Views(crop=0.35 if min(task.shape[1:]) <= 32 else 0.08, flip=mirrored)
    changes: dict[str, Any] = {"init.kind": "real", "objective.views": views.model_dump()}
    changes["schedule.blend"] = Blend().model_dump()
    return preset(PRESETS["fadrm"], task, override(_recovered(task), changes))


def lpld(task: Task) -> Recipe:
    """Label pruning for large-scale distillation.

    As `sre2l`, recovering the images of a class together against the statistics of that class, which makes them differ;
    then one in forty batches of labels is enough, drawn again and again.

    Family: statistics
    Equation: as `sre2l` with m_{l,c} and v_{l,c} of class c alone, for each class of ipc images; labels of a random
        share of all batches
    Citation: Xiao & He, "Are Large-scale Soft Labels Necessary for Large-scale Dataset Distillation?", NeurIPS 2024;
        reconstructed from the released code
    Published: ImageNet-1K, ResNet-18: 46.7 % at ipc 50 with 0.71 GB of labels in the place of 28.33 (46.8 % with all)
    Use: when the bytes of labels count.
    Avoid: at ipc 1, where a class has no variety to keep.
    """
    changes: dict[str, Any] = {"objective.group": "class", "relabel.mix": "cutmix", "relabel.alpha": 1.0}
    return preset(PRESETS["lpld"], task, override(_recovered(task), changes | {"relabel.keep": 0.025}))


def rded(task: Task) -> Recipe:
    """Realistic, diverse and efficient distillation.

    No image is optimised: of many parts of real images those are taken that a teacher recognises best, and labelled by
    it, view by view.

    Family: statistics
    Equation: S_c = the ipc parts x of images of T_c, the best of each, with the least CE(f(x), c)
    Citation: Sun, Shi, Yu & Lin, "On the Diversity and Realism of Distilled Dataset: An Efficient Dataset Distillation
        Paradigm", CVPR 2024; reconstructed from the released code
    Published: CIFAR-10, ResNet-18: 22.9 / 37.1 / 62.1 % at ipc 1 / 10 / 50, labels of views
    Use: as the line that every method with a teacher's labels has to beat, in seconds. On a tenth of CIFAR-10 at ipc 10
        it was above `sre2l` and `dwa`, and with hard labels nine points above random images.
    Avoid: where a part of an image does not say what it is: on digits random images were better, and on a twelfth
        of Fashion-MNIST, eleven points with hard labels.
    """
    recipe = _recovered(task).model_dump() | {
        "objective": NoObjective(),
        "init": Crops(),
        "schedule": Schedule(steps=0),
    }
    return preset(PRESETS["rded"], task, Recipe.model_validate(recipe))


def cim(task: Task) -> Recipe:
    """Condensing with minimal information loss.

    Real images that a teacher recognises are made small, four of them to the pixels of one; then the tiles are moved
    until the teacher sees each of them, enlarged, as it sees the real image behind it. No image is recovered from the
    teacher's loss, and no student is unrolled. Where a side is odd there are no tiles, and it is `rded`. Not to be
    confused with `idc`, which has such tiles too and matches gradients of classes.

    Family: statistics
    Equation: min_D sum_i || h(A_w(x_i)) - h(A_w(f(M(x) + D)_i)) ||^2, M making images x_i small and tiling them, f
        cutting tiles and enlarging them, h the teacher's features
    Citation: Shang, Sun, Shi, Wang & Lin, "Condensing Large-Scale Datasets Directly with Minimal Information Loss",
        ECCV 2026; reconstructed from abstract, figures and the parameters of the released code. Published: tiles,
        200 steps of Adam at 0.01 in pixels of [0, 1], 300 candidates a class, the square of the text (the code has the
        modulus, objective.distance). Ours: which features (objective.depth), the recipe's augmentation, clamping, no
        weight decay of the residual, and that every tile is a training image, in a quarter of the epochs
    Published: CIFAR-10, ResNet-18: 32.3 / 66.2 / 85.1 %, ConvNet-3: 37.4 / 61.4 / 74.7 % at ipc 1 / 10 / 50, a
        teacher's labels of each view, students of 1,000 epochs; 13 s for 100 images where SRe2L takes 52
    Use: where stored pixels count and a teacher may label: ipc is of stored images, four training images each.
    Avoid: where labels have to be hard, or for images of some ten pixels, of which a quarter is no image.
    """
    if any(side % 2 for side in task.shape[1:]):
        return rded(task)
    recipe = _recovered(task)
    whole = recipe.model_dump() | {
        "init": Crops(crops=1, smallest=1.0, factor=2),
        "parameterize": Tiles(),
        "objective": Paired(),
        # 0.01 on pixels in [0, 1]; standardised ones are four times as large
        "schedule": Schedule(steps=200, image_lr=0.04, image_momentum=0.9, optimiser="adam", clamp=True),
        "evaluation": recipe.evaluation.model_copy(update={"epochs": recipe.evaluation.epochs // Tiles().formation}),
    }
    return preset(PRESETS["cim"], task, Recipe.model_validate(whole))


def _recovered(task: Task) -> Recipe:
    own = network(task).model_copy(update={"norm": "batch"})
    small = tiny(task)
    return Recipe(
        augment=augment(task),
        network=own,
        init=Noise(),
        objective=Statistics(),
        teacher=Teacher(network=own, epochs=40, batch_size=64) if small else Teacher(network=own),
        schedule=Schedule(
            steps=300 if small else 1000,
            image_lr=0.25,
            image_momentum=0.5,
            optimiser="adam",
            beta_2=0.9,
            decay="cosine",
            clamp=True,
        ),
        relabel=LabelledViews(temperature=20.0),
        evaluation=_evaluation(task),
    )


def _evaluation(task: Task) -> Evaluation:
    """AdamW with a cosine, as all of them do it; for tiny images in small batches.

    A teacher's soft labels take more steps to learn than classes: on digits at ipc 10, where networks are small, 470
    steps (batches of 64) left them at 83 % of the validation split on recovered images and at 92 on real ones, 1,500
    (batches of 20) brought them to 98 and 99.
    """
    common = {"optimiser": "adamw", "weight_decay": 0.01, "schedule": "cosine", "baseline_lrs": (0.001,)}
    epochs, images = 300 if tiny(task) else 400, task.ipc * task.classes
    batch = min(20 if tiny(task) else 64 if images < 1000 else 128, images)
    return evaluation(task, lr=0.001).model_copy(
        update=common | {"policy": "simple", "epochs": epochs, "batch_size": batch}
    )


# Ours: what the recipes have for tiny images was chosen on the validation split of digits. There crops of a third of
# the area, three pixels of eight, show no digit: at 0.35 CDA came to 91.7 %, at 0.75 to 97.2 (one set, one network).
_DIGITS: Settings = {("digits", 10): {}}
_WHOLE: Settings = {("digits", 10): {"objective.views.crop": 0.75}}

PRESETS: Presets = {
    "sre2l": _DIGITS,
    "cda": _WHOLE,
    "ccfs": _WHOLE,
    "cim": _DIGITS,
    "dwa": _DIGITS,
    "fadrm": _WHOLE,
    "lpld": _DIGITS,
    "rded": _DIGITS,
}
