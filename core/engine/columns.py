"""Rows of a table whose numbers are ones that their columns have."""

from __future__ import annotations

import torch
from torch import Tensor

from core.engine.real import Real

_SAMPLED = 20_000  # training rows whose quantiles are taken, evenly spaced


def typical(rows: Tensor, real: Tensor, training: Real, levels: int) -> Tensor:
    """Rows [n, F, 1, 1] with each number as the nearest of so many quantiles of its column; `real` [n] ones stay.

    A quantile is a number that some training row has: of an even number of rows in the middle it is one of both.
    """
    count = len(training.train)
    places = torch.linspace(0, count - 1, min(count, _SAMPLED), device=rows.device).long()
    ordered = training.train.take(places).flatten(1).sort(0).values
    ranks = torch.linspace(0, len(ordered) - 1, levels, device=rows.device).round().long()
    known = ordered[ranks].T.contiguous()  # [F, levels], equal ones included
    wanted = rows.flatten(1).T.contiguous()
    above = torch.searchsorted(known, wanted).clamp(1, levels - 1)
    high, low = known.gather(1, above), known.gather(1, above - 1)
    nearest = torch.where(wanted - low < high - wanted, low, high).T.view_as(rows)
    return torch.where(real.view(-1, 1, 1, 1), rows, nearest)
