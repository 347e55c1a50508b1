"""The ConvNet's gradient written out, and the tangent of that gradient: forward over reverse mode, by hand.

With x the input of a block, w its kernel and r = (var y + eps)^(-1/2), every block is

    y = x * w,    n = (y - mean y) r,    z = gamma n + beta,    out = pool(relu(z)).

`first` runs forwards and backwards and keeps what `second` needs, which differentiates that computation along a
direction u of the parameters: by symmetry of the Hessian that is the adjoint of an SGD step (Pearlmutter 1994). There
is no graph to record, and both are straight-line code that a compiler takes whole.

The passes are arranged by what they read. On full-sized maps everything but the ReLU is affine in y and its tangent,
with coefficients for each image and channel, so each map is read once a pass; and all sums over a map are sums over its
quads (the 2x2 that are pooled together) of "alive" (z > 0) and of y where alive, which are a quarter of the size.
A convolution's bias has no effect before a normalisation, and exactly no gradient there.

In names, `_t` marks tangents along u and `_bar` cotangents of the loss. Inside, images are [B, H, W, C], and maps are
quads [B, H / 2, 2, W / 2, 2, C].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine.kernels.convolution import Convolution
from core.engine.kernels.quads import flat, quads, spread, total
from core.engine.kernels.step import Adjoint
from core.engine.networks import ConvNet, Moments
from core.engine.networks.network import EPS


class Block(NamedTuple):
    """The values kept of a block: maps, quads' totals [B, h, w, C], and coefficients that broadcast with either."""

    lifted: Tensor  # X
    y: Tensor
    r: Tensor  # n = r y + m
    m: Tensor
    alive: Tensor  # how many of a quad are
    alive_y: Tensor  # sum of y over these
    out_bar: Tensor
    lifted_bar: Tensor  # cotangent of the product X W
    sum_bar: Tensor  # of z_bar over the axes of the normalisation
    sum_bar_n: Tensor  # of z_bar n


class Head(NamedTuple):
    """The values kept of the linear layer and the loss."""

    features: Tensor  # [B, F]
    p: Tensor  # softmax, [B, K]
    logits_bar: Tensor  # [B, K]
    mass: Tensor  # sum of each image's labels, [B, 1]


class Kept(NamedTuple):
    """All that the second pass reads of the first."""

    blocks: tuple[Block, ...]
    head: Head

    @classmethod
    def of(cls, leaves: Sequence[Tensor], depth: int) -> Kept:
        """From its tensors, in order; there may be more of them."""
        size = len(Block._fields)
        blocks = tuple(Block(*leaves[i * size : (i + 1) * size]) for i in range(depth))
        return cls(blocks, Head(*leaves[depth * size : depth * size + len(Head._fields)]))

    @property
    def leaves(self) -> list[Tensor]:
        """Its tensors, in order."""
        return [leaf for part in (*self.blocks, self.head) for leaf in part]


class _Layer(NamedTuple):
    """A block's parameters, or their tangents: the kernel ready to multiply, and z = gamma n + beta."""

    kernel: Tensor
    gamma: Tensor
    beta: Tensor


