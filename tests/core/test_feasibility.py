"""Images too small for a network: the fix that is told is the one that works, whatever the method."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core import methods
from core.architectures import reads
from core.data import Catalogue
from core.recipe import RecipeError
from core.request import JobRequest, resolve

FACTS = Catalogue(Path("nowhere")).facts("digits")
FIX = re.compile(r"Set ([a-z_.]+) to (?:at most )?('?)([A-Za-z0-9-]+)\2")


def followed(method: str, shape: tuple[int, int, int], **overrides: Any) -> tuple[list[str], JobRequest | None]:
    """Refusals, each fix followed, until a request for images of that shape is valid; that request, None if none is."""
    told: list[str] = []
    for _ in range(6):
        made = JobRequest.model_validate({"dataset": "digits", "ipc": 1, "method": method, "overrides": overrides})
        try:
            resolve(made, replace(FACTS, shape=shape))
        except RecipeError as refusal:
            error = refusal.errors[0]
            told.append(f"{error.field}: {error.message} {error.fix}")
            if not (fix := FIX.search(error.fix)):
                return told, None
            overrides[fix[1]] = int(fix[3]) if fix[3].isdigit() else fix[3]
        else:
            return told, made
    return told, None


@pytest.mark.parametrize("shape", [(1, 1, 30), (3, 30, 1), (1, 2, 30), (1, 5, 3)], ids=str)
@pytest.mark.parametrize("method", methods.names())
def test_the_fix_for_small_images_is_one(method: str, shape: tuple[int, int, int]) -> None:
    told, made = followed(method, shape)
    assert made is not None, told
    recipe = resolve(made, replace(FACTS, shape=shape))
    assert reads(recipe.network, shape)
    if min(shape[1:]) == 1:
        assert recipe.network.kind == "mlp"
        assert not any(".depth to" in each for each in told), told
    else:
        assert recipe.network.kind == "convnet", "they are large enough for one"


@pytest.mark.parametrize("network", [{"network.depth": None}, {"network.kind": "vgg11"}, {"network.kind": "lenet"}])
def test_one_row_leads_to_the_mlp_at_once(network: dict[str, Any]) -> None:
    told, made = followed("dm", (1, 1, 30), **network)
    assert "Set network.kind to 'mlp'" in told[0]
    assert (made is not None) == (len(told) == 1) == ("network.depth" not in network)
