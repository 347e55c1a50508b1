"""The MTT reference implementation, out of a checkout that the user supplies: its own modules do its own work.

Only for a child process: the checkout's modules have top-level names such as `utils`, and they are imported as such.
What drives them here is written anew after the published algorithm (Cazenavette et al. 2022, algorithm 1).
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.setting import Setting
from core.engine.networks import ConvNet

STRATEGY = "color_crop_cutout_flip_scale_rotate"
"""The reference's augmentation, as its scripts set it."""


class Peer:
    """The modules of a checkout, imported on first use."""

    def __init__(self, path: Path) -> None:
        if not (path / "networks.py").is_file() or not (path / "reparam_module.py").is_file():
            raise SystemExit(f"{path} is no checkout of mtt-distillation: it has no networks.py and reparam_module.py.")
        self._path = path.resolve()
        self.stubbed: list[str] = []
        """Third-party modules that the checkout imports and this machine lacks: empty here, an error if called."""
        sys.path.insert(0, str(self._path))

    def module(self, name: str) -> Any:
        """A module of the checkout."""
        while True:
            try:
                return importlib.import_module(name)
            except ModuleNotFoundError as lacking:
                missing = lacking.name or ""
                if not missing or missing == name or missing.split(".")[0] in ("torch", "torchvision", "numpy"):
                    raise
                self._stub(missing)

    def network(self, ours: ConvNet, theta: Tensor) -> nn.Module:
        """The reference's ConvNet with our parameters, on the CPU in float32.

        Raises ValueError unless both networks have the same parameters in the same order.
        """
        norms = {"instance": "instancenorm", "batch": "batchnorm", "none": "none"}
        channels, *side = ours.shape
        network: nn.Module = self.module("networks").ConvNet(
            channels, ours.classes, ours.width, ours.depth, "relu", norms[ours.norm], "avgpooling", tuple(side)
        )
        theirs = [tuple(p.shape) for p in network.parameters()]
        if theirs != [shape for _, shape in ours.layout]:
            raise ValueError(f"The reference's parameters are {theirs}; ours are {ours.layout}.")
        pieces = theta.split([p.numel() for p in network.parameters()])
        with torch.no_grad():
            for parameter, piece in zip(network.parameters(), pieces, strict=True):
                parameter.copy_(piece.view_as(parameter))
        return network

    def flat(self, network: nn.Module) -> nn.Module:
        """The network under the reference's reparametrisation; `flat_param` holds its parameters in its order."""
        wrapped: nn.Module = self.module("reparam_module").ReparamModule(network)
        return wrapped

    def arguments(self, device: torch.device, **more: Any) -> SimpleNamespace:
        """The command-line options that the functions of its `utils` read, at the values its scripts set."""
        utils = self.module("utils")
        return SimpleNamespace(
            dataset="CIFAR10",
            device=str(device),
            dsa=True,
            dsa_strategy=STRATEGY,
            dsa_param=utils.ParamDiffAug(),
            dc_aug_param=None,
            **more,
        )

    def _stub(self, name: str) -> None:
        def absent(attribute: str) -> Any:
            if attribute.startswith("__"):
                raise AttributeError(attribute)

            def call(*_: object, **__: object) -> None:
                raise RuntimeError(f"{name}.{attribute} was called, and {name} is not installed")

            return call

        stub = types.ModuleType(name)
        stub.__getattr__ = absent  # type: ignore[method-assign]
        sys.modules[name] = stub
        self.stubbed.append(name)


class Unroll:
    """The reference's outer iteration for one setting: N steps with a graph, one backward pass through all of them."""

    def __init__(self, peer: Peer, setting: Setting, device: torch.device, augmented: bool) -> None:
        def vector(theta: Tensor) -> Tensor:
            flat: Tensor = peer.flat(peer.network(setting.network, theta)).get_parameter("flat_param")
            return flat.detach().to(device)

        self._start, self._target = vector(setting.theta), vector(setting.target)
        self._student = peer.flat(peer.network(setting.network, setting.theta)).to(device)
        self._student.train()
        self._setting = setting.to(device)
        self._diff = peer.module("utils") if augmented else None
        self._device = device

    def logits(self, images: Tensor) -> Tensor:
        """[B, K] of the student where it starts."""
        with torch.no_grad():
            return self._student(images.to(self._device), flat_param=self._start)  # type: ignore[no-any-return]

    def __call__(self) -> tuple[Tensor, Tensor, Tensor]:
        """The loss, and its gradient in the images and in the step size."""
        setting = self._setting
        images = setting.images.clone().requires_grad_()
        eta = setting.step_size.clone().requires_grad_()
        path = [self._start.clone().requires_grad_()]
        for batch in setting.batches:
            seen = images[batch]
            if self._diff is not None:
                seen = self._diff.DiffAugment(seen, STRATEGY, param=self._diff.ParamDiffAug())
            loss = F.cross_entropy(self._student(seen, flat_param=path[-1]), setting.labels[batch])
            (slope,) = torch.autograd.grad(loss, path[-1], create_graph=True)
            path.append(path[-1] - eta * slope)
        size = len(self._start)
        far = F.mse_loss(path[-1], self._target, reduction="sum") / size
        scale = F.mse_loss(self._start, self._target, reduction="sum") / size
        outcome = far / scale
        outcome.backward()
        assert images.grad is not None
        assert eta.grad is not None
        return outcome.detach(), images.grad, eta.grad


def loader(peer: Peer, images: Tensor, labels: Tensor, batch: int, *, shuffle: bool) -> Any:
    """The reference's own TensorDataset in the DataLoader that its scripts make of it."""
    dataset = peer.module("utils").TensorDataset(images, labels)
    return torch.utils.data.DataLoader(dataset, batch_size=batch, shuffle=shuffle, num_workers=0)


def missing(stubbed: Sequence[str]) -> str:
    """A remark for the table's head, empty if nothing was missing."""
    return f" Empty stand-ins for what the checkout imports and never calls here: {', '.join(stubbed)}." * bool(stubbed)
