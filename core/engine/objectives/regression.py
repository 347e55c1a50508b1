"""Lower the error of kernel ridge regression on the synthetic set, on features of networks of all ages (FRePo).

Zhou, Nezhadarya & Ba, "Dataset Distillation using Neural Feature Regression", NeurIPS 2022, after the released code.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine import balance, model_pool
from core.engine.keys import Key
from core.engine.networks import Network
from core.engine.real import Real
from core.engine.ridge import centred
from core.engine.synthetic import Gradients, Synthetic
from core.recipe import Regression


def loss(
    objective: Regression,
    network: Network,
    real: Real,
    learned: bool,
    synthetic: Synthetic,
    key: Key,
    step: int,
    networks: Tensor | None,
) -> tuple[Tensor, Gradients, Tensor]:
    """1/2 mean_b w_b || K_bs (K_ss + lam I)^-1 Y_s - Y_b ||^2, its gradient, and the pool after the step.

    b are real images, each of weight w_b: 1, or what makes their classes count alike (`balance`). K are inner products
    of the features of a network of the pool, lam = ridge tr(K_ss) / n. `networks` is the pool, a fresh one where there
    is none. Labels are centred, so that probabilities and targets are alike. Those that are `learned` as targets have a
    margin in the loss: -min(largest - second largest, 1 / K) keeps them telling one class.
    Images are seen as they are: augmentation is for those who train on the set.
    """
    draw, device = key.fold("regression", step), synthetic.images.device
    if networks is None:
        networks = model_pool.fresh(objective.pool, network, draw.fold("pool"), device)
    index = draw.fold("member").integer(0, len(networks))
    theta = model_pool.theta(networks, index)
    chosen, weights = balance.drawn(real, objective.real_batch, objective.balance, draw.fold("real"))
    truth = centred(F.one_hot(real.train.labels[chosen], real.classes).double())
    with torch.no_grad():
        known = network.embed(theta, real.train.take(chosen)).double()
    with torch.enable_grad():
        images, labels = synthetic.images.detach().requires_grad_(), synthetic.labels.detach().requires_grad_()
        own = network.embed(theta, images).double()
        kernel = own @ own.T
        penalty = objective.ridge * kernel.diagonal().mean()
        ridged = kernel + penalty * torch.eye(len(kernel), dtype=kernel.dtype, device=device)
        answers = known @ own.T @ torch.linalg.solve(ridged, centred(labels.double()))
        error = ((answers - truth).square().sum(1) * weights).mean() / 2
        total = error
        if learned:
            first, second = labels.topk(2, 1).values.unbind(1)
            total = total - (first - second).clamp_max(1 / real.classes).mean()
        images_bar, labels_bar = torch.autograd.grad(total, (images, labels))
    networks = model_pool.trained(
        objective.pool, network, networks, index, synthetic.images, synthetic.labels, draw.fold("training")
    )
    return error.detach().float(), Gradients(images_bar, labels_bar, None), networks
