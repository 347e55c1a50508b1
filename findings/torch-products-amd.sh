#!/usr/bin/env bash
# On an AMD processor with AVX-512 at its full width, torch multiplies matrices of float32 at less than half of the rate
# of its own convolutions, and those of bfloat16 four times as fast, not twice; numpy's products are hardly faster than
# torch's.
# Versions: Python 3.11, PyTorch 2.15.0 with MKL 2024.2 and oneDNN 3.13.3, NumPy 2.4.6 with OpenBLAS 0.3.31; AMD EPYC of
# family 26 (Zen 5), one thread
#
# torch reports the capability AVX512, and says nothing else. But its BLAS is MKL, which asks who made the processor:
# MKL_VERBOSE=1 names "Intel(R) Architecture processors" and no vectors, where on an Intel processor it names those it
# uses. NumPy's OpenBLAS takes this family for a Haswell (threadpoolctl names it), which has AVX2 alone. oneDNN, which
# does torch's convolutions and its products of bfloat16, asks for instructions alone. So a convolution does in a second
# what a product of matrices needs two for. Family 25 (Zen 4) loses little that way: 185 billion operations a second in
# products and 238 in convolutions, two threads, by another program.
#
# Seen on 2026-11-30, beside other work, ways in turns, best of 15 by processor time, billions of operations a second:
#   product of 512           torch 102  torch, bfloat16 476  numpy 121
#   product of 1024          torch 98  torch, bfloat16 448  numpy 119
#   product of 2048          torch 98  torch, bfloat16 397  numpy 120
#   3x3 convolution of 128   torch 221
#   3x3 convolution of 256   torch 211
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
grep -q AuthenticAMD /proc/cpuinfo && grep -Eq '^cpu family.*: (2[6-9]|[3-9][0-9])$' /proc/cpuinfo ||
    { echo "cannot be seen here: it takes an AMD processor with AVX-512 at its full width, family 26 or later"; exit 77; }
"${PYTHON:-python3.11}" -m venv env
if command -v uv >/dev/null; then
    install=(uv pip install --quiet --python env/bin/python)
else
    install=(env/bin/python -m pip install --quiet --disable-pip-version-check)
fi
"${install[@]}" torch==2.15.0 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error - <<'PY'
import os
import subprocess
import sys
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy as np
import torch

torch.set_num_threads(1)
print("torch says", torch.backends.cpu.get_cpu_capability())
told = subprocess.run(
    [sys.executable, "-c", "import torch; a = torch.ones(64, 64); a @ a"],
    env=os.environ | {"MKL_VERBOSE": "1"}, capture_output=True, text=True, check=True,
).stdout.splitlines()[0]
print("MKL says", told)


def rate(operations: int, way) -> float:
    """Billions of operations a second, at best."""
    spent = []
    for _ in range(15):
        began = time.thread_time()
        way()
        spent.append(time.thread_time() - began)
    return operations / min(spent) / 1e9


found = {}
for side in (512, 1024, 2048):
    a, b = torch.randn(side, side), torch.randn(side, side)
    x, y, p, q = a.bfloat16(), b.bfloat16(), a.numpy(), b.numpy()
    assert np.allclose(p @ q, a @ b, atol=1e-2), "they are the same products"
    ways = {"torch": lambda: a @ b, "torch, bfloat16": lambda: x @ y, "numpy": lambda: p @ q}
    found[f"product of {side}"] = {name: rate(2 * side**3, way) for name, way in ways.items()}
for channels, pixels in ((128, 16), (256, 16)):
    images, kernels = torch.randn(32, channels, pixels, pixels), torch.randn(channels, channels, 3, 3)
    work = 2 * 32 * pixels**2 * channels**2 * 9
    found[f"3x3 convolution of {channels}"] = {"torch": rate(work, lambda: torch.conv2d(images, kernels, padding=1))}
for name, rates in found.items():
    print(f"{name:<24}", "  ".join(f"{way} {value:.0f}" for way, value in rates.items()))
products = [rates for name, rates in found.items() if name.startswith("product")]
best = max(rates["torch"] for rates in products)
assert torch.backends.cpu.get_cpu_capability() == "AVX512" and "AVX" not in told, "MKL names vectors on this processor"
assert found["3x3 convolution of 256"]["torch"] > 1.5 * best, "a convolution is no faster than products"
assert max(rates["torch, bfloat16"] for rates in products) > 3 * best, "bfloat16 is not four times as fast"
assert max(rates["numpy"] for rates in products) < 1.5 * best, "numpy is much faster than torch"
PY
