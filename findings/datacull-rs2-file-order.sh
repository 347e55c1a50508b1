#!/usr/bin/env bash
# DataCull's "repeated random sampling" runs through the data in file order first: one class after the other.
# Versions: Python 3.11, datacull 1.0.2, PyTorch 2.15.0, NumPy 2.4.6
#
# RS2 without replacement, its default, is to shuffle the data once, train each epoch on the next part, and to shuffle
# again once all are used. RS2DataLoader shuffles only when the data is used up: until then the parts are what lies
# side by side in the data set, shuffled within the part. A folder of pictures or a Parquet file is often in the order
# of its classes, so ten epochs at a tenth see class 0, then class 1, and so on, each alone; and a short training never
# gets to a shuffle at all. With 0.6 the last four tenths, here classes 6 to 9, are left out of the first epoch.
# "shuffle=True" is taken and dropped. Nothing tells of it but a loss that is nearly zero at once.
#
# Seen on 2026-11-29 (samples of classes 0 to 9 in each epoch, of 100 each):
#     0.1, epoch  1: 100   0   0   0   0   0   0   0   0   0
#     0.1, epoch  2:   0 100   0   0   0   0   0   0   0   0
#     0.1, epoch 10:   0   0   0   0   0   0   0   0   0 100
#     0.1, epoch 11:  13  11  11  10   8   7  10   9  15   6
#     0.6, epoch  1: 100 100 100 100 100 100   0   0   0   0
#     0.6, epoch  2:  56  60  57  62  64  62  59  60  61  59
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
from datacull.methods.RS2 import RS2DataLoader


class Pictures(torch.utils.data.Dataset):
    """A hundred samples of each of ten classes, class after class."""

    targets = np.arange(1000) // 100

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, place: int) -> tuple[torch.Tensor, int]:
        return torch.zeros(1), int(self.targets[place])


def epochs(rate: float, count: int) -> list[list[int]]:
    loader = RS2DataLoader(DCDataset(Pictures()), rate, batch_size=100, shuffle=True)
    seen = []
    for _ in range(count):
        loader.resample(None)
        labels = torch.cat([labels for _, labels, _ in loader])
        seen.append(torch.bincount(labels, minlength=10).tolist())
    return seen


np.random.seed(0)
tenth, more = epochs(0.1, 11), epochs(0.6, 2)
for rate, seen, numbers in ((0.1, tenth, (1, 2, 10, 11)), (0.6, more, (1, 2))):
    for number in numbers:
        print(f"{rate}, epoch {number:2d}:", " ".join(f"{count:3d}" for count in seen[number - 1]))
alone = [[100 * (place == epoch) for place in range(10)] for epoch in range(10)]
assert tenth[:10] == alone, "the first pass is shuffled now"
assert min(tenth[10]) > 0 and more[0] == [100] * 6 + [0] * 4 and min(more[1]) > 0
PY
