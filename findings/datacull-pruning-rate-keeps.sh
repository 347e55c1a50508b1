#!/usr/bin/env bash
# DataCull keeps the share of the data that it is asked to remove: a pruning_rate of 0.1 leaves 10 %, not 90 %.
# Versions: Python 3.11, datacull 1.0.2, PyTorch 2.15.0, NumPy 2.4.6
#
# Its README and the docstring of its loaders say that pruning_rate is what goes, as the papers of its five methods do;
# the docstrings of some methods say that it is what stays, and that is what all of them do. A mild pruning of a tenth
# trains on a tenth, and a hard one of nine tenths takes away only a tenth, so a table of accuracies by rate is the
# wrong way round, without a word. CCS insists all the same that beta, the share of the hardest samples that it drops
# first, is at most pruning_rate, which makes sense only for a share that goes.
#
# Seen on 2026-11-29 (samples kept of 1,000):
#     pruning_rate 0.1: CCS  100, TDDS  100, MetriQ   95, RS2  100, RCAP  103
#     pruning_rate 0.3: CCS  300, TDDS  300, MetriQ  295, RS2  300, RCAP  303
#     pruning_rate 0.9: CCS  900, TDDS  900, MetriQ  898, RS2  900, RCAP  905
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3.11}" -m venv env
if command -v uv >/dev/null; then
    install=(uv pip install --quiet --python env/bin/python)
else
    install=(env/bin/python -m pip install --quiet --disable-pip-version-check)
fi
"${install[@]}" datacull==1.0.2 torch==2.15.0 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python - <<'PY'
import numpy as np
import torch
from datacull.data import DCDataset
from datacull.methods.CCS import CCSDataLoader
from datacull.methods.MetriQ import MetriQDataLoader
from datacull.methods.RCAP import RCAPDataLoader
from datacull.methods.RS2 import RS2DataLoader
from datacull.methods.TDDS import TDDSDataLoader


class Pictures(torch.utils.data.Dataset):
    """A hundred samples of each of ten classes."""

    targets = np.arange(1000) % 10

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, place: int) -> tuple[torch.Tensor, int]:
        return torch.zeros(1), int(self.targets[place])


np.random.seed(0)
data, importance, accuracies = DCDataset(Pictures()), np.random.rand(1000), np.linspace(0.5, 0.95, 10)
for rate in (0.1, 0.3, 0.9):
    loaders = {
        "CCS": CCSDataLoader(data, rate, beta=0.05, num_strata=50, batch_size=100),
        "TDDS": TDDSDataLoader(data, rate, batch_size=100),
        "MetriQ": MetriQDataLoader(data, rate, accuracies, batch_size=100),
        "RS2": RS2DataLoader(data, rate, batch_size=100),
        "RCAP": RCAPDataLoader(data, rate, batch_size=100),
    }
    kept = {}
    for name, loader in loaders.items():
        loader.resample(importance)
        kept[name] = sum(len(labels) for _, labels, _ in loader)
    print(f"pruning_rate {rate}:", ", ".join(f"{name} {count:4d}" for name, count in kept.items()))
    assert all(abs(count - 1000 * rate) <= 10 for count in kept.values()), "another share is kept now"
PY
