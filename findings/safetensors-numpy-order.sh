#!/usr/bin/env bash
# safetensors writes NumPy pictures turned from channels last to channels first with their pixels in the wrong places.
# Versions: Python 3.11, safetensors 0.8.0, NumPy 2.4.6, scikit-learn 1.9.1
#
# safetensors.numpy.save() and save_file() store the shape of an array beside its memory as it lies, so that whatever is
# not in C order comes back with other values: a batch after transpose(0, 3, 1, 2) has all its numbers, but not where
# they were; px[::2] comes back as the first half of px, and a crop as other pixels of its picture. So does what other
# libraries return, as the components of scikit-learn's PCA. Nothing is said in writing or in reading, the shape and
# the type are right, and no checksum can tell it. safetensors.torch refuses such a tensor with an
# error, and the release before (0.7.0) stored NumPy's arrays right. The cure is numpy.ascontiguousarray().
#
# Seen on 2026-11-29:
#     as they are      : 100.0 % of the numbers are in their places
#     channels first   :   0.5 % of the numbers are in their places
#     every second     :   3.5 % of the numbers are in their places
#     crop of 20 x 20  :   0.5 % of the numbers are in their places
#     PCA's components :   0.6 % of the numbers are in their places
#     made contiguous  : 100.0 % of the numbers are in their places
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
"${install[@]}" safetensors==0.8.0 scikit-learn==1.9.1 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error::UserWarning - <<'PY'
import numpy as np
import safetensors.numpy
from sklearn.decomposition import PCA

pictures = np.random.default_rng(0).integers(0, 256, (64, 28, 28, 3), np.uint8)
first = pictures.transpose(0, 3, 1, 2)
arrays = {
    "as they are": pictures,
    "channels first": first,
    "every second": pictures[::2],
    "crop of 20 x 20": pictures[:, 4:24, 4:24],
    "PCA's components": PCA(8, svd_solver="full").fit(pictures.reshape(64, -1)[:, :40]).components_,
    "made contiguous": np.ascontiguousarray(first),
}
right = {}
for title, array in arrays.items():
    safetensors.numpy.save_file({"x": array}, "x.safetensors")
    back = safetensors.numpy.load_file("x.safetensors")["x"]
    assert back.shape == array.shape and back.dtype == array.dtype
    in_memory = safetensors.numpy.load(safetensors.numpy.save({"x": array}))["x"]
    assert (in_memory == back).all(), "save() and save_file() differ"
    right[title] = float((back == array).mean())
    print(f"{title:17}: {right[title]:6.1%} of the numbers are in their places".replace("%", " %"))
assert right.pop("as they are") == right.pop("made contiguous") == 1
assert all(share < 0.1 for share in right.values()), "arrays that are not contiguous are stored right now"
halved = safetensors.numpy.load(safetensors.numpy.save({"x": pictures[::2]}))["x"]
assert (halved == pictures[:32]).all(), "every second picture is no longer stored as the first half"
PY
