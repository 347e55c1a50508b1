"""The claims about images that keep what is real in them: paired with real ones (CIM), or blended with them (FADRM).

All arms are judged by one recipe: as many steps of a student's, so that four tiles of an image, which all train, have
a quarter of the epochs; the same teacher, and its labels of views.
"""

from __future__ import annotations

from typing import Any

from benchmarks.claim import Arm, Claim
from benchmarks.subsets import Changes

_JUDGED = {  # as the other claims on images under a teacher's labels have it
    "teacher.network.width": 32,
    "evaluation.baseline_lrs": [0.001],
    "evaluation.seeds": 1,
}
_CIFAR10 = _JUDGED | {"teacher.epochs": 40, "evaluation.epochs": 200, "evaluation.batch_size": 50}
_TINY = _JUDGED | {"teacher.epochs": 30, "evaluation.epochs": 75, "evaluation.batch_size": 50}


def _claims(dataset: str, ipc: int, steps: int | None, changes: Changes) -> tuple[Claim, ...]:
    """The claims on a dataset; `steps` are those of images that are recovered, None as many as their presets have."""
    taken = {} if steps is None else {"schedule.steps": steps}
    sre2l, dwa, rded = Arm("SRe2L", "sre2l", taken), Arm("DWA", "dwa", taken), Arm("RDED", "rded")
    quarter = {}
    if "evaluation.epochs" in changes:
        quarter = {"evaluation.epochs": changes["evaluation.epochs"] // 4}
    cim, still = Arm("CIM", "cim", quarter), {"schedule.steps": 1, "schedule.image_lr": 0.0}
    fadrm = Arm("FADRM", "fadrm", taken)

    def claim(name: str, paper: str, better: Arm, than: Arm) -> Claim:
        told = f"{name}-{dataset.partition('-')[0]}-{ipc}"
        return Claim(told, paper, f"{better.name} above {than.name}", dataset, ipc, better, than, changes)

    return (
        claim("cim", "tiles paired with real images beat parts of these", cim, rded),
        claim("cim-dwa", "tiles paired with real images beat recovered ones", cim, dwa),
        claim("cim-pairing", "the part of CIM's gain that is its pairing's", cim, _other(cim, "as tiled", still)),
        claim("fadrm", "blending with real images improves SRe2L", fadrm, sre2l),
        claim(
            "fadrm-blending",
            "the part of FADRM's gain that is its blending's",
            fadrm,
            _other(fadrm, "not blended", {"schedule.blend": None}),
        ),
        claim("fadrm-cim", "tiles paired with real images beat blended ones", cim, fadrm),
    )


def _other(arm: Arm, told: str, changes: dict[str, Any]) -> Arm:
    return Arm(f"{arm.name}, {told}", arm.method, {**arm.overrides, **changes})


BLENDED = (
    *_claims("digits", 10, None, {}),
    *_claims("cifar10-500", 10, 300, _CIFAR10),
    *_claims("tiny-20", 10, 150, _TINY),
)
