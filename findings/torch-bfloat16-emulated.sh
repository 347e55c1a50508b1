#!/usr/bin/env bash
# Without AVX-512 torch multiplies matrices of bfloat16 or float16 12 to 46 times as slowly as those of float32, and does
# convolutions that way, too, where to convert them and back would cost next to nothing.
# Versions: Python 3.11, PyTorch 2.15.0 with its oneDNN and MKL, NumPy 2.4.6; AMD EPYC of family 23 (AVX2), one thread
#
# Half the bytes look like half the work, and of a processor without instructions for bfloat16 one expects the price of
# a conversion. But neither oneDNN nor MKL is called (ONEDNN_VERBOSE=1 and MKL_VERBOSE=1 show nothing, and sgemm for
# float32): what is left is a plain loop of torch's own, to which the caches are no help. The larger the matrices, the
# worse it gets, with rows of 2 KiB most of all. Convolutions and batched products come to the same. A linear layer,
# whose weights are stored transposed, is less bad, and the product of a matrix and a vector is fine. A second thread
# helps the layer and not the plain product. Nothing warns, and autocast("cpu") takes bfloat16 here, too, unless told
# otherwise. The cure is .float() before and .bfloat16() after.
#
# Seen on 2026-12-01, beside other work, best of 4 by processor time, ms, those above 512 once:
#     product of 128        : float32   0.14, bfloat16     2.2 (16 times), float16     3.5, converted   0.16
#     product of 256        : float32   0.97, bfloat16    18.7 (19 times), float16    28.0, converted   1.11
#     product of 512        : float32   7.97, bfloat16   182.3 (23 times), float16   229.3, converted   9.58
#     product of 768        : float32  28.22, bfloat16   587.3 (21 times), float16   759.2, converted  31.60
#     product of 1024       : float32  64.79, bfloat16  2978.2 (46 times), float16  3017.6, converted  67.09
#     3x3 convolution of 32 : float32   1.72, bfloat16    26.5 (15 times), float16    40.1, converted   2.07
#     batch of 8, 512       : float32   8.97, bfloat16   188.5 (21 times), float16   225.5, converted   9.41
#     linear layer of 512   : float32   7.95, bfloat16    52.9 ( 7 times), float16    42.7, converted   8.18
#     512 times a vector    : float32   0.04, bfloat16     0.1 ( 3 times), float16     0.1, converted   0.11
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
grep -qw avx2 /proc/cpuinfo && ! grep -qwE 'avx512f|avx_ne_convert|amx_bf16' /proc/cpuinfo ||
    { echo "cannot be seen here: it takes an x86 processor with AVX2 and without AVX-512"; exit 77; }
"${PYTHON:-python3.11}" -m venv env
if command -v uv >/dev/null; then
    install=(uv pip install --quiet --python env/bin/python)
else
    install=(env/bin/python -m pip install --quiet --disable-pip-version-check)
fi
"${install[@]}" torch==2.15.0 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error - <<'PY'
import time

import torch

torch.set_num_threads(1)
torch.manual_seed(0)
print("torch says", torch.backends.cpu.get_cpu_capability())


def spent(way, *given: torch.Tensor) -> float:
    """Milliseconds of this thread, at best; of large matrices once, for that takes seconds."""
    taken = []
    for _ in range(1 if len(given[0]) > 512 and given[0].dtype != torch.float32 else 4):
        began = time.thread_time()
        way(*given)
        taken.append(1e3 * (time.thread_time() - began))
    return min(taken)


def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a @ b


def convolution(images: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    return torch.conv2d(images, kernels, padding=1)


def batched(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.bmm(a.view(8, -1, a.shape[1]), b.expand(8, -1, -1))


def times(name: str, way, *given: torch.Tensor) -> tuple[float, float, float]:
    """How many times as long as float32 bfloat16, float16 and bfloat16 by way of float32 take."""
    coarse, half = ([each.to(dtype) for each in given] for dtype in (torch.bfloat16, torch.float16))

    def converted(*each: torch.Tensor) -> torch.Tensor:
        return way(*(one.float() for one in each)).bfloat16()

    exact = way(*given)
    assert (way(*coarse) - exact).abs().max() < 0.05 * exact.abs().max(), "it is the same product"
    exact, *others = spent(way, *given), spent(way, *coarse), spent(way, *half), spent(converted, *coarse)
    print(
        f"{name:22}: float32 {exact:6.2f}, bfloat16 {others[0]:7.1f} ({others[0] / exact:2.0f} times),"
        f" float16 {others[1]:7.1f}, converted {others[2]:6.2f}"
    )
    return tuple(other / exact for other in others)


found = {}
for side in (128, 256, 512, 768, 1024):
    a, b = torch.randn(side, side), torch.randn(side, side)
    found[side] = times(f"product of {side}", product, a, b)
a, b = torch.randn(512, 512), torch.randn(512, 512)
images, kernels = torch.randn(10, 32, 16, 16), torch.randn(32, 32, 3, 3)
found["convolution"] = times("3x3 convolution of 32", convolution, images, kernels)
found["batched"] = times("batch of 8, 512", batched, a, b)
found["linear"] = times("linear layer of 512", torch.nn.functional.linear, a, b)
found["vector"] = times("512 times a vector", product, a, b[0])
assert torch.backends.cpu.get_cpu_capability() == "AVX2"
for name in (256, 512, 768, 1024, "convolution", "batched"):
    coarse, half, converted = found[name]
    assert coarse > 8 and half > 8, f"{name}: types of 16 bits are not much slower"
    assert converted < coarse / 4, f"{name}: a conversion is no cure"
assert found["linear"][0] < found[512][0] and found["vector"][0] < 8
PY
