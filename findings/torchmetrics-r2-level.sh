#!/usr/bin/env bash
# TorchMetrics gives a good model of air pressure in pascals an R2 and an explained variance of 0: the level counts.
# Versions: Python 3.11, TorchMetrics 1.9.0, PyTorch 2.15.0, NumPy 2.4.6
#
# R2Score, ExplainedVariance and RelativeSquaredError keep sums of the targets and of their squares, in float32, and
# take the difference of the two for the variance. Of targets far from 0, as pressures in pascals are, 101,325 and some
# 10 up or down, nothing is left of it. The model's errors are the same at each level, and so is its true R2, 0.78.
# PearsonCorrCoef is right of the same numbers. A variance of 0, or below it, is not told. The documentation of each
# gives the formula of the textbook, and no range. Numbers of float64 cure the first two, of the third the sums stay
# float32; a level taken off before cures all.
#
# Seen on 2026-11-29:
#     torch.float32 around      0.00: true R2 0.777, R2 0.777, explained 0.777, RSE 0.223, r 0.903
#     torch.float32 around   1013.25: true R2 0.777, R2 0.777, explained 0.777, RSE 0.223, r 0.903
#     torch.float32 around 101325.00: true R2 0.777, R2 0, explained 0, RSE 1.98e+11, r 0.903
#     torch.float64 around 101325.00: true R2 0.777, R2 0.777, explained 0.777, RSE 1.98e+11, r 0.903
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
from torchmetrics import ExplainedVariance, PearsonCorrCoef, R2Score, RelativeSquaredError

random = torch.Generator().manual_seed(0)
change, error = 10 * torch.randn(1000, generator=random), 5 * torch.randn(1000, generator=random)


def scores(level: float, kind: torch.dtype = torch.float32) -> dict[str, float]:
    targets = (level + change.double()).to(kind)
    outputs = targets + error.to(kind)
    wide = targets.double()
    seen = {"true R2": 1 - float((outputs - wide).square().sum() / (wide - wide.mean()).square().sum())}
    metrics = {"R2": R2Score(), "explained": ExplainedVariance(), "RSE": RelativeSquaredError(), "r": PearsonCorrCoef()}
    for name, metric in metrics.items():
        metric.update(outputs, targets)
        seen[name] = metric.compute().item()
    print(f"{kind} around {level:9.2f}:", ", ".join(f"{name} {value:.3g}" for name, value in seen.items()))
    return seen


near, middle, far, wide = scores(0), scores(1013.25), scores(101325), scores(101325, torch.float64)
for seen in (near, middle, far, wide):
    assert abs(seen["true R2"] - 0.777) < 0.001 and abs(seen["r"] - 0.903) < 0.001
for seen in (near, middle, wide):
    assert abs(seen["R2"] - 0.777) < 0.001 and abs(seen["explained"] - 0.777) < 0.001
assert abs(far["R2"] - 0.777) > 0.1 and abs(far["explained"] - 0.777) > 0.1, "the level does not count any more"
assert min(abs(seen["RSE"] - 0.223) for seen in (far, wide)) > 0.05, "RSE is right now"
PY