@dataclass(frozen=True)
class Passes:
    """The two passes of one network; `convolutions` says how each block's convolution is multiplied out.

    The first pass may go forwards another way than all the rest, by `forwards` (None: the same way).

    Whatever decides which ReLUs are alive is computed in full precision: rounding it to bfloat16 turns the second pass
    by 3 to 6 degrees, rounding all the rest by less than 2.
    """

    network: ConvNet
    convolutions: tuple[Convolution, ...]
    forwards: tuple[Convolution | None, ...] = ()

    def first(self, theta: Tensor, images: Tensor, labels: Tensor) -> tuple[Tensor, Kept, list[Tensor]]:
        """grad_theta of the mean cross-entropy, [P], what `second` needs, and some intermediates.

        The latter are returned because a compiler writes to memory what is returned, and may recompute in each reader
        what is not.
        """
        p = self.network.unflatten(theta)
        written: list[Tensor] = []
        layers = self._layers(p, 1.0, written)
        x = self._enter(images)
        forwards: list[tuple[Tensor, ...]] = []
        for i, (convolution, layer) in enumerate(zip(self.convolutions, layers, strict=True)):
            if other := self.forwards and self.forwards[i]:
                product = other.multiply((other.lift(x), _weighed(other, p[f"conv{i}.weight"], written)))
                y, lifted = quads(other.lower(product, x.shape)), convolution.lift(x)
            else:
                lifted = convolution.lift(x)
                y = quads(convolution.lower(convolution.multiply((lifted, layer.kernel)), x.shape))
            lifted = convolution.factor(lifted)
            r, m = self._statistics(y)
            a, c = layer.gamma * r, layer.gamma * m + layer.beta
            is_alive = (a * y + c > 0).to(theta.dtype)
            alive, alive_y = total(is_alive), total(is_alive * y)
            x = 0.25 * (_pooled(a) * alive_y + _pooled(c) * alive)
            forwards.append((lifted, y, r, m, a, c, alive, alive_y))
            written += [r, m, a, c, x]
        features = x.permute(0, 3, 1, 2).flatten(1)
        logits = F.linear(features, p["linear.weight"], p["linear.bias"])
        softmax, mass = logits.softmax(1), labels.sum(1, keepdim=True)
        logits_bar = (softmax * mass - labels) * (1 / len(labels))
        grads = {"linear.weight": logits_bar.T @ features, "linear.bias": logits_bar.sum(0)}
        out_bar = _as_images(logits_bar @ p["linear.weight"], x.shape)
        blocks: list[Block] = []
        for i in reversed(range(self.network.depth)):
            convolution, layer, (lifted, y, r, m, a, c, alive, alive_y) = self.convolutions[i], layers[i], forwards[i]
            quarter = 0.25 * out_bar
            sums = (
                self._sum(quarter * alive),
                self._sum(quarter * (_pooled(r) * alive_y + _pooled(m) * alive)),
            )
            y_bar = (a * y + c > 0).to(theta.dtype) * spread(quarter * _pooled(a), y)
            if self._normalises:
                share = a * (-1 / self._count(y))
                of_y, of_one = share * r * sums[1], share * (sums[0] + m * sums[1])
                y_bar = y_bar + of_y * y + of_one
                written += [of_y, of_one]
            lifted_bar = convolution.factor(convolution.raise_(flat(y_bar)))
            written.append(y_bar)
            blocks.append(Block(lifted, y, r, m, alive, alive_y, out_bar, lifted_bar, *sums))
            grads |= self._gradients(i, convolution.correlate((lifted, lifted_bar)).to(theta.dtype), *sums)
            if i:
                back = convolution.back((lifted_bar, convolution.factor(layer.kernel))).to(theta.dtype)
                out_bar = convolution.settle(back, self._input(i, y))
        kept = Kept(tuple(reversed(blocks)), Head(features, softmax, logits_bar, mass))
        return self._flatten(grads), kept, written

    def second(self, theta: Tensor, kept: Kept, u: Tensor) -> tuple[Adjoint, list[Tensor]]:
        """The adjoint of the step from `theta` for the cotangent u of its gradient; and some intermediates."""
        p, p_t = self.network.unflatten(theta), self.network.unflatten(u)
        written: list[Tensor] = []
        layers, layers_t = self._layers(p, 1.0, written), self._layers(p_t, 0.0, written)
        forwards: list[tuple[Tensor | None, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]] = []
        x_t = theta.new_zeros(())
        for i, (convolution, layer, layer_t, block) in enumerate(
            zip(self.convolutions, layers, layers_t, kept.blocks, strict=True)
        ):
            y, r, m = block.y, block.r, block.m
            lifted_t = convolution.factor(convolution.lift(x_t)) if i else None  # images have no tangent
            pairs = [(block.lifted, convolution.factor(layer_t.kernel))]
            if lifted_t is not None:
                pairs.append((lifted_t, convolution.factor(layer.kernel)))
            product = convolution.multiply(*pairs)
            y_t = quads(convolution.lower(product.to(theta.dtype), self._input(i, y)))
            slope, shift = self._turn(y_t, y, r, m)  # n_t = r y_t + slope y + shift
            a, c = layer.gamma * r, layer.gamma * m + layer.beta
            alive_y_t = total((a * y + c > 0).to(theta.dtype) * y_t)
            of_y = layer_t.gamma * r + layer.gamma * slope
            of_one = layer_t.gamma * m + layer.gamma * shift + layer_t.beta
            x_t = 0.25 * (_pooled(of_y) * block.alive_y + _pooled(a) * alive_y_t + _pooled(of_one) * block.alive)
            forwards.append((lifted_t, y_t, slope, shift, a, c, alive_y_t))
            written += [y_t, slope, shift, a, c, of_y, of_one, x_t]
        head = kept.head
        features_t = x_t.permute(0, 3, 1, 2).flatten(1)
        logits_t = F.linear(features_t, p["linear.weight"]) + F.linear(
            head.features, p_t["linear.weight"], p_t["linear.bias"]
        )
        centred = logits_t - (head.p * logits_t).sum(1, keepdim=True)
        logits_bar_t = head.p * centred * (head.mass * (1 / len(centred)))
        grads = {
            "linear.weight": logits_bar_t.T @ head.features + head.logits_bar.T @ features_t,
            "linear.bias": logits_bar_t.sum(0),
        }
        features_bar_t = logits_bar_t @ p["linear.weight"] + head.logits_bar @ p_t["linear.weight"]
        out_bar_t = _as_images(features_bar_t, x_t.shape)
        for i in reversed(range(self.network.depth)):
            convolution, layer, layer_t, block = self.convolutions[i], layers[i], layers_t[i], kept.blocks[i]
            lifted_t, y_t, slope, shift, rate, c, alive_y_t = forwards[i]
            y, r, m = block.y, block.r, block.m
            quarter, quarter_t = 0.25 * block.out_bar, 0.25 * out_bar_t
            alive_n = _pooled(r) * block.alive_y + _pooled(m) * block.alive
            alive_n_t = _pooled(r) * alive_y_t + _pooled(slope) * block.alive_y + _pooled(shift) * block.alive
            sums_t = self._sum(quarter_t * block.alive), self._sum(quarter_t * alive_n + quarter * alive_n_t)
            # y_bar = gamma r (z_bar - (sum_bar + sum_bar_n n) / count), differentiated; r_t = slope of n's own part
            rate_t = layer_t.gamma * r + layer.gamma * slope
            share = quarter_t * _pooled(rate) + quarter * _pooled(rate_t)
            y_bar_t = (rate * y + c > 0).to(theta.dtype) * spread(share, y)
            written += [rate_t, share]
            if self._normalises:
                inverse = -1 / self._count(y)
                of_one = inverse * (rate * sums_t[0] + rate_t * block.sum_bar)
                of_n = inverse * (rate * sums_t[1] + rate_t * block.sum_bar_n)
                of_n_t = inverse * (rate * block.sum_bar_n)
                by_y, by_y_t = of_n * r + of_n_t * slope, of_n_t * r
                by_one = of_one + of_n * m + of_n_t * shift
                y_bar_t = y_bar_t + by_y * y + by_y_t * y_t + by_one
                written += [by_y, by_y_t, by_one]
            lifted_bar_t = convolution.factor(convolution.raise_(flat(y_bar_t)))
            pairs = [(block.lifted, lifted_bar_t)]
            if lifted_t is not None:
                pairs.append((lifted_t, block.lifted_bar))
            kernel_bar = convolution.correlate(*pairs)
            grads |= self._gradients(i, kernel_bar.to(theta.dtype), *sums_t)
            back = convolution.back(
                (block.lifted_bar, convolution.factor(layer_t.kernel)),
                (lifted_bar_t, convolution.factor(layer.kernel)),
            )
            out_bar_t = convolution.settle(back.to(theta.dtype), self._input(i, y))
            written += [y_bar_t, out_bar_t]
        along = (head.logits_bar * logits_t).sum()
        labels = centred * (-1 / len(centred))
        return Adjoint(along, self._flatten(grads), self._leave(out_bar_t), labels), written

    def logits(self, theta: Tensor, images: Tensor, moments: Moments | None = None) -> tuple[Tensor, list[Tensor]]:
        """The logits [B, K], by `moments` where they are given, and some intermediates as in `first`."""
        p = self.network.unflatten(theta)
        written: list[Tensor] = []
        x = self._enter(images)
        for i, convolution in enumerate(self.forwards or self.convolutions):
            convolution = convolution or self.convolutions[i]
            kernel = _weighed(convolution, p[f"conv{i}.weight"], written)
            y = quads(convolution.lower(convolution.multiply((convolution.lift(x), kernel)), x.shape))
            if moments is None:
                r, m = self._statistics(y)
            else:
                r = (moments.variances[i] + EPS).rsqrt()
                m = (p[f"conv{i}.bias"] - moments.means[i]) * r
            gamma, beta = self._affine(p, i, 1.0)
            a, c = gamma * r, gamma * m + beta
            x = 0.25 * total((a * y + c).clamp_min(0))
            written += [a, c, x]
        features = x.permute(0, 3, 1, 2).flatten(1)
        return F.linear(features, p["linear.weight"], p["linear.bias"]), written

    def moments(self, theta: Tensor, kept: Kept) -> Moments:
        """Mean and unbiased variance per channel that each batch norm saw; nothing for the other norms."""
        if self.network.norm != "batch":
            return Moments((), ())
        p = self.network.unflatten(theta)
        means, variances = [], []
        for i, block in enumerate(kept.blocks):
            count, rate = self._count(block.y), block.r.flatten()
            means.append(p[f"conv{i}.bias"] - block.m.flatten() / rate)
            variances.append((rate**-2 - EPS).clamp_min(0) * (count / (count - 1)))
        return Moments(tuple(means), tuple(variances))

    @property
    def _normalises(self) -> bool:
        return self.network.norm != "none"

    def _layers(self, p: dict[str, Tensor], gamma: float, written: list[Tensor]) -> list[_Layer]:
        """Without a norm, gamma is as given (its tangent is nought) and the convolution's bias takes beta's place."""
        weighed = [_weighed(c, p[f"conv{i}.weight"], written) for i, c in enumerate(self.convolutions)]
        return [_Layer(kernel, *self._affine(p, i, gamma)) for i, kernel in enumerate(weighed)]

    def _affine(self, p: dict[str, Tensor], i: int, gamma: float) -> tuple[Tensor, Tensor]:
        """A block's gamma and beta."""
        if self._normalises:
            return p[f"norm{i}.weight"], p[f"norm{i}.bias"]
        return torch.full_like(p[f"conv{i}.bias"], gamma), p[f"conv{i}.bias"]

    def _gradients(self, i: int, kernel_bar: Tensor, sum_bar: Tensor, sum_bar_n: Tensor) -> dict[str, Tensor]:
        weight, beta = self.convolutions[i].unweigh(kernel_bar), sum_bar.flatten(0, -2).sum(0)
        if not self._normalises:
            return {f"conv{i}.weight": weight, f"conv{i}.bias": beta}
        return {
            f"conv{i}.weight": weight,
            f"conv{i}.bias": torch.zeros_like(beta),
            f"norm{i}.weight": sum_bar_n.flatten(0, -2).sum(0),
            f"norm{i}.bias": beta,
        }

    def _flatten(self, grads: dict[str, Tensor]) -> Tensor:
        return torch.cat([grads[name].reshape(-1) for name, _ in self.network.layout])

    def _enter(self, images: Tensor) -> Tensor:
        more = self.network.first_padding - 1  # than every convolution has
        return F.pad(images.permute(0, 2, 3, 1), (0, 0, more, more, more, more))

    def _leave(self, images: Tensor) -> Tensor:
        more = self.network.first_padding - 1
        return images[:, more : images.shape[1] - more, more : images.shape[2] - more].permute(0, 3, 1, 2)

    def _input(self, i: int, y: Tensor) -> torch.Size:
        """The shape [B, H, W, C] of block i's input, if its convolution gave y."""
        batch, height, a, width, b, _ = y.shape
        return torch.Size((batch, height * a, width * b, self.network.width if i else self.network.shape[0]))

    def _count(self, y: Tensor) -> int:
        """Entries of a map that are normalised together."""
        return math.prod(y.shape[1:5]) * (len(y) if self.network.norm == "batch" else 1)

    def _sum(self, x: Tensor) -> Tensor:
        """Over the axes of the normalisation, quads or their totals -> [B or 1, 1, 1, 1, 1, C].

        First along rows: a row fits the nearest cache, a map does not.
        """
        x = x.flatten(3, -2).sum(3).flatten(1, 2).sum(1) if x.ndim == 6 else x.sum(2).sum(1)
        if self.network.norm == "batch":
            x = x.sum(0, keepdim=True)
        return x.view(-1, 1, 1, 1, 1, x.shape[-1])

    def _sample(self, y: Tensor) -> Tensor:
        """One entry of what is normalised together, [B or 1, 1, 1, 1, 1, C]: from the middle, where no padding is."""
        some = y[:1] if self.network.norm == "batch" else y
        return some[:, some.shape[1] // 2, 0, some.shape[3] // 2, 0, :].view(-1, 1, 1, 1, 1, y.shape[-1])

    def _statistics(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """r and m of n = r y + m."""
        if not self._normalises:
            one = y.new_ones((1, 1, 1, 1, 1, 1))
            return one, torch.zeros_like(one)
        share, near = 1 / self._count(y), self._sample(y)
        off, squared = self._sum(y - near) * share, self._sum((y - near).square()) * share
        r = ((squared - off.square()).clamp_min(0) + EPS).rsqrt()
        return r, -(near + off) * r

    def _turn(self, y_t: Tensor, y: Tensor, r: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
        """The coefficients of y and of 1 in n_t = r (y_t - mean y_t - n mean(n y_t)); that of y_t is r."""
        if not self._normalises:
            return torch.zeros_like(r), torch.zeros_like(r)
        share = 1 / self._count(y)
        mean_t, mean_y_t = self._sum(y_t) * share, self._sum(y_t * y) * share
        lean = r * (r * mean_y_t + m * mean_t)  # r mean(n y_t)
        return -lean * r, -lean * m - r * mean_t


def _weighed(convolution: Convolution, w: Tensor, written: list[Tensor]) -> Tensor:
    if (arranged := convolution.arrange(w)) is not w:
        written.append(arranged)
    return convolution.weigh(arranged)


def _pooled(coefficient: Tensor) -> Tensor:
    """A coefficient of maps, [., 1, 1, 1, 1, C] or [C], as one of quads' totals."""
    return coefficient.view(-1, 1, 1, coefficient.shape[-1])


def _as_images(features: Tensor, shape: torch.Size) -> Tensor:
    """[B, C * H * W] -> [B, H, W, C]."""
    batch, height, width, channels = shape
    return features.view(batch, channels, height, width).permute(0, 2, 3, 1)
