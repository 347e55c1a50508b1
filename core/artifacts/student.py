"""Train networks on the dataset in this folder as its report did. Needs PyTorch, and `load.py` beside it.

python student.py                       trains one, and says how well it has learned the examples

from load import load
from student import accuracy, network, train

data = load()
trained = train(network(data), data)    a fresh network of the report's kind, trained as those of the report were: with
                                        its learning rate, epochs, augmentation, optimiser, loss and kind of label
accuracy(trained, data.transform(pixels), labels)   its share of right answers on real examples

Any other `torch.nn.Module` can be given to `train`. For a training loop of your own:

for stage in stages(data):              one stage, if the images have no order; an optimiser begins anew with each
    for images, targets, rate in stage: what a network is shown at each step, and the learning rate of that step
        loss(network(images), targets, data)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

if TYPE_CHECKING:
    from load import Distilled

Step = tuple[Tensor, Tensor, float]
"""Images [B, C, H, W], targets [B, classes], and the learning rate."""


def train(network: nn.Module, data: Distilled, seed: int = 0) -> nn.Module:
    """The network trained in place as the report's were, on the device it lies on; `seed` draws order and views."""
    protocol, device = data.recipe["evaluation"], next(network.parameters()).device
    network.train()
    for stage in stages(data, seed):
        descent = optimiser(network, protocol)
        for images, targets, rate in stage:
            descent.param_groups[0]["lr"] = rate
            descent.zero_grad()
            loss(network(images.to(device)), targets.to(device), data).backward()
            descent.step()
    return network.eval()


def accuracy(network: nn.Module, images: Any, labels: Any) -> float:
    """Share of images float32 [N, C, H, W], as `data.transform` makes them, whose class int64 [N] is recognised."""
    device = next(network.parameters()).device
    with torch.no_grad():
        answers = [network(part.to(device)).argmax(1).cpu() for part in torch.as_tensor(images).split(1024)]
    return float((torch.cat(answers) == torch.as_tensor(labels)).float().mean())


def stages(data: Distilled, seed: int = 0) -> Iterator[Iterator[Step]]:
    """The training data of one network, step after step; of a curriculum, stage after stage."""
    generator = Generator().manual_seed(seed)
    if data.views is not None:
        yield _replayed(data, seed)
        return
    for stage, (images, targets, rate) in enumerate(data.stages()):
        assert rate is not None, "a recipe whose method learns no rate has one for its evaluation"
        real = torch.from_numpy(data.real[data.stage <= stage])
        yield _drawn(data, torch.from_numpy(images), _labels(data, targets), real, rate, generator)


def loss(logits: Tensor, targets: Tensor, data: Distilled) -> Tensor:
    """The loss of logits [B, classes]: cross-entropy, or half the squared distance to regression targets."""
    if data.regression_targets is not None:
        return (logits - targets + targets.mean(1, keepdim=True)).square().sum(1).mean() / 2
    return F.cross_entropy(logits / data.temperature, targets)


def optimiser(network: nn.Module, protocol: Mapping[str, Any]) -> torch.optim.Optimizer:
    """SGD with momentum, or AdamW; every step sets the rate."""
    momentum, decay = protocol["momentum"], protocol["weight_decay"]
    if protocol.get("optimiser") == "adamw":
        return torch.optim.AdamW(network.parameters(), 1.0, (momentum, 0.999), weight_decay=decay)
    return torch.optim.SGD(network.parameters(), 1.0, momentum=momentum, weight_decay=decay)


