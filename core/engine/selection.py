"""Which images of one class to take, from what was learned of them; indices into the class, int64 [ipc]."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine.keys import Key

_ROOM = 2**24  # distances held at a time
_LEAST = 1e-12  # of a weight, and of an ease's distance from 0 and 1
_TELLING = 10  # images that say where a Beta density lies


def window(difficulty: Tensor, first: int, ipc: int, key: Key) -> Tensor:
    """The images that rank `first` to `first` + ipc from hard to easy, the easiest of them first.

    Args:
        difficulty: of the images of the class, [n]; the higher, the harder.
        first: the rank the window begins at; 0 takes the hardest images.
        ipc: images to take; first + ipc <= n.
        key: draws the order of images that are equally hard, of which counts make many.
    """
    assert first + ipc <= len(difficulty), "a window beyond its class is refused at submission"
    drawn = key.permutation(len(difficulty)).to(difficulty.device)
    ranked = drawn[torch.sort(difficulty[drawn], descending=True, stable=True).indices]
    return ranked[first : first + ipc].flip(0)


def beta_draw(difficulty: Tensor, ease: Tensor, ipc: int, concentration: float, exponent: float, key: Key) -> Tensor:
    """Images drawn without replacement, of weight difficulty x Beta density at their ease; the easiest first.

    The density is moved to easier images as fewer are taken: b = C (1 - m) (1 - r^c), a = C + 1 - b, with m the mean
    ease of the ten of highest difficulty, r the share that is left out. Cho et al., ICML 2025, as released.

    Args:
        difficulty: of the images of the class, [n]; the score, of at least 0.
        ease: of the images of the class, [n]; between 0 and 1.
        ipc: images to take, at most n.
        concentration: C, how narrow the density is.
        exponent: c, how fast the density moves.
        key: draws.
    """
    weight, place = difficulty.double().cpu(), ease.double().cpu().clamp(_LEAST, 1 - _LEAST)
    telling = weight.topk(min(_TELLING, len(weight))).indices
    left = 1 - ipc / len(weight)
    b = concentration * (1 - float(place[telling].mean())) * (1 - left**exponent)
    a = concentration + 1 - b
    density = (a - 1) * place.log() + (b - 1) * (1 - place).log()
    # the largest log weight + Gumbel noise: one draw after the other, each in proportion to what is left
    noise = -(-key.uniform(len(weight)).double().clamp_min(_LEAST).log()).log()
    chosen: Tensor = (weight.clamp_min(_LEAST).log() + density + noise).topk(ipc).indices
    easiest_first = place[chosen].argsort(descending=True, stable=True)
    return chosen[easiest_first].to(difficulty.device)


def herding(features: Tensor, ipc: int) -> Tensor:
    """Images added one at a time, each so that the mean of those chosen comes nearest to the mean of the class.

    argmin_x || (k + 1) mu - sum - phi(x) || over the images not chosen yet. Welling, "Herding Dynamical Weights to
    Learn", ICML 2009, as iCaRL (Rebuffi et al., CVPR 2017) made it a choice of exemplars.

    Args:
        features: of the images of the class, [n, d].
        ipc: images to take, at most n.
    """
    mean, squares = features.mean(0), features.square().sum(1)
    chosen: list[int] = []
    missing = torch.zeros_like(mean)  # (k + 1) mu - sum of the chosen
    for _ in range(ipc):
        missing = missing + mean
        distance = squares - 2 * (features @ missing)
        distance[chosen] = torch.inf
        chosen.append(int(distance.argmin()))
        missing = missing - features[chosen[-1]]
    return torch.tensor(chosen, device=features.device)


def k_center(features: Tensor, ipc: int, key: Key) -> Tensor:
    """Greedy k centers: a random image, then always the one farthest from its nearest chosen one.

    The radius is at most twice the best possible (Gonzalez 1985). Sener & Savarese, "Active Learning for Convolutional
    Neural Networks: A Core-Set Approach", ICLR 2018.

    Args:
        features: of the images of the class, [n, d].
        ipc: images to take, at most n.
        key: draws the first.
    """
    squares = features.square().sum(1)
    chosen = [key.integer(0, len(features))]
    nearest = _distances(features, squares, chosen[0])
    for _ in range(ipc - 1):
        nearest[chosen[-1]] = -1.0  # equal images are at no distance, and still none is taken twice
        chosen.append(int(nearest.argmax()))
        nearest = torch.minimum(nearest, _distances(features, squares, chosen[-1]))
    return torch.tensor(chosen, device=features.device)


def k_means(features: Tensor, ipc: int, iterations: int, key: Key) -> Tensor:
    """The image nearest to each centroid; a centroid whose image is taken gets the nearest that is free.

    Args:
        features: of the images of the class, [n, d].
        ipc: images to take, at most n.
        iterations: of Lloyd's algorithm.
        key: draws the start.
    """
    centers, squares = centroids(features, ipc, iterations, key), features.square().sum(1)
    chosen: list[int] = []
    for center in centers:
        distance = squares - 2 * (features @ center)
        distance[chosen] = torch.inf
        chosen.append(int(distance.argmin()))
    return torch.tensor(chosen, device=features.device)


def centroids(features: Tensor, k: int, iterations: int, key: Key) -> Tensor:
    """[k, d]: Lloyd's algorithm from a start by k-means++ (Arthur & Vassilvitskii 2007).

    A centroid that no image is nearest to stays where it is. Distances are taken for a part of the images at a time,
    and sums by products of matrices, which give the same bits wherever they are done again.
    """
    found = _spread(features, k, key)
    parts = features.split(max(1, _ROOM // k))
    for _ in range(iterations):
        sums, counts = torch.zeros_like(found), torch.zeros(k, device=found.device)
        for part in parts:
            own = F.one_hot((found.square().sum(1) - 2 * (part @ found.T)).argmin(1), k).to(part.dtype)
            sums, counts = sums + own.T @ part, counts + own.sum(0)
        moved = torch.where(counts[:, None] > 0, sums / counts.clamp_min(1)[:, None], found)
        if torch.equal(moved, found):
            break
        found = moved
    return found


def _spread(features: Tensor, k: int, key: Key) -> Tensor:
    """k images, each drawn with a probability in proportion to its squared distance from those before."""
    squares, draws = features.square().sum(1), key.uniform(k).tolist()
    chosen = [int(draws[0] * len(features))]
    nearest = _distances(features, squares, chosen[0])
    for draw in draws[1:]:
        nearest[chosen[-1]] = 0.0
        reached = nearest.double().cumsum(0)
        chosen.append(min(int(torch.searchsorted(reached, draw * reached[-1], right=True)), len(features) - 1))
        nearest = torch.minimum(nearest, _distances(features, squares, chosen[-1]))
    return features[chosen]


def _distances(features: Tensor, squares: Tensor, center: int) -> Tensor:
    """Squared distances [n] of features from one of them."""
    return (squares - 2 * (features @ features[center]) + squares[center]).clamp_min(0)
