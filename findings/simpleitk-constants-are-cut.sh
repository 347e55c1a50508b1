#!/usr/bin/env bash
# SimpleITK cuts a number beside an image down to the image's type: half of a scan is black, and 50 is more than 300.
# Versions: Python 3.11, SimpleITK 2.5.7, NumPy 2.4.6
#
# `image * 0.5` and `image / 2` are the same, except that the first one is 0 throughout for an image of whole numbers,
# as scans are: the number becomes one of the image's type before it is used, 0.5 becomes 0, 1.5 becomes 1, and 300
# beside 8 bits 44. Division alone goes to floats first. Comparisons do it, too: above 300 is whatever is above 44, and
# of 8-bit pixels none is above -1, since that is 255. A scan in Hounsfield units times 0.001 is 0. Nothing is said.
# The cure is sitk.Cast(image, sitk.sitkFloat32) before.
#
# Seen on 2026-12-01:
#     8-bit image           : 0 10 50 100 200 255  (8-bit unsigned integer)
#     image / 2             : 0 5 25 50 100 127.5  (64-bit float)
#     image * 0.5           : 0 0 0 0 0 0  (8-bit unsigned integer)
#     image * 1.5           : 0 10 50 100 200 255  (8-bit unsigned integer)
#     image > 300           : 0 0 1 1 1 1  (8-bit unsigned integer)
#     image > -1            : 0 0 0 0 0 0  (8-bit unsigned integer)
#     as float32, * 0.5     : 0 5 25 50 100 127.5  (32-bit float)
#     as float32, > 300     : 0 0 0 0 0 0  (8-bit unsigned integer)
#     scan of 16 bits       : -1000 -100 0 40 400 1500  (16-bit signed integer)
#     scan * 0.001          : 0 0 0 0 0 0  (16-bit signed integer)
#     scan / 1000           : -1 -0.1 0 0.04 0.4 1.5  (64-bit float)
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
"${install[@]}" simpleitk==2.5.7 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error - <<'PY'
import numpy as np
import SimpleITK as sitk

pixels = np.array([[0, 10, 50, 100, 200, 255]], np.uint8)
scan = np.array([[-1000, -100, 0, 40, 400, 1500]], np.int16)


def shown(title: str, result: sitk.Image) -> np.ndarray:
    values = sitk.GetArrayFromImage(result)
    print(f"{title:22}: {' '.join(f'{value:g}' for value in values[0])}  ({result.GetPixelIDTypeAsString()})")
    return values[0]


image, hounsfield = sitk.GetImageFromArray(pixels), sitk.GetImageFromArray(scan)
shown("8-bit image", image)
assert np.allclose(shown("image / 2", image / 2), pixels / 2), "division is whole, too"
assert (shown("image * 0.5", image * 0.5) == 0).all(), "half of an image is not 0 now"
assert np.array_equal(shown("image * 1.5", image * 1.5), pixels[0]), "1.5 times an image is another one now"
assert np.array_equal(shown("image > 300", image > 300), pixels[0] > 44), "300 is not 44 now"
assert not shown("image > -1", image > -1).any(), "-1 is not 255 now"
as_floats = sitk.Cast(image, sitk.sitkFloat32)
assert np.allclose(shown("as float32, * 0.5", as_floats * 0.5), pixels / 2)
assert not shown("as float32, > 300", as_floats > 300).any()
shown("scan of 16 bits", hounsfield)
assert (shown("scan * 0.001", hounsfield * 0.001) == 0).all(), "a thousandth of a scan is not 0 now"
assert np.allclose(shown("scan / 1000", hounsfield / 1000), scan / 1000)
PY
