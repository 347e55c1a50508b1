"""One outer iteration of trajectory matching, as data: every arm computes it from the same tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine.augment import dsa
from core.engine.kernels import Eager, Kernels
from core.engine.keys import Key
from core.engine.networks import ConvNet, build
from core.engine.preprocess import Transform, fit
from core.engine.unroll import Cotangents, Segment, View, adjoint
from core.files import draft
from core.recipe import Augment, MeanStd, Network

_EXPERT_BATCH = 128
_PATTERNS = Key(0)  # of made-up classes: the same in every draw of images


@dataclass(frozen=True)
class Pictures:
    """pixels uint8 [n, C, H, W]; labels int64 [n]; `classes` of them; how pixels become what networks see."""

    pixels: Tensor
    labels: Tensor
    classes: int
    transform: Transform

    @property
    def images(self) -> Tensor:
        """float32 [n, C, H, W]."""
        return self.transform.forward(self.pixels)


@dataclass(frozen=True)
class Setting:
    """A student's start (theta [P]), the parameters it is to match (target [P]) and its data in each of N steps.

    images [n, C, H, W]; labels int64 [n]; batches: N index tensors into them.
    """

    network: ConvNet
    theta: Tensor
    target: Tensor
    images: Tensor
    labels: Tensor
    step_size: Tensor
    batches: Sequence[Tensor]

    def to(self, device: torch.device, dtype: torch.dtype = torch.float32) -> Setting:
        """The same on a device, in a precision."""
        moved = {name: getattr(self, name).to(device, dtype) for name in ("theta", "target", "images", "step_size")}
        return replace(self, **moved, labels=self.labels.to(device), batches=[b.to(device) for b in self.batches])


def pictures(data: Path | None, n: int, key: Key, classes: int = 10, test: bool = False) -> Pictures:
    """`n` images, class after class in turn: of a bundle (x_train, y_train, ...), else made up, 3x32x32.

    Made-up images are normal noise on a pattern of their class. Both are normalised by the mean and deviation of each
    channel, of the whole training split where there is one.
    """
    if data is None:
        labels = torch.arange(n) % classes
        blocks = _PATTERNS.normal(classes, 3, 4, 4).repeat_interleave(8, 2).repeat_interleave(8, 3)
        noise = key.fold("noise", int(test)).normal(n, 3, 32, 32)
        pixels = (128 + 50 * noise + 25 * blocks[labels]).round().clamp(0, 255).to(torch.uint8)
        return Pictures(pixels, labels, classes, fit(MeanStd(), pixels))
    with np.load(data, allow_pickle=False) as bundle:
        x_train, split = bundle["x_train"], "test" if test else "train"
        x, labels = bundle["x_test"] if test else x_train, torch.from_numpy(bundle[f"y_{split}"]).long()
        classes = int(bundle["y_train"].max()) + 1
    order = key.fold("order").permutation(len(labels))
    members = [order[labels[order] == c] for c in range(classes)]
    turns = -(-n // classes)
    chosen = torch.stack([torch.cat([m] * -(-turns // len(m)))[:turns] for m in members], 1).flatten()[:n]
    return Pictures(_planes(x[chosen.numpy()]), labels[chosen], classes, fit(MeanStd(), _planes(x_train)))


def prepare(
    data: Path | None,
    *,
    width: int,
    depth: int | None = None,
    steps: int,
    batch: int,
    images: int,
    classes: int = 10,
    expert_steps: int = 20,
    key: Key,
) -> Setting:
    """A setting in which the student's images are real (or made up), and the target is `expert_steps` of SGD away.

    The expert starts where the student does and moves at the reference's rate, 0.01, on other images of the same kind.
    A student's batch is the next part of a permutation that is drawn anew when it runs out.
    """
    kind = pictures(data, images, key.fold("synthetic"), classes)
    c, h, w = kind.pixels.shape[1:]
    network = build(Network(width=width, depth=depth), (c, h, w), kind.classes)
    theta = network.init(key.fold("network"))
    target, kernels = theta, Eager(network)
    if expert_steps:
        seen = pictures(data, expert_steps * _EXPERT_BATCH, key.fold("expert"), classes)
        shown, targets = seen.images, F.one_hot(seen.labels, kind.classes).float()
        for part in torch.arange(len(targets)).split(_EXPERT_BATCH):
            target = target - 0.01 * kernels.gradient(target, shown[part], targets[part])
    else:
        target = network.init(key.fold("target"))
    batches: list[Tensor] = []
    while len(batches) < steps:
        batches += key.fold("batches", len(batches)).permutation(images).split(min(batch, images))
    return Setting(network, theta, target, kind.images, kind.labels, torch.tensor(0.01), batches[:steps])


def save(setting: Setting, path: Path) -> None:
    """Write a setting so that a reader sees all of it or nothing."""
    n = setting.network
    with draft(path) as out:
        torch.save({**vars(setting), "network": [list(n.shape), n.classes, n.width, n.depth, n.norm]}, out)


def load(path: Path) -> Setting:
    """Read what `save` wrote."""
    kept = torch.load(path, weights_only=True)
    shape, *rest = kept.pop("network")
    return Setting(network=ConvNet(tuple(shape), *rest), **kept)


def outer_gradient(
    setting: Setting, kernels: Kernels, augmented: Key | None = None, residual_bytes: int = 0
) -> tuple[Tensor, Cotangents]:
    """The normalised distance to the target after the N steps, and its gradient: the engine's own outer iteration.

    `augmented` draws DSA views, one for each step; `residual_bytes` is how much steps may keep of their
    forward pass.
    """
    scale = (setting.theta - setting.target).square().sum()

    def terminal(path: Sequence[Tensor]) -> tuple[Tensor, Mapping[int, Tensor]]:
        residual = path[-1] - setting.target
        return residual.square().sum() / scale, {len(path) - 1: 2 * residual / scale}

    views: list[View] = [lambda x: x] * len(setting.batches)
    if augmented is not None:
        views = [partial(dsa, augment=Augment(), key=augmented.fold(i)) for i in range(len(views))]
    segment = Segment(
        kernels=kernels,
        theta=setting.theta,
        images=setting.images,
        labels=F.one_hot(setting.labels, setting.network.classes).to(setting.images.dtype),
        step_size=setting.step_size,
        batches=setting.batches,
        views=views,
        residual_bytes=residual_bytes,
    )
    return adjoint(segment, terminal)


def _planes(pixels: np.ndarray[Any, Any]) -> Tensor:
    """uint8 [n, H, W] or [n, H, W, C] to [n, C, H, W]."""
    stacked = torch.from_numpy(np.ascontiguousarray(pixels))
    return stacked.unsqueeze(1) if stacked.ndim == 3 else stacked.permute(0, 3, 1, 2).contiguous()
