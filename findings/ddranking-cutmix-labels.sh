#!/usr/bin/env bash
# DD-Ranking's CutMix and MixUp mix pictures but not their labels, which its documentation calls blended.
# Versions: Python 3.11, ddranking 0.2.0, PyTorch 2.15.0, torchvision 0.29.2, NumPy 1.26.4
#
# Cutmix (the default of its three scores) and Mixup return pictures alone. Its training asks a teacher for new labels
# of the mixed pictures in soft label mode "M" only; in mode "S" (the default), and with hard labels, the label of the
# first picture stays whole, whatever is left of that picture: after Mixup a label is sure of a class that makes up
# less than half of the picture in four of ten cases. The accuracies that rank distilled sets come from such training.
# Nothing tells of it. torchvision's CutMix blends the labels by the area that remains.
#
# Seen on 2026-11-29 (6,400 pictures in batches of 64):
#     ddranking Cutmix  : label 1.00 sure of its class, 0.77 of the picture is of it, less than half in  7 %
#     ddranking Mixup   : label 1.00 sure of its class, 0.57 of the picture is of it, less than half in 42 %
#     torchvision CutMix: label 0.77 sure of its class, 0.77 of the picture is of it, less than half in  0 %
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3.11}" -m venv env
if command -v uv >/dev/null; then
    install=(uv pip install --quiet --python env/bin/python)
else
    install=(env/bin/python -m pip install --quiet --disable-pip-version-check)
fi
"${install[@]}" ddranking==0.2.0 torch==2.15.0 torchvision==0.29.2 numpy==1.26.4 pandas==2.3.3 kornia==0.8.1 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

trap 'tail -3 messages.txt; exit 1' ERR
env/bin/python - 2>messages.txt <<'PY'
import contextlib
import io

import numpy as np
import torch
from ddranking.aug import Cutmix, Mixup
from ddranking.utils import train_one_epoch
from torchvision.transforms.v2 import CutMix

CLASSES = 10
pictures = torch.eye(CLASSES)[torch.arange(6400) % CLASSES][..., None, None].repeat(1, 1, 16, 16)  # a channel a class
labels = torch.eye(CLASSES)[torch.arange(6400) % CLASSES]  # soft labels, each sure of its class
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(pictures, labels), 64, shuffle=True)


def trained_on(change: object) -> tuple[torch.Tensor, torch.Tensor]:
    """The share of each class that the pictures show, and the labels, as a training in mode "S" gets them."""
    shown, told = [], []

    def mixed(images: torch.Tensor) -> torch.Tensor:
        images = change(images)
        shown.append(images.mean((2, 3)))
        return images

    def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        told.append(targets)
        return torch.nn.functional.cross_entropy(outputs, targets)

    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(CLASSES * 256, CLASSES))
    with contextlib.redirect_stdout(io.StringIO()):
        train_one_epoch(0, network, loader, loss, torch.optim.SGD(network.parameters(), lr=0.01), soft_label_mode="S",
                        aug_func=mixed, device="cpu")
    return torch.cat(shown), torch.cat(told)


def row(title: str, shown: torch.Tensor, told: torch.Tensor) -> tuple[float, float, float]:
    own = shown[torch.arange(len(told)), told.argmax(1)]
    numbers = told.max(1).values.mean().item(), own.mean().item(), (own < 0.5).float().mean().item()
    print("{:18}: label {:.2f} sure of its class, {:.2f} of the picture is of it, less than half in {:2.0f} %".format(
        title, *numbers[:2], 100 * numbers[2]))
    return numbers


torch.manual_seed(0)
np.random.seed(0)
changes = {"ddranking Cutmix": (Cutmix({"beta": 1.0}), 0.05), "ddranking Mixup": (Mixup({"lambda": 0.8}), 0.3)}
for title, (change, least) in changes.items():
    sure, own, half = row(title, *trained_on(change))
    assert sure == 1, "labels are blended now"
    assert own < 0.85 and half > least, "pictures are mostly of their label's class now"
blend = CutMix(alpha=1.0, num_classes=CLASSES)
both = [blend(images, targets.argmax(1)) for images, targets in loader]
shown, told = torch.cat([images.mean((2, 3)) for images, _ in both]), torch.cat([targets for _, targets in both])
row("torchvision CutMix", shown, told)
assert torch.allclose(shown, told, atol=1e-5), "torchvision's labels are no longer what its pictures show"
PY
