"""`/datasets`: what can be distilled, with a few of its pictures."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import HTMLResponse
from numpy.typing import NDArray
from PIL import Image

from api.dashboard.rendering import page
from api.problems import Kind, ProblemError, sentence
from api.services import ServicesDep
from core.data import DatasetInvalid, UnknownDataset

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

Name = Annotated[str, Path(max_length=200)]


@router.get("/datasets")
def show_datasets(request: Request, services: ServicesDep) -> HTMLResponse:
    """Every dataset, and every bundle that cannot be used, with its fault."""
    return page(request, "datasets.html", datasets=services.catalogue.list(), broken=services.catalogue.problems())


@router.get("/datasets/{name}/sample.png", response_class=Response)
def show_sample(services: ServicesDep, name: Name) -> Response:
    """One picture of each of the first classes, side by side; the address names the digest, so it may be kept."""
    try:
        found = services.catalogue.glimpse(name)
    except (UnknownDataset, DatasetInvalid) as error:
        raise ProblemError(Kind.UNKNOWN_DATASET, sentence(error)) from None
    if found is None:
        raise ProblemError(Kind.UNKNOWN_FILE, "The dataset is not on disk, so there is no picture of it.")
    png = _strip(found.images.tobytes(), found.images.shape)
    return Response(png, media_type="image/png", headers={"Cache-Control": "private, max-age=86400"})


@lru_cache(maxsize=64)
def _strip(pixels: bytes, shape: tuple[int, ...]) -> bytes:
    return strip(np.frombuffer(pixels, np.uint8).reshape(shape))


def strip(images: NDArray[np.uint8]) -> bytes:
    """Images uint8 [n, C, H, W] side by side as a PNG, a gap of a sixteenth of their width between them."""
    n, _, height, width = images.shape
    gap = max(1, width // 16)
    colours = np.broadcast_to(images, (n, 3, height, width)) if images.shape[1] == 1 else images
    canvas = np.zeros((height, n * (width + gap) - gap, 4), dtype=np.uint8)
    for place, image in enumerate(colours):
        left = place * (width + gap)
        canvas[:, left : left + width, :3] = image.transpose(1, 2, 0)
        canvas[:, left : left + width, 3] = 255
    file = io.BytesIO()
    Image.fromarray(canvas).save(file, "PNG")
    return file.getvalue()
