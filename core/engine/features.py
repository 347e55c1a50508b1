"""Features of real images: what a network trained on them hands to its linear layer."""

from __future__ import annotations

from collections.abc import Generator

import torch
from torch import Tensor

from core.engine import balance, evaluate
from core.engine.evaluate import Trained
from core.engine.kernels import Kernels
from core.engine.keys import Key
from core.engine.networks import Network
from core.engine.real import Labelled
from core.engine.train import Protocol
from core.plan import limits
from core.recipe import Augment, Embedding


def train(embedding: Embedding, kernels: Kernels, real: Labelled, key: Key) -> Generator[float, None, Trained]:
    """The network that embeds; yields the share of the work that is done."""
    labels = balance.supervision(real.labels, kernels.network.classes, embedding.balance)
    (trained,) = yield from evaluate.train(kernels, real, labels, protocol(embedding), [key])
    return trained


def protocol(embedding: Embedding) -> Protocol:
    """How it is trained."""
    return Protocol(embedding.epochs, embedding.batch_size, embedding.lr, 0.9, 5e-4, "cosine", Augment(transforms=()))


def embed(network: Network, trained: Trained, real: Labelled, index: Tensor) -> Tensor:
    """Features [n, d] of the images at `index` [n]; d = width * h * w, 2,048 for ConvNet-3 of width 128 at 32x32."""
    with torch.no_grad():
        return torch.cat(
            [network.embed(trained.theta, real.take(part), trained.moments) for part in index.split(limits.TESTED)]
        )
