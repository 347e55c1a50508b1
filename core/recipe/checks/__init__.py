"""The checks that no component can make alone: combinations of choices that mean nothing are refused with a fix.

A check is a function of the whole recipe that raises; a recipe calls them in the order of `CHECKS` and the first to
raise is what the user is told. A fix says "Set path to value" as JSON has the value: it then also holds for overrides,
where what a method asks for cannot be left out, but can be set to null.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from core.recipe.checks.evaluation import check_cutmix, check_evaluation_rate, check_looks, check_policy
from core.recipe.checks.experts import check_experts, check_probes, check_reach
from core.recipe.checks.images import (
    check_blend,
    check_generator,
    check_pairs,
    check_selection,
    check_tiles,
    check_update,
)
from core.recipe.checks.networks import check_convolutions, check_precision, check_unseen
from core.recipe.checks.objective import check_labels, check_memory, check_sdc, check_share, check_stages, check_steps
from core.recipe.checks.regression import check_features, check_one_stage, check_spanning, check_targets
from core.recipe.checks.rounds import check_rounds
from core.recipe.checks.teacher import (
    check_adjustment,
    check_norms,
    check_order,
    check_relabel,
    check_teacher,
)
from core.recipe.checks.two_layer import check_lab
from core.recipe.choices import Choices

CHECKS: Final[tuple[Callable[[Choices], None], ...]] = (
    check_lab,
    check_selection,
    check_pairs,
    check_update,
    check_tiles,
    check_blend,
    check_generator,
    check_rounds,
    check_labels,
    check_targets,
    check_spanning,
    check_features,
    check_one_stage,
    check_sdc,
    check_memory,
    check_experts,
    check_probes,
    check_reach,
    check_stages,
    check_share,
    check_teacher,
    check_convolutions,
    check_norms,
    check_adjustment,
    check_order,
    check_relabel,
    check_steps,
    check_policy,
    check_cutmix,
    check_evaluation_rate,
    check_looks,
    check_precision,
    check_unseen,
)
