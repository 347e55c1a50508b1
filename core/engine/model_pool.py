"""Networks of all ages, trained step by step on the synthetic set whose features they give (FRePo's online models).

A pool is one tensor [networks, 3 P + 2], so that the loop can store it: of each network its parameters, Adam's two
moments, the steps it has taken and the steps that are left to it. Nothing is changed in place.
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import Network, SquaredError
from core.engine.optimise import Adam
from core.recipe import Pool

_BETA_1 = 0.9


def fresh(pool: Pool, network: Network, key: Key, device: torch.device) -> Tensor:
    """A pool of untrained networks. The i-th of n is replaced after a share of 1 - i / n of its lifetime."""
    left = [pool.lifetime - i * pool.lifetime // pool.networks for i in range(pool.networks)]
    return torch.stack([_untrained(network, key.fold("network", i), n) for i, n in enumerate(left)]).to(device)


def theta(networks: Tensor, index: int) -> Tensor:
    """Parameters [P] of one of the networks."""
    return networks[index, : (networks.shape[1] - 2) // 3]


def trained(
    pool: Pool, network: Network, networks: Tensor, index: int, images: Tensor, targets: Tensor, key: Key
) -> Tensor:
    """The pool after one Adam step of one network on images [n, C, H, W] with targets [n, K], or after its replacement.

    The key draws the images if there are more than a step takes, and a successor where this was the last step.
    """
    if len(images) > pool.batch_size:
        some = key.fold("batch").permutation(len(images))[: pool.batch_size].to(images.device)
        images, targets = images[some], targets[some]
    size = network.size
    own, velocity, squares = networks[index, :-2].split(size)
    steps, left = (int(number) for number in networks[index, -2:].tolist())
    g = Eager(network, SquaredError).gradient(own, images, targets)
    moved = torch.cat(Adam(pool.lr, _BETA_1).update(own, g, velocity, squares, steps))
    row = torch.cat([moved, networks.new_tensor([steps + 1.0, left - 1.0])])
    if left <= 1 or not bool(row.isfinite().all()):
        row = _untrained(network, key.fold("successor"), pool.lifetime).to(networks.device)
    return torch.cat([networks[:index], row[None], networks[index + 1 :]])


def _untrained(network: Network, key: Key, left: int) -> Tensor:
    rest = torch.zeros(2 * network.size)
    return torch.cat([network.init(key), rest, torch.tensor([0.0, float(left)])])
