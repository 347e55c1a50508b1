#!/usr/bin/env bash
# Pillow's equalize, and AutoAugment's with it, does nothing to the smallest pictures and makes others up to half white.
# Versions: Python 3.11, Pillow 13.0.0, NumPy 2.4.6
#
# Equalizing gives each brightness as many pixels. ImageOps.equalize divides the number of pixels, without those of the
# brightest value, by 255 and drops the rest of that division once for all. 255 or fewer are no pixel a step: the
# picture is returned as it is. 484 are one pixel a step, so that the upper half of all pixels ends above 255 and is cut
# to white. 28 x 28 and 32 x 32 are next to a multiple of 255, and there a pixel decides: with 19 of the brightest value
# 2 % become white, with 20 a third; with 4 half a percent, with 5 a quarter. At 224 x 224, where one looks at it, it is
# half a percent. AutoAugment, RandAugment and TrivialAugment of torchvision and timm draw this operation, with policies
# made for CIFAR-10's 32 x 32; torchvision's own version for tensors keeps the scheme. Nothing is said of it.
#
# Seen on 2026-11-29 (pictures of noise, normal brightness of mean 128 and deviation 30):
#       8 x   8,  1 of the brightest: returned as it is
#      15 x  15,  1 of the brightest: returned as it is
#      18 x  18,  1 of the brightest: 20.7% white
#      20 x  20,  1 of the brightest: 36.2% white
#      22 x  22,  1 of the brightest: 46.5% white
#      24 x  24,  1 of the brightest: 11.3% white
#      27 x  27,  1 of the brightest: 29.6% white
#      28 x  28, 19 of the brightest:  2.4% white
#      28 x  28, 20 of the brightest: 34.6% white
#      32 x  32,  4 of the brightest:  0.6% white
#      32 x  32,  5 of the brightest: 24.2% white
#     224 x 224,  1 of the brightest:  0.6% white
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
"${install[@]}" pillow==13.0.0 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error - <<'PY'
import numpy as np
from PIL import Image, ImageOps

rng = np.random.default_rng(0)


def white(side: int, brightest: int = 1) -> tuple[bool, float]:
    """Whether a picture with so many pixels of its brightest value comes back as it is, and its white pixels after."""
    pixels = np.sort(np.clip(rng.normal(128, 30, side * side), 0, 239).astype(np.uint8))
    pixels[-brightest:] = 240
    picture = rng.permutation(pixels).reshape(side, side)
    equal = np.asarray(ImageOps.equalize(Image.fromarray(picture)))
    same, share = bool((equal == picture).all()), float((equal == 255).mean())
    print(
        f"{side:3d} x {side:3d}, {brightest:2d} of the brightest: "
        f"{'returned as it is' if same else f'{share:5.1%} white'}"
    )
    return same, share


assert white(8)[0] and white(15)[0], "the smallest are equalized now"
for side, least in ((18, 0.15), (20, 0.3), (22, 0.4), (24, 0.05), (27, 0.2)):
    assert white(side)[1] > least, "no more become white than should"
for side, few, more in ((28, 19, 20), (32, 4, 5)):
    assert white(side, few)[1] < 0.05 and white(side, more)[1] > 0.2, "the number of the brightest matters no more"
assert white(224)[1] < 0.02
PY
