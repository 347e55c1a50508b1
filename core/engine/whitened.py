"""The real data of a job, whose whitening is found where an earlier one left it."""

from __future__ import annotations

import torch

from core.data import Dataset
from core.engine import stored
from core.engine.kernels import environment
from core.engine.preprocess import Transform, fit
from core.engine.real import Real, prepare
from core.engine.workspace import Workspace
from core.plan.cache_names import file_name, whitening
from core.recipe import Preprocess

_CPU = torch.device("cpu")  # where it is fitted


def real_data(dataset: Dataset, preprocess: Preprocess, device: torch.device, workspace: Workspace) -> Real:
    """The data as a recipe has it preprocessed.

    To fit a whitening takes longer than all else, the eigenvectors of a covariance of all pixels. So it is kept, and
    taken from the workspace only where the same machine would fit the same one to the bit.
    """
    digest = dataset.facts.digest
    if not preprocess.mixes_pixels or digest is None:
        return prepare(dataset, preprocess, device)
    name = file_name(whitening(digest, preprocess, environment(_CPU)), ".safetensors")
    known = stored.read(workspace.find(name), device)
    if known is not None:
        return prepare(dataset, preprocess, device, Transform("zca", known))
    transform = fit(preprocess, torch.from_numpy(dataset.train.images).to(device))
    workspace.keep(name, stored.packed(transform.arrays))
    return prepare(dataset, preprocess, device, transform)
