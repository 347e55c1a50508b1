#!/usr/bin/env bash
# PyTorch takes a seed of 64 bits and reports it back, but on the CPU only its lower 32 bits count.
# Versions: Python 3.11, PyTorch 2.15.0, NumPy 2.4.6
#
# manual_seed() accepts every integer of 64 bits, and initial_seed() returns it unchanged. The CPU's generator is
# seeded with the lower 32 bits alone: 1, 1 + 2**32 and 1 + 2**40 give the same numbers, 2**32 those of 0, and -1 those
# of 2**32 - 1. Seeds built as (run << 32) + worker, or any scheme that keeps what differs in the upper half, give
# every run the same "random" numbers, without a word. Checkpoints that store initial_seed() cannot show it either.
# NumPy's generators do use all 64 bits.
#
# Seen on 2026-11-28:
#     manual_seed(1): initial_seed 1, rand 0.757632, randn 0.164254
#     manual_seed(4294967297): initial_seed 4294967297, rand 0.757632, randn 0.164254
#     manual_seed(1099511627777): initial_seed 1099511627777, rand 0.757632, randn 0.164254
#     manual_seed(0): initial_seed 0, rand 0.496257, randn -0.164216
#     manual_seed(4294967296): initial_seed 4294967296, rand 0.496257, randn -0.164216
#     manual_seed(12884901888): initial_seed 12884901888, rand 0.496257, randn -0.164216
#     manual_seed(4294967295): initial_seed 4294967295, rand 0.993799, randn 1.335683
#     manual_seed(-1): initial_seed 18446744073709551615, rand 0.993799, randn 1.335683
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
"${install[@]}" torch==2.15.0 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python - <<'PY'
import numpy as np
import torch


def draws(seed: int) -> tuple[int, list[float]]:
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.cat([torch.rand(500, generator=generator), torch.randn(500, generator=generator),
                         torch.randperm(500, generator=generator).float()])
    return generator.initial_seed(), numbers.tolist()


for group in ([1, 1 + 2**32, 1 + 2**40], [0, 2**32, 3 << 32], [2**32 - 1, -1]):
    results = [draws(seed) for seed in group]
    for seed, (initial, numbers) in zip(group, results, strict=True):
        print(f"manual_seed({seed}): initial_seed {initial}, rand {numbers[0]:.6f}, randn {numbers[500]:.6f}")
    assert all(numbers == results[0][1] for _, numbers in results), "the upper half of a seed counts now"
    assert len({initial for initial, _ in results}) == len(group), "initial_seed is cut as well"
assert draws(1)[1] != draws(2)[1]
assert np.random.default_rng(1).random() != np.random.default_rng(1 + 2**32).random()
for seed in (1, 1 + 2**32):  # the global generator
    torch.manual_seed(seed)
    assert torch.rand(500).tolist() == draws(1)[1][:500]
PY
