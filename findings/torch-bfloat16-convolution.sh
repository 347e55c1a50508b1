#!/usr/bin/env bash
# On an Intel processor with instructions for products of bfloat16, but without AMX, convolutions in bfloat16 are slower than in
# float32, forward and backward, by 1.3 to 1.9 times.
# Versions: Python 3.11, PyTorch 2.15.0 with its oneDNN 3.13.3; Intel Xeon with AVX512_BF16 and no AMX, one thread
#
# vdpbf16ps multiplies twice as many numbers as an instruction of float32, torch reports the capability, and oneDNN has
# kernels for it (ONEDNN_VERBOSE=1 shows brg_conv_fwd:avx512_core_bf16 beside brg_conv_fwd:avx512_core), so that autocast
# to bfloat16 looks like the quick way to train on such a processor. In every shape below it is the slow one; so are
# plain products (1024 x 1024: 66 to 84 GFLOP/s beside 154). Nothing warns. What makes bfloat16 worth it is AMX.
#
# Seen on 2026-11-29, beside other work, both types in turns, medians of 9:
#                               forward, ms              backward, ms
#   batch  side  channels    float32  bfloat16 times    float32  bfloat16 times
#      10     8       128       1.30      2.10   1.6       3.35      4.50   1.3
#      10    16       128       4.59      8.24   1.8      10.70     17.56   1.6
#     100     8       128      10.87     18.49   1.7      23.64     41.43   1.8
#     100    16       128      46.16     81.19   1.8     103.24    193.35   1.9
#      10    16        32       0.42      0.63   1.5       1.00      1.41   1.4
#     100    16        32       3.22      5.41   1.7       7.19     12.08   1.7
# An AMD EPYC of family 26 with the same instructions has them twice as fast, as one would guess (2026-11-30).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
grep -q GenuineIntel /proc/cpuinfo && grep -qw avx512_bf16 /proc/cpuinfo && ! grep -qw amx_bf16 /proc/cpuinfo ||
    { echo "cannot be seen here: it takes an Intel processor with AVX512_BF16 and without AMX"; exit 77; }
"${PYTHON:-python3.11}" -m venv env
if command -v uv >/dev/null; then
    install=(uv pip install --quiet --python env/bin/python)
else
    install=(env/bin/python -m pip install --quiet --disable-pip-version-check)
fi
"${install[@]}" torch==2.15.0 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error - <<'PY'
import statistics
import time

import torch

torch.set_num_threads(1)


def medians(batch: int, side: int, channels: int) -> dict[str, tuple[float, float]]:
    """Seconds forward and backward of a 3x3 convolution in both types, in turns, as medians."""
    made, taken = {}, {}
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        layer = torch.nn.Conv2d(channels, channels, 3, padding=1).to(dtype=dtype, memory_format=torch.channels_last)
        images = torch.randn(batch, channels, side, side).to(dtype=dtype, memory_format=torch.channels_last)
        made[name], taken[name] = (layer, images.requires_grad_()), []
    for turn in range(10):
        for name, (layer, images) in made.items():
            began = time.perf_counter()
            out = layer(images)
            between = time.perf_counter()
            torch.autograd.grad(out, [images, *layer.parameters()], torch.ones_like(out))
            if turn:
                taken[name].append((between - began, time.perf_counter() - between))
    return {name: tuple(map(statistics.median, zip(*times))) for name, times in taken.items()}


print(f"{'':>25}{'forward, ms':>20}{'backward, ms':>26}")
print(f"{'batch':>7}{'side':>6}{'channels':>10}" + 2 * f"{'float32':>11}{'bfloat16':>10}{'times':>6}")
slower = []
for batch, side, channels in ((10, 8, 128), (10, 16, 128), (100, 8, 128), (100, 16, 128), (10, 16, 32), (100, 16, 32)):
    took = medians(batch, side, channels)
    line = f"{batch:>7}{side:>6}{channels:>10}"
    for exact, coarse in zip(took["float32"], took["bfloat16"]):
        line += f"{1e3 * exact:>11.2f}{1e3 * coarse:>10.2f}{coarse / exact:>6.1f}"
    slower.append(took["bfloat16"][1] / took["float32"][1])
    print(line)
assert sorted(slower)[1] > 1.15, "backward, bfloat16 is no longer slower than float32"
PY
