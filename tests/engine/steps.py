"""Arguments of a training step and of its adjoint, and a synthetic set: for tests of exactness."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from core.engine.keys import Key
from core.engine.networks import ConvNet
from core.engine.synthetic import Synthetic

KEY = Key(13)


class Given(NamedTuple):
    """The inputs of a step, and a cotangent of its gradient; float32."""

    theta: Tensor
    images: Tensor
    labels: Tensor
    u: Tensor

    def double(self) -> Given:
        """In float64."""
        return Given(*(part.double() for part in self))


def given(network: ConvNet, batch: int, student: int = 0) -> Given:
    """The inputs of one student, with labels that no softmax would give: neither one-hot nor of sum one."""
    key = KEY.fold(student)
    return Given(
        # away from gamma = 1 and beta = 0, where a forgotten factor or term would not show
        theta=network.init(key.fold("start")) + 0.2 * key.fold("away").normal(network.size),
        images=key.fold("images").normal(batch, *network.shape),
        labels=2 * key.fold("labels").uniform(batch, network.classes),
        u=key.fold("direction").normal(network.size),
    )


def synthetic(key: Key) -> Synthetic:
    """Three 8x8 images of each of two classes in float64, with labels of no particular kind."""
    labels = key.fold("labels").normal(6, 2).double().softmax(1)
    images = key.fold("images").normal(6, 1, 8, 8).double()
    return Synthetic(images, labels, torch.tensor(0.2, dtype=torch.float64))


def stacked(*students: Given) -> Given:
    """The inputs of several students at once."""
    return Given(*(torch.stack(parts) for parts in zip(*students, strict=True)))


def assert_same(one: Tensor, other: Tensor, within: float) -> None:
    """The tensors have the same shape, and their distance is at most a share of the other's length."""
    assert one.shape == other.shape
    assert other.norm() > 0, "what vanishes proves nothing"
    assert (one - other).norm() <= within * other.norm()
