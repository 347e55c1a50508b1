"""Orders of a set in proportion to the classes: one request however it is spelled, and fixes that work."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from core.data import Catalogue
from core.forecast import sized_job
from core.overrides import explain
from core.recipe import RecipeError
from core.request import JobOrder, JobRequest, fingerprint, resolve, settle

FACTS = Catalogue(Path("nowhere")).facts("digits")
UNEQUAL = replace(FACTS, classes=2, class_names=("rare", "other"), smallest_class=20, members=(20, 180))
HALF: dict[str, Any] = {"dataset": "digits", "share": "proportional", "method": "random"}


def test_a_share_is_a_choice_of_the_recipe_with_a_ratio_of_all_images() -> None:
    told = settle(JobOrder.model_validate(HALF | {"ratio": 0.1}), UNEQUAL)
    assert told == JobRequest.model_validate(
        {"dataset": "digits", "method": "random", "ipc": 10, "overrides": {"share": "proportional"}}
    )
    assert settle(JobOrder.model_validate(HALF | {"ipc": 10}), UNEQUAL) == told
    assert resolve(told, UNEQUAL).share == "proportional"
    equal = settle(JobOrder.model_validate(HALF | {"ipc": 10, "share": "equal"}), UNEQUAL)
    assert fingerprint(told, resolve(told, UNEQUAL), "") != fingerprint(told, resolve(equal, UNEQUAL), "")
    assert equal == settle(JobOrder(dataset="digits", method="random", ipc=10), UNEQUAL)
    assert settle(JobOrder.model_validate(HALF | {"ipc": 10, "method": "auto"}), UNEQUAL).fixed == {"share"}
    assert settle(JobOrder.model_validate(HALF | {"bytes": "900 kB"}), UNEQUAL).ipc == 100, "all images, not the rarest"
    target = JobOrder.model_validate({"dataset": "digits", "share": "proportional", "target": "80%"})
    rare = replace(UNEQUAL, smallest_class=2, members=(2, 198))
    aimed = settle(target, rare)
    assert aimed.ipc == 10
    assert sized_job(aimed, rare, None)[1].largest > 10


def test_a_share_that_is_said_wrongly_is_refused_with_the_spelling() -> None:
    with pytest.raises(ValidationError) as refused:
        JobOrder.model_validate(HALF | {"ipc": "proportional"})
    assert explain(refused.value.errors()[0], JobOrder, "").fix == "Use 10, and beside it share: 'proportional'."
    with pytest.raises(ValidationError, match="Leave share out of the overrides"):
        JobOrder.model_validate(HALF | {"ipc": 1, "overrides": {"share": "equal"}})


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"ipc": 101}, "ipc"),
        ({"ipc": 60, "method": "window"}, "overrides.init.beta"),
        ({"ipc": 30, "method": "rded", "overrides": {"init.factor": 2}}, "overrides.init.factor"),
        ({"ipc": 26, "method": "idc"}, "ipc"),
        (
            {"ipc": 1, "method": "selmatch", "overrides": {"parameterize.update": 0.5, "step_size.lr": 0}},
            "overrides.parameterize.update",
        ),
        ({"ipc": 3, "method": "sre2l"}, "overrides.share"),
    ],
)
def test_the_fix_of_a_share_that_a_class_does_not_hold_is_one(asked: dict[str, Any], field: str) -> None:
    order = HALF | asked
    with pytest.raises(RecipeError) as refused:
        resolve(settle(JobOrder.model_validate(order), UNEQUAL), UNEQUAL)
    (error,) = refused.value.errors
    assert error.field == field
    name, value = re.findall(r"Set ([a-z._]+) to (?:at (?:most|least) )?('?[\w.]+'?)\.?", error.fix)[0]
    value = json.loads(value.strip(".").replace("'", '"'))
    changed = {name: value} if name in ("ipc", "share") else {"overrides": order.get("overrides", {}) | {name: value}}
    resolve(settle(JobOrder.model_validate(order | changed), UNEQUAL), UNEQUAL)
