#!/usr/bin/env bash
# DD-Ranking's Label-Robust Score, normalised to 0..1 by its README, is -0.16 or in the thousands, for it takes percent.
# Versions: Python 3.11, ddranking 0.2.0, PyTorch 2.15.0, NumPy 1.26.4
#
# The score of a distilled set is (exp(a) - 1/e) / (e - 1/e), where a weighs two differences of accuracies; it lies in
# 0..1 for accuracies that are fractions. The library measures accuracies in percent, so that a is a hundred times as
# large. Every set whose distance to the full data exceeds its gain over a random choice by 15 points or more gets
# -0.16, be it 20 points better than random or 10 worse, and for a better set ten more points make a score of 150 times
# the size. The Augmentation-Robust Score is computed in the same way. Nothing is raised or warned of; the numbers are
# printed with a percent sign. Here the accuracies that training would take hours for are given; the full data's 46.4
# is the library's own value for Tiny ImageNet.
#
# Seen on 2026-11-29:
#     validate(), three of four right: 75.0
#     hard  2.0, soft 10.0, random 20.0: score    -0.1565   with fractions 0.168
#     hard 10.0, soft 40.0, random 20.0: score    -0.1564   with fractions 0.235
#     hard 30.0, soft 45.0, random 20.0: score    31.1997   with fractions 0.288
#     hard 40.0, soft 45.0, random 20.0: score  4653.5229   with fractions 0.310
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
"${install[@]}" ddranking==0.2.0 torch==2.15.0 torchvision==0.29.2 numpy==1.26.4 pandas==2.3.3 kornia==0.8.1 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

trap 'tail -3 messages.txt; exit 1' ERR
env/bin/python - 2>messages.txt <<'PY'
import contextlib
import io
import math
from pathlib import Path

import torch
from ddranking.metrics import LabelRobustScoreSoft
from ddranking.utils import validate
from PIL import Image

samples = torch.utils.data.TensorDataset(torch.eye(8)[:4], torch.tensor([0, 1, 2, 7]))
with contextlib.redirect_stdout(io.StringIO()):
    accuracy = validate(torch.nn.Identity(), torch.utils.data.DataLoader(samples, 4), device="cpu")
print(f"validate(), three of four right: {accuracy:.1f}")
assert accuracy == 75
for split in ("train", "val"):
    for label in range(200):
        Path("real", split, f"{label:03d}").mkdir(parents=True)
        Image.new("RGB", (8, 8), (label, label, label)).save(Path("real", split, f"{label:03d}", "0.png"))


class Given(LabelRobustScoreSoft):
    """The library's score, with the accuracies that its trainings would end at."""

    def _compute_hard_label_metrics_helper(self, *_: object, **__: object) -> tuple[float, float]:
        return self.hard, 0.01

    def _compute_soft_label_metrics_helper(self, image_path: str, **_: object) -> tuple[float, float]:
        return self.soft if image_path == "distilled" else self.random, 0.01


def score(hard: float, soft: float, random: float) -> tuple[float, float]:
    given = Given(dataset="TinyImageNet", real_data_path="real", ipc=1, model_name="ResNet-18-BN", num_eval=1,
                  soft_label_mode="M", random_data_format="image", random_data_path="random", im_size=(8, 8),
                  num_workers=0, save_path="scores/lrs.csv", teacher_model_names=[], device="cpu")
    given.hard, given.soft, given.random = hard, soft, random
    with contextlib.redirect_stdout(io.StringIO()):
        result = given.compute_metrics(image_path="distilled")
    assert math.isclose(result["hard_label_recovery_mean"], 46.4 - hard)
    assert math.isclose(result["improvement_over_random_mean"], soft - random)
    weighed = (0.5 * (soft - random) - 0.5 * (46.4 - hard)) / 100
    fractions = (math.exp(weighed) - math.exp(-1)) / (math.e - math.exp(-1))
    told = float(result["label_robust_score_mean"])
    print(f"hard {hard:4.1f}, soft {soft}, random {random}: score {told:10.4f}   with fractions {fractions:.3f}")
    return told, fractions


worst, poor, good, best = (score(*each) for each in ((2, 10.0, 20.0), (10, 40.0, 20.0), (30, 45.0, 20.0),
                                                     (40, 45.0, 20.0)))
assert all(0 < fractions < 1 for _, fractions in (worst, poor, good, best))
assert worst[0] < 0 and poor[0] < 0 and poor[0] - worst[0] < 0.001, "poor scores differ now"
assert good[0] > 10 and best[0] > 1000, "good scores are at most 1 now"
PY