def rate_in(protocol: Mapping[str, Any], first: float, epoch: int) -> float:
    """Learning rate in an epoch: `step` is a tenth after half of them, `cosine` falls to zero."""
    epochs = protocol["epochs"]
    match protocol["schedule"]:
        case "step":
            return first * (0.1 if epoch > epochs // 2 else 1.0)
        case "cosine":
            return first * (1 + math.cos(math.pi * epoch / epochs)) / 2
        case _:
            return first


def _labels(data: Distilled, targets: Any) -> Tensor:
    given = torch.from_numpy(targets)
    return given if given.ndim == 2 else F.one_hot(given, len(data.class_names)).float()


def _replayed(data: Distilled, seed: int) -> Iterator[Step]:
    """The very views that a teacher has labelled."""
    protocol, (first,) = data.recipe["evaluation"], (rate for _, _, rate in data.stages())
    assert data.views is not None, "there are views"
    size = data.views["index"].shape[1]
    for step, (images, targets) in enumerate(data.batches(seed=seed)):
        epoch = step * size // len(data.images)  # the one in which the batch begins
        yield torch.from_numpy(images), torch.from_numpy(targets), rate_in(protocol, first, epoch)


def _drawn(
    data: Distilled, images: Tensor, targets: Tensor, real: Tensor, first: float, generator: Generator
) -> Iterator[Step]:
    """Every image once an epoch, in a view of its own."""
    protocol = data.recipe["evaluation"]
    for epoch in range(protocol["epochs"]):
        for batch in torch.randperm(len(images), generator=generator).split(protocol["batch_size"]):
            x, y = view(images[batch], real[batch], data.recipe, generator), targets[batch]
            if protocol.get("cutmix"):
                x, y = cutmix(x, y, protocol["cutmix"]["probability"], generator)
            yield x, y, rate_in(protocol, first, epoch)


# --- Views of images: differentiable siamese augmentation (Zhao & Bilen 2021), drawn as the recipe's evaluation says


def view(x: Tensor, real: Tensor, recipe: Mapping[str, Any], generator: Generator) -> Tensor:
    """A view of each image of a batch [B, C, H, W], of which `real` [B] are real ones, rounded at most.

    By the evaluation's policy: "batch" draws one transform for the whole batch, "sample" one for each image, "simple"
    crops and mirrors, and "combined" does the last to real images and the second to others.
    """
    names, policy = list(recipe["augment"]["transforms"]), recipe["evaluation"].get("policy", "batch")
    if recipe["evaluation"].get("cutmix") and "cutout" in names:
        names.remove("cutout")  # CutMix takes its place
    if not names or not recipe["evaluation"]["augment"]:
        return x
    u = torch.rand(4, len(x), generator=generator)
    if policy == "batch":
        return TRANSFORMS[names[int(torch.randint(len(names), (), generator=generator))]](x, u)
    if policy == "simple":
        return simple(x, u, names)
    which = torch.randint(len(names), (len(x),), generator=generator)
    if policy == "combined":
        which[real] = len(names)
    seen = torch.empty_like(x)
    for place in which.unique().tolist():
        at = which == place
        seen[at] = simple(x[at], u[:, at], names) if place == len(names) else TRANSFORMS[names[place]](x[at], u[:, at])
    return seen


def cutmix(x: Tensor, y: Tensor, probability: float, generator: Generator) -> tuple[Tensor, Tensor]:
    """A box of each image is that of another of the batch, whose label counts by the box's share (Yun et al. 2019)."""
    drawn, area, *middle = torch.rand(4, generator=generator).tolist()
    if drawn >= probability:
        return x, y
    other = torch.randperm(len(x), generator=generator)
    ends = []
    for at, side in zip(middle, x.shape[2:], strict=True):
        centre, half = int(at * side), int(side * math.sqrt(area)) // 2
        ends.append(slice(max(centre - half, 0), min(centre + half, side)))
    x, was = x.clone(), x
    x[:, :, ends[0], ends[1]] = was[other][:, :, ends[0], ends[1]]
    share = math.prod(end.stop - end.start for end in ends) / math.prod(x.shape[2:])
    return x, (1 - share) * y + share * y[other]


def simple(x: Tensor, u: Tensor, names: list[str]) -> Tensor:
    """Cropped and mirrored, as far as the recipe's transforms have it."""
    x = _crop(x, u[:2]) if "crop" in names else x
    return _flip(x, u[2:]) if "flip" in names else x


def _color(x: Tensor, u: Tensor) -> Tensor:
    brightness, saturation, contrast = u[:3, :, None, None, None].unbind()
    x = x + brightness - 0.5
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * 2 * saturation
    level = x.mean((1, 2, 3), keepdim=True)
    return level + (x - level) * (contrast + 0.5)


def _crop(x: Tensor, u: Tensor) -> Tensor:
    height, width = x.shape[2:]
    reach = [int(side / 8 + 0.5) for side in (height, width)]
    padded = F.pad(x, (reach[1], reach[1], reach[0], reach[0]))
    tops, lefts = ((u[axis] * (2 * most + 1)).long().clamp(max=2 * most).tolist() for axis, most in enumerate(reach))
    return torch.stack([p[:, t : t + height, i : i + width] for p, t, i in zip(padded, tops, lefts, strict=True)])


def _cutout(x: Tensor, u: Tensor) -> Tensor:
    inside = []
    for axis, side in enumerate(x.shape[2:]):
        hole = int(side / 2 + 0.5)
        places = side + 1 - hole % 2
        start = (u[axis] * places).long().clamp(max=places - 1)[:, None] - hole // 2
        inside.append((torch.arange(side) >= start) & (torch.arange(side) < start + hole))
    return x.masked_fill((inside[0][:, :, None] & inside[1][:, None, :])[:, None], 0)


def _flip(x: Tensor, u: Tensor) -> Tensor:
    return torch.where(u[0, :, None, None, None] < 0.5, x.flip(3), x)


def _scale(x: Tensor, u: Tensor) -> Tensor:
    sx, sy = 1 / 1.2 + (1.2 - 1 / 1.2) * u[:2]
    zero = torch.zeros(len(x))
    return _warp(x, torch.stack((sx, zero, zero, zero, sy, zero), 1))


def _rotate(x: Tensor, u: Tensor) -> Tensor:
    angle = torch.deg2rad((u[0] * 2 - 1) * 15)
    sin, cos, zero = angle.sin(), angle.cos(), torch.zeros(len(x))
    return _warp(x, torch.stack((cos, -sin, zero, sin, cos, zero), 1))


def _warp(x: Tensor, matrix: Tensor) -> Tensor:
    grid = F.affine_grid(matrix.view(-1, 2, 3), list(x.shape), align_corners=True)
    return F.grid_sample(x, grid, align_corners=True)


TRANSFORMS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "color": _color,
    "crop": _crop,
    "cutout": _cutout,
    "flip": _flip,
    "scale": _scale,
    "rotate": _rotate,
}
"""Images [B, C, H, W] and uniform draws [4, B] to views of them."""


