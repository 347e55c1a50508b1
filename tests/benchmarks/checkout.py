"""A checkout with the names of the MTT reference's modules and functions, and as little in it as a benchmark reads."""

from __future__ import annotations

from pathlib import Path

NETWORKS = """
from torch import nn

NORMS = {"instancenorm": lambda c: nn.GroupNorm(c, c), "batchnorm": nn.BatchNorm2d}


class ConvNet(nn.Sequential):
    def __init__(self, channel, num_classes, net_width, net_depth, net_act, net_norm, net_pooling, im_size=(32, 32)):
        assert (net_act, net_pooling) == ("relu", "avgpooling")
        blocks, side = [], im_size[0]
        for _ in range(net_depth):
            blocks += [nn.Conv2d(channel, net_width, 3, padding=1), NORMS[net_norm](net_width), nn.ReLU()]
            blocks.append(nn.AvgPool2d(2))
            channel, side = net_width, side // 2
        super().__init__(*blocks, nn.Flatten(), nn.Linear(channel * side * side, num_classes))
"""

REPARAM = """
import torch
from torch import nn


class ReparamModule(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.inner = [module]
        self.shapes = [(name, p.shape, p.numel()) for name, p in module.named_parameters()]
        self.flat_param = nn.Parameter(torch.cat([p.detach().flatten() for p in module.parameters()]))

    def forward(self, x, flat_param):
        parts = flat_param.split([n for _, _, n in self.shapes])
        named = {name: part.view(shape) for (name, shape, _), part in zip(self.shapes, parts)}
        return torch.func.functional_call(self.inner[0], named, x)
"""

UTILS = """
import torch
import a_library_that_nobody_has as lacking
from a_library_that_nobody_has.part import piece


class ParamDiffAug:
    pass


class TensorDataset(torch.utils.data.TensorDataset):
    pass


def DiffAugment(x, strategy, param):
    return torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(3), x)


def epoch(mode, dataloader, net, optimizer, criterion, args, aug):
    assert aug == (mode == "train") and args.dsa
    right, seen = 0, 0
    for images, labels in dataloader:
        output = net(DiffAugment(images, args.dsa_strategy, args.dsa_param) if aug else images)
        right, seen = right + int((output.argmax(1) == labels).sum()), seen + len(labels)
        if mode == "train":
            optimizer.zero_grad()
            criterion(output, labels).backward()
            optimizer.step()
    return 0.0, right / seen


def evaluate_synset(it_eval, net, images_train, labels_train, testloader, args):
    print("something of its own")
    loader = torch.utils.data.DataLoader(TensorDataset(images_train, labels_train), args.batch_train, shuffle=True)
    descent = torch.optim.SGD(net.parameters(), args.lr_net, momentum=0.9)
    for _ in range(args.epoch_eval_train + 1):
        epoch("train", loader, net, descent, torch.nn.CrossEntropyLoss(), args, aug=True)
    return net, [], epoch("test", testloader, net, None, None, args, aug=False)[1]
"""


def write(folder: Path) -> Path:
    """The checkout, written to `folder`."""
    folder.mkdir()
    for name, source in {"networks": NETWORKS, "reparam_module": REPARAM, "utils": UTILS}.items():
        (folder / f"{name}.py").write_text(source, "utf-8")
    return folder
