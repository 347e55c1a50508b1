#!/usr/bin/env bash
# TorchMetrics decides batch by batch if outputs are logits, so one number changes the score of all other samples.
# Versions: Python 3.11, TorchMetrics 1.9.0, PyTorch 2.15.0, NumPy 2.4.6
#
# MulticlassCalibrationError accepts probabilities or logits and tells them apart by looking at whether any number of
# the batch lies outside [0, 1]; its documentation speaks of a softmax for each sample. Logits of a network that has
# barely been trained lie within [0, 1], and are taken for probabilities as they stand, rows that do not sum to one
# included. Moving a single one of 300 logits from 0.99 to 1.001 takes the calibration error of the whole set from 0.37
# to 0.11, and the same 100 rows, given in ten batches instead of one, score 0.37 again. No warning tells it. The cure
# is to apply the softmax before update().
#
# Seen on 2026-11-28:
#     softmax of the logits     : calibration error 0.114
#     softmax, batches of 10    : calibration error 0.114
#     logits, all within [0, 1] : calibration error 0.371
#     one logit moved to 1.001  : calibration error 0.114
#     the same, batches of 10   : calibration error 0.369
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
"${install[@]}" torchmetrics==1.9.0 torch==2.15.0 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error::UserWarning - <<'PY'
import torch
from torchmetrics.classification import MulticlassCalibrationError

random = torch.Generator().manual_seed(0)
logits, labels = torch.rand(100, 3, generator=random) * 0.98, torch.randint(3, (100,), generator=random)
logits[0, 0] = 0.99
moved = logits.clone()
moved[0, 0] = 1.001


def error(outputs: torch.Tensor, batch: int = 100) -> float:
    metric = MulticlassCalibrationError(num_classes=3)
    for rows, truth in zip(outputs.split(batch), labels.split(batch), strict=True):
        metric.update(rows, truth)
    return metric.compute().item()


results = {
    "softmax of the logits": error(logits.softmax(1)),
    "softmax, batches of 10": error(logits.softmax(1), 10),
    "logits, all within [0, 1]": error(logits),
    "one logit moved to 1.001": error(moved),
    "the same, batches of 10": error(moved, 10),
}
for title, value in results.items():
    print(f"{title:26}: calibration error {value:.3f}")
right, right_batched, within, outside, batched = results.values()
assert abs(right - right_batched) < 1e-6 and abs(outside - right) < 0.03, "the softmax is no longer what is right"
assert within > right + 0.2 and batched > outside + 0.2, "logits are told from probabilities otherwise now"
PY
