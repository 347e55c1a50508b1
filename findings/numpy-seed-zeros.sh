#!/usr/bin/env bash
# NumPy's default_rng([seed, 0]) is default_rng(seed): zeros at the end of a list of seeds do not count.
# Versions: Python 3.11, NumPy 2.4.6
#
# A list of numbers is the usual way to give every worker, epoch or repetition a stream of its own: default_rng([seed,
# epoch]). A list shorter than four 32-bit words is filled up with zeros before it is mixed, so epoch 0 draws exactly
# what default_rng(seed) drew elsewhere in the program, and [seed, 0] what [seed, 0, 0] draws. In the same way [7, 3]
# is 7 + 3 * 2**32. Generators that count as independent are copies of each other, and nothing says so; their
# SeedSequence even shows different entropy. With a fifth word, or through spawn(), the streams do differ.
#
# Seen on 2026-11-28:
#     default_rng(7).random() = 0.625095   entropy 7
#     default_rng([7]).random() = 0.625095   entropy [7]
#     default_rng([7, 0]).random() = 0.625095   entropy [7, 0]
#     default_rng([7, 0, 0]).random() = 0.625095   entropy [7, 0, 0]
#     default_rng([7, 0, 0, 0]).random() = 0.625095   entropy [7, 0, 0, 0]
#     default_rng([7, 0, 0, 0, 0]).random() = 0.797859   entropy [7, 0, 0, 0, 0]
#     default_rng([7, 1]).random() = 0.770141   entropy [7, 1]
#     default_rng([7, 3]).random() = 0.975034 = default_rng(7 + 3 * 2**32).random()
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
"${install[@]}" numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python - <<'PY'
import numpy as np


def draws(seed: object) -> list[float]:
    return np.random.default_rng(seed).random(1000).tolist()


def entropy(seed: object) -> object:
    return np.random.SeedSequence(seed).entropy


same = [7, [7], [7, 0], [7, 0, 0], [7, 0, 0, 0]]
for seed in [*same, [7, 0, 0, 0, 0], [7, 1]]:
    print(f"default_rng({seed}).random() = {draws(seed)[0]:.6f}   entropy {entropy(seed)}")
assert all(draws(seed) == draws(7) for seed in same), "a zero at the end counts now"
assert entropy([7, 0]) != entropy(7), "the entropy is the same as well"
assert draws([7, 0, 0, 0, 0]) != draws(7) and draws([7, 1]) != draws(7) and draws([0, 7]) != draws(7)
assert draws([7, 3]) == draws(7 + 3 * 2**32), "words are no longer joined"
print(f"default_rng([7, 3]).random() = {draws([7, 3])[0]:.6f} = default_rng(7 + 3 * 2**32).random()")
child = np.random.SeedSequence(7).spawn(1)[0]
assert np.random.default_rng(child).random(1000).tolist() != draws(7), "the first child equals its parent"
PY