# --- The networks of the field's tables (Zhao, Mopuri & Bilen 2021), each of any width


def network(data: Distilled, seed: int = 0) -> nn.Module:
    """A fresh network of the report's kind, its weights drawn from `seed`."""
    known, shape = data.recipe["network"], data.images.shape[1:]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        body = nn.Sequential(*_layers(known, shape), nn.Flatten())
        with torch.no_grad():
            features = body.eval()(torch.zeros(1, *shape)).shape[1]
        return nn.Sequential(*body, nn.Linear(features, len(data.class_names))).train()


def _layers(known: Mapping[str, Any], shape: tuple[int, ...]) -> list[nn.Module]:
    w, norm, (channels, *sides) = known.get("width", 0), known.get("norm", "none"), shape
    padded = 2 if tuple(shape) == (1, 28, 28) else 0  # 28 becomes 32, as the field does for MNIST
    middle, pool = 3 * w // 2, nn.MaxPool2d(2)
    match known["kind"]:
        case "convnet":
            depth = known["depth"] or max(1, (min(sides) // 4).bit_length() - 1)
            blocks = [_conv(w if block else channels, w, 3, 1 if block else 1 + padded, norm) for block in range(depth)]
            return [layer for block in blocks for layer in (block, nn.AvgPool2d(2))]
        case "linear":
            return [nn.Flatten()]
        case "convnet-1d":  # of series [B, C, T]
            depth = known["depth"] or min(3, max(1, (sides[0] // 4).bit_length() - 1))
            along = [nn.Conv1d(w if block else channels, w, 3, padding=1) for block in range(depth)]
            return [layer for conv in along for layer in (conv, *_norm(w, norm, 1), nn.ReLU(), nn.AvgPool1d(2))]
        case "mlp":
            return [nn.Flatten(), *_hidden(math.prod(shape), w), *_hidden(w, w)]
        case "lenet":
            more, second = 2 if channels == 1 else 0, 8 * w // 3
            left = [((side + 2 * more - 4) // 2 - 4) // 2 for side in sides]
            hidden = *_hidden(second * math.prod(left), 20 * w), *_hidden(20 * w, 14 * w)
            convolutions = _conv(channels, w, 5, more, norm), pool, _conv(w, second, 5, 0, norm), pool
            return [*convolutions, nn.Flatten(), *hidden]
        case "alexnet":
            first = _conv(channels, w, 5, 2 + padded, norm), pool, _conv(w, middle, 5, 2, norm), pool
            last = _conv(middle, 2 * w, 3, 1, norm), _conv(2 * w, middle, 3, 1, norm), _conv(middle, middle, 3, 1, norm)
            return [*first, *last, pool]
        case "vgg11":
            found: list[nn.Module] = [_conv(channels, w, 3, 1 + padded, norm), pool, _conv(w, 2 * w, 3, 1, norm), pool]
            for inputs, outputs in ((2 * w, 4 * w), (4 * w, 8 * w), (8 * w, 8 * w)):
                found += [_conv(inputs, outputs, 3, 1, norm), _conv(outputs, outputs, 3, 1, norm), pool]
            return found
        case "resnet18":
            stem = nn.Sequential(nn.Conv2d(channels, w, 3, padding=1, bias=False), *_norm(w, norm), nn.ReLU())
            pairs = [(w << max(0, level - 1), w << level, 1 + (level > 0)) for level in range(4)]
            blocks = [
                block for i, o, stride in pairs for block in (_Residual(i, o, stride, norm), _Residual(o, o, 1, norm))
            ]
            return [stem, *blocks, nn.AdaptiveAvgPool2d(1)]
        case other:
            raise ValueError(f"This file builds no network of kind '{other}': give `train` one of your own.")


def _conv(inputs: int, outputs: int, kernel: int, padding: int, norm: str) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, padding=padding), *_norm(outputs, norm), nn.ReLU())


def _hidden(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Linear(inputs, outputs), nn.ReLU()


def _norm(width: int, norm: str, axes: int = 2) -> list[nn.Module]:
    """The layers that normalise a convolution's channels: instance norm is one group a channel."""
    if norm == "instance":
        return [nn.GroupNorm(width, width)]
    return [(nn.BatchNorm2d if axes == 2 else nn.BatchNorm1d)(width)] if norm == "batch" else []


class _Residual(nn.Module):
    """Two 3x3 convolutions added to their input, by way of 1x1 where shapes differ (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int, norm: str) -> None:
        super().__init__()
        first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), *_norm(outputs, norm), nn.ReLU()
        self.inner = nn.Sequential(*first, nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), *_norm(outputs, norm))
        around = [nn.Conv2d(inputs, outputs, 1, stride, bias=False), *_norm(outputs, norm)]
        self.around = nn.Sequential(*(around if stride > 1 or inputs != outputs else []))

    def forward(self, x: Tensor) -> Tensor:
        """Images or maps [B, C, H, W]."""
        return F.relu(self.inner(x) + self.around(x))


def main() -> None:
    """Train a network on the dataset in this folder, and say how well it has learned the examples."""
    from load import load

    data = load()
    share = accuracy(train(network(data), data), data.images, data.labels)
    print(
        f"A network was trained on {len(data.labels):,} examples of {len(data.class_names)} classes, and is right on "
        f"{share:.0%} of them."
    )


if __name__ == "__main__":
    main()
