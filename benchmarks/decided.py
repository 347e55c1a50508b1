"""The claims that digits and sixty outer steps could not decide, on the whole of CIFAR-10 at width 32.

Every arm has 500 outer steps, a tenth of MTT's own and a twelfth of ATT's, whose average of the images over its outer
steps is left out: after so few it would still be near what they began as.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from benchmarks.claim import Arm, Claim

_STEPS: Final = {"schedule.steps": 500}
_FIRST_EPOCHS: Final = _STEPS | {"experts.count": 10, "experts.epochs": 6, "experts.batch_size": 256}
_UNSEEN: Final = {
    "evaluation.across": [
        {"kind": "mlp"},
        {"kind": "alexnet", "width": 32},
        {"kind": "vgg11", "width": 32},
        {"kind": "resnet18", "width": 16, "norm": "batch"},
    ]
}
_PENALISED: Final = {"sdc": {"weight": 0.002}}
_REAL: Final = _STEPS | {"objective.real_batch": 64}

_MTT: Final = Arm("MTT", "mtt", _FIRST_EPOCHS | _UNSEEN)
_ATT: Final = Arm("ATT", "att", _FIRST_EPOCHS | _UNSEEN | {"schedule.ema": None})
_LAST: Final = {**_ATT.overrides, "objective.select": "last"}
_ATT_LAST: Final = replace(_ATT, name="ATT, after the last step", overrides=_LAST)
_DC, _DSA = Arm("DC", "dc", _REAL), Arm("DSA", "dsa", _REAL)


def _across(arm: Arm) -> Arm:
    return replace(arm, name=f"{arm.name}, mean of four", line="across")


def _claim(name: str, paper: str, ipc: int, better: Arm, than: Arm) -> Claim:
    return Claim(f"{name}-cifar10-{ipc}", paper, f"{better.name} above {than.name}", "cifar10", ipc, better, than)


def _penalised(ipc: int, host: Arm) -> Claim:
    arm = replace(host, name=f"{host.name} with SDC", overrides={**host.overrides, **_PENALISED})
    name = f"sdc-{host.name.partition(' ')[0].lower()}"
    return _claim(name, f"penalising difficulty improves {host.name} at ipc {ipc}", ipc, arm, host)


DECIDED = (
    _claim("att-own", "the closest step improves MTT, each with settings of its own", 1, _ATT, _MTT),
    _claim("att-own-across", "the same on unseen architectures", 1, _across(_ATT), _across(_MTT)),
    _claim("att-closest", "the part of ATT's gain that is the closest step's", 1, _ATT, _ATT_LAST),
    _claim("att-closest-across", "the same on unseen architectures", 1, _across(_ATT), _across(_ATT_LAST)),
    *(_penalised(1, host) for host in (_MTT, _DC, _DSA)),
)
