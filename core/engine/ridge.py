"""Ridge regression on features, and the smallest sets that give its classifier back.

Features Phi [n, p], targets Y [n, K], a classifier W [p, K] that answers Phi W. Everything is solved in float64. The
penalty of a classifier of real images is `ridge` x the mean square of a feature, summed over the images; that of one of
synthetic images is `RIDGE` x tr(Phi Phi^T) / n, as in neural feature regression (Zhou, Nezhadarya & Ba, "Dataset
Distillation using Neural Feature Regression", NeurIPS 2022).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine import balance
from core.engine.keys import Key
from core.engine.networks import Network
from core.engine.real import Labelled
from core.plan import limits

RIDGE = 1e-2
"""Penalty of a regression on synthetic images, as a share of the mean of their features' squared norms."""

_NEGLIGIBLE = 1e-9  # of the largest singular value: directions that are there by rounding only
_FAINT = 1e-3  # of it: directions that amplify the rounding of images and targets to float32

Pairs = Iterable[tuple[Tensor, Tensor]]
"""Features [n, p] and targets [n, K] of real images, a batch at a time."""


class Featurizer(NamedTuple):
    """Features of images [n, C, H, W] as float64 [n, p]: their pixels, or those of networks put together."""

    network: Network | None
    thetas: tuple[Tensor, ...] = ()

    def __call__(self, images: Tensor) -> Tensor:
        if self.network is None:
            return images.double().flatten(1)
        with torch.no_grad():
            return torch.cat([self.network.embed(theta, images) for theta in self.thetas], 1).double()


def of_networks(network: Network, keys: Sequence[Key], device: torch.device) -> Featurizer:
    """Features of fresh networks, one a key."""
    return Featurizer(network, tuple(network.init(key).to(device) for key in keys))


PIXELS = Featurizer(None)


def centred(labels: Tensor) -> Tensor:
    """Labels less their mean over the classes, which no classifier needs to answer: it moves all answers alike."""
    return labels - labels.mean(-1, keepdim=True)


def pairs(featurize: Featurizer, real: Labelled, classes: int, alike: bool = False) -> Iterator[tuple[Tensor, Tensor]]:
    """Features and centred one-hot labels of real images.

    Where each class counts `alike`, both are times the root of an image's weight: squares of errors then are times it.
    """
    labels, weights = real.labels.split(limits.TESTED), balance.weights(real.labels, classes).split(limits.TESTED)
    for images, own, each in zip(real.batches(limits.TESTED), labels, weights, strict=True):
        features, truth = featurize(images), centred(F.one_hot(own, classes).double())
        if alike:
            root = each.double().sqrt()[:, None]
            features, truth = features * root, truth * root
        yield features, truth


def classifier(known: Pairs, ridge: float) -> Tensor:
    """W = (F^T F + lam I)^-1 F^T Y of real images, [p, K]."""
    return _classifier(known, ridge, None)


def solve(own: Tensor, known: Pairs, ridge: float) -> Tensor:
    """Targets [M, K] with which ridge regression on features `own` [M, p] returns the best classifier they span.

    With own = U S V^T, the best is V w, w the ridge solution for the features F V of real images; it is returned for
    (own own^T + lam I) U S^-1 w = U (S + lam / S) w. If the span holds the ridge classifier of F, V w is that one.
    """
    u, s, v = _span(own)
    return (u * (s + penalty(own) / s)) @ _classifier(known, ridge, v)


def agree(owns: Sequence[Tensor], knowns: Sequence[Pairs], usual: Tensor, share: float) -> Tensor:
    """Targets [M, K] that are best for regressions on each of several kinds of features alone.

    argmin_Y sum_i || A_i Y - Y_t ||^2 + eps || Y - usual ||^2, where A_i Y = F_t own^T (own own^T + lam I)^-1 Y is what
    the i-th regression answers to real images, and eps = share x tr(sum_i A_i^T A_i) / M. What real images do not
    decide stays as `usual` [M, K]: without that, targets fit the features at hand and no others.
    """
    gram, moment = usual.new_zeros(len(usual), len(usual), dtype=torch.float64), torch.zeros_like(usual.double())
    for own, known in zip(owns, knowns, strict=True):
        u, s, v = _span(own)
        reached = u * (s / (s.square() + penalty(own)))
        square = torch.zeros(len(s), len(s), dtype=torch.float64, device=own.device)
        seen = torch.zeros(len(s), usual.shape[1], dtype=torch.float64, device=own.device)
        for features, answers in known:
            projected = features @ v
            square.addmm_(projected.T, projected)
            seen.addmm_(projected.T, answers)
        gram += reached @ square @ reached.T
        moment += reached @ seen
    eps = share * float(gram.diagonal().mean())
    gram.diagonal().add_(eps)
    found: Tensor = torch.linalg.solve(gram, moment + eps * usual.double())
    return found


def weights(own: Tensor, targets: Tensor) -> Tensor:
    """The classifier [p, K] of a ridge regression on features `own` [M, p] alone: own^T (own own^T + lam I)^-1 Y."""
    u, s, v = _span(own)
    return (v * (s / (s.square() + penalty(own)))) @ (u.T @ targets.double())


def penalty(own: Tensor) -> float:
    """lam of a regression on synthetic images."""
    return RIDGE * float(own.double().square().sum()) / len(own)


def spanning(own: Tensor, w: Tensor) -> Tensor:
    """Features changed as little as they must be for their span to contain the columns of a classifier W [p, K].

    The r directions of W are sought among the combinations of the features [M, p], M >= r: C = pinv(own^T) basis. What
    these combinations have beside W's span is taken from the features, own - Q Q^T own (I - P), with Q an orthonormal
    basis of C [M, r] and P the projection on the span. Features that span W already are left as they are. Directions in
    which the features hardly differ are not used (`_FAINT`): targets would have to be too large for float32.
    """
    own, w = own.double(), w.double()
    basis, s, _ = torch.linalg.svd(w, full_matrices=False)
    basis = basis[:, s > s[0] * _NEGLIGIBLE]
    assert len(own) >= basis.shape[1], "a classifier of K classes has at most K directions, and each class an image"
    u, s, v = _span(own, _FAINT)
    q: Tensor = torch.linalg.qr((u / s) @ (v.T @ basis))[0]
    combined = q.T @ own
    found: Tensor = own - q @ (combined - (combined @ basis) @ basis.T)
    return found


def _classifier(known: Pairs, ridge: float, v: Tensor | None) -> Tensor:
    """The ridge solution for features F, or for F v: the penalty is that for F in either case."""
    gram = moment = None
    square, width = 0.0, 1
    for features, targets in known:
        square, width = square + float(features.square().sum()), features.shape[1]
        seen = features if v is None else features @ v
        gram = seen.T @ seen if gram is None else gram.addmm_(seen.T, seen)
        moment = seen.T @ targets if moment is None else moment.addmm_(seen.T, targets)
    assert gram is not None, "there are real images"
    assert moment is not None, "there are real images"
    gram.diagonal().add_(ridge * square / width)
    found: Tensor = torch.linalg.solve(gram, moment)
    return found


def _span(own: Tensor, least: float = _NEGLIGIBLE) -> tuple[Tensor, Tensor, Tensor]:
    """The thin singular value decomposition, of directions that are more than `least` of the largest."""
    q, r = torch.linalg.qr(own.double().T)  # few images of many features: the decomposition then is a small one's
    v, s, u = torch.linalg.svd(r, full_matrices=False)
    kept = s > s[0] * least
    return u.T[:, kept], s[kept], q @ v[:, kept]
