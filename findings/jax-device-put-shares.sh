#!/usr/bin/env bash
# JAX's device_put takes over the memory of a NumPy array where that lies well, and may_alias=False does not stop it.
# Versions: Python 3.11, JAX 0.10.2, NumPy 2.4.6
#
# The documentation calls the result a copy, and of may_alias=False that the array will be copied. On a processor an
# array whose memory starts at a multiple of 64 bytes is taken as it is: what is written to it later changes the JAX
# array, which counts as immutable. A loader that fills one buffer again and again, as shared memory and mapped files
# (which begin at a page) invite, gets batches that are all equal to the last one. The same buffer moved by four bytes
# is copied, so a small test on common arrays may see nothing or see it now and then. jnp.asarray, which is the one that
# sounds as if it shared, copies here. There is no message.
#
# Seen on 2026-11-29:
#     device_put, shared memory                 : batches of 2, 2, 2
#     device_put, shared memory, may_alias=False: batches of 2, 2, 2
#     device_put, a mapped file                 : batches of 2, 2, 2
#     device_put, moved by four bytes           : batches of 0, 1, 2
#     asarray, shared memory                    : batches of 0, 1, 2
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
"${install[@]}" jax==0.10.2 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

trap 'tail -3 messages.txt; exit 1' ERR
JAX_PLATFORMS=cpu env/bin/python - 2>messages.txt <<'PY'
import mmap
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

SHAPE = (64, 784)
shared = mmap.mmap(-1, 64 * 784 * 4 + 4)
aligned = np.ndarray(SHAPE, np.float32, buffer=shared)
moved = np.ndarray(SHAPE, np.float32, buffer=shared, offset=4)
mapped = np.lib.format.open_memmap("pictures.npy", mode="w+", dtype=np.float32, shape=SHAPE)


def epoch(title: str, buffer: np.ndarray, put: Callable[[np.ndarray], jax.Array]) -> list[int]:
    batches = []
    for number in range(3):
        buffer[...] = number
        batches.append(put(buffer).block_until_ready())
    values = [int(batch[0, 0]) for batch in batches]
    assert all(bool((batch == value).all()) for batch, value in zip(batches, values, strict=True))
    print(f"{title:42}: batches of {', '.join(map(str, values))}")
    return values


same, right = [2, 2, 2], [0, 1, 2]
copying = partial(jax.device_put, may_alias=False)
assert epoch("device_put, shared memory", aligned, jax.device_put) == same, "it copies now"
assert epoch("device_put, shared memory, may_alias=False", aligned, copying) == same, "may_alias=False copies now"
assert epoch("device_put, a mapped file", mapped, jax.device_put) == same, "it copies mapped files now"
assert epoch("device_put, moved by four bytes", moved, jax.device_put) == right
assert epoch("asarray, shared memory", aligned, jnp.asarray) == right
PY
if grep -iE 'warn|alias|copy|share' messages.txt; then
    echo "it says something now"
    exit 1
fi
