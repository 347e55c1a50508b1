"""Methods that distil subsets one after the other, into a curriculum that has an order."""

from __future__ import annotations

from core.methods.gradient import idc
from core.methods.task import Presets, Task, preset
from core.methods.trajectory import mtt, settings
from core.overrides import override
from core.recipe import Recipe

__all__ = ["seqmatch", "seqmatch_idc"]


def seqmatch(task: Task) -> Recipe:
    """Sequential subset matching.

    MTT on subsets, one after the other: each is optimised given the earlier ones, which stay as they are, against
    experts that begin where a network ends that was trained on those. Images optimised together all converge to what is
    learned first; later subsets hold what comes after. The result is an ordered curriculum, to be trained on in order.

    Family: trajectory
    Equation: min_{S_k, eta_k} || theta_{t+N} - theta*^k_{t+M} ||^2 / || theta*^k_t - theta*^k_{t+M} ||^2,
        theta_{i+1} = theta_i - eta_k grad l(theta_i; A_w(S_1 u ... u S_k)), k = 1..K,
        theta*^k_0 trained on S_1, then S_1 u S_2, ..., S_1 u ... u S_{k-1}
    Citation: Du, Shi & Zhou, "Sequential Subset Matching for Dataset Distillation", NeurIPS 2023 (its MTT variant,
        reconstructed from the released code, which trains what later experts begin as on the first stage alone; here it
        is on all earlier stages, as the paper says)
    Published: CIFAR-10, ConvNet-3 with ZCA: 66.2 / 74.4 % at ipc 10 / 50 (recalled from the paper, not verified)
    Use: at ipc 10 and more, where one set's images resemble each other, by clients who can train in stages.
    Avoid: at ipc 1, where it is MTT, and compared with methods that are evaluated for fewer epochs: it takes K times
        as many, of which the report says the total.
    """
    return _in_stages("seqmatch", task, mtt(task))


def seqmatch_idc(task: Task) -> Recipe:
    """Sequential subset matching of gradients.

    IDC on subsets, one after the other: the networks whose gradients a later subset matches begin as ones that were
    trained on the earlier subsets, and a class's synthetic gradient is that of all its images so far, of which the new
    ones alone are optimised. The result is an ordered curriculum, to be trained on in order.

    Family: gradient
    Equation: min_{S_k} E_{theta_0} sum_t sum_c || grad l(theta_t; A_w(T_c)) - grad l(theta_t; A_w(f(S_{1,c} u ... u
        S_{k,c}))) ||^2, k = 1..K, theta_0 trained on S_1, then S_1 u S_2, ..., S_1 u ... u S_{k-1},
        theta_{t+1} = train(theta_t; T)
    Citation: Du, Shi & Zhou, "Sequential Subset Matching for Dataset Distillation", NeurIPS 2023 (its IDC variant,
        reconstructed from the released code, where a network that was trained on earlier subsets is matched 50 times
        before the next one; here each is drawn from as many)
    Published: none that could be verified at ipc 10 / 50
    Use: as `idc`, where there are several images per class and clients can train in stages.
    Avoid: at ipc 1, where it is IDC, and compared with methods that are evaluated for fewer epochs.
    """
    return _in_stages("seqmatch-idc", task, idc(task))


def _in_stages(name: str, task: Task, host: Recipe) -> Recipe:
    """The host in two stages, or as its settings say; in as many as there are images of a class, at most."""
    recipe = preset(PRESETS[name], task, override(host, {"schedule.stages.count": 2}))
    stages = recipe.schedule.stages
    fit = {"schedule.stages.count": min(stages.count, task.ipc), "schedule.stages.each": stages.each[: task.ipc]}
    return override(recipe, fit)


# cifar10 at ipc 50: the released commands; of IDC's their second stage, the first had half the matches of a network and
# half the networks. Digits: ours.
PRESETS: Presets = {
    "seqmatch": {
        ("cifar10", 50): settings(
            30,
            2,
            18,
            100.0,
            1e-5,
            0.001,
            zca=True,
            schedule__stages__count=3,
            schedule__stages__each=[
                {"max_start_epoch": 18, "step_size": 0.001},
                {"max_start_epoch": 18, "step_size": 0.01},
                {"max_start_epoch": 8, "step_size": 0.01},
            ],
        ),
        ("digits", 4): {
            "objective.max_start_epoch": 10,
            "schedule.steps": 120,
            "schedule.image_lr": 30.0,
            "schedule.stages.epochs": 300,
        },
    },
    "seqmatch-idc": {
        ("cifar10", 50): {"schedule.image_lr": 0.125, "schedule.stages.networks": 80},
        ("digits", 4): {"schedule.stages.epochs": 300, "schedule.stages.networks": 5},
    },
}
