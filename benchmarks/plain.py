"""Training the ConvNet in plain PyTorch, as anybody would: its own layers, two lines for speed, no augmentation.

The lines are `torch.compile` of the network and, in bfloat16, `torch.autocast`. Whoever needs no engine writes these,
so the benchmark of experts has them as arms.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.engine.networks import ConvNet

PLAIN, PLAIN_BF16 = "plain", "plain-bf16"
PLAINS = (PLAIN, PLAIN_BF16)
"""Compiled in float32, and under autocast to bfloat16 too."""


def module(network: ConvNet, theta: Tensor) -> nn.Sequential:
    """The same function as the network at theta [P], of torch's own layers."""
    layers: list[nn.Module] = []
    channels = network.shape[0]
    for block in range(network.depth):
        layers.append(nn.Conv2d(channels, network.width, 3, padding=1 if block else network.first_padding))
        if network.norm == "instance":
            layers.append(nn.GroupNorm(network.width, network.width))
        elif network.norm == "batch":
            layers.append(nn.BatchNorm2d(network.width))
        layers += [nn.ReLU(), nn.AvgPool2d(2)]
        channels = network.width
    features = dict(network.layout)["linear.weight"][1]
    made = nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, network.classes))
    nn.utils.vector_to_parameters(theta, made.parameters())
    return made


def trainer(student: nn.Module, arm: str, lr: float, device: torch.device) -> Callable[[Tensor, Tensor], None]:
    """A step of SGD without momentum on images [B, C, H, W] with classes [B]; the student's parameters move."""
    run = torch.compile(student)
    descent = torch.optim.SGD(student.parameters(), lr=lr)

    def step(images: Tensor, labels: Tensor) -> None:
        descent.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=arm == PLAIN_BF16):
            loss = F.cross_entropy(run(images), labels)
        loss.backward()
        descent.step()

    return step
