"""The real images nearest to the synthetic ones: distances for the report, and a picture for whoever owns the job.

The picture shows training images, so it is no part of the artifact, which is made to be passed on.
"""

from __future__ import annotations

import torch

from core.engine import neighbours
from core.engine.context import JobContext, follow
from core.engine.preprocess import fit
from core.engine.synthetic import SyntheticDataset
from core.recipe import MeanStd
from core.report import Neighbours


def nearest(context: JobContext, result: SyntheticDataset) -> Neighbours | None:
    """The neighbours of the report; None where every image is a real one that nothing has changed."""
    made = (~result.real).nonzero().flatten()
    if not len(made):
        return None
    data, names = context.dataset.train, context.dataset.facts.class_names
    train = torch.from_numpy(data.images)
    pixels = result.pixels
    transform = context.real.transform
    if transform.kind != "mean_std":
        transform = fit(MeanStd(), train.to(context.real.device))
    found = follow(context, neighbours.find(pixels[made], train, transform), None)
    places = made[found.image]
    said = neighbours.table(
        neighbours.Nearest(places, found.nearest, found.distance, found.spacing),
        result.labels.tolist(),
        data.labels.tolist(),
        names,
        len(made),
    )
    context.workspace.show_neighbours(pixels.cpu().numpy(), data.images, said.pairs)
    return said
