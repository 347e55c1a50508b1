#!/usr/bin/env bash
# Pillow leaves nothing above 255 of a 16-bit grey picture rotated with interpolation, and resizes a big-endian one to
# noise.
# Versions: Python 3.11, Pillow 13.0.0, NumPy 2.4.6
#
# A 16-bit grey PNG opens in mode I;16. rotate() and transform() with BILINEAR or BICUBIC return a picture of the same
# mode and size in which no value is above 255, without an error or a warning: a smooth ramp of 1000..7200 becomes a
# saw. NEAREST, the default of rotate(), is right, and so is resize() of this picture with every filter. A 16-bit grey
# TIFF in big-endian order, the order in which ImageJ writes, opens in mode I;16B with the right pixels, but resize()
# with the default filter returns noise of the whole range. The same numbers in mode F (float32) come out right every
# time, so the way round is convert("F") before anything that interpolates.
#
# Seen on 2026-11-28:
#     rotate    BILINEAR I;16 :   164    16   129    12   177    13   right:  3040  3156  3272  3388  3503  3619
#     rotate    BICUBIC  I;16 :   199     8   123    11   181    13   right:  3052  3159  3266  3380  3506  3627
#     transform BILINEAR I;16 :    47    97    97    19    20    70   right:  3250  3350  3450  3550  3650  3750
#     transform BICUBIC  I;16 :    35   110   117     0     7    82   right:  3250  3350  3450  3550  3650  3750
#     resize    default  I;16 :  4368  4634  4900  5168  5440  5694   right:  4367  4634  4900  5167  5439  5694
#     resize    default  I;16B: 36225 42397 31873  6284 26486 46720   right:  4367  4634  4900  5167  5439  5694
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

env/bin/python - <<'PY'
import numpy as np
from PIL import Image

ramp = (np.add.outer(np.arange(32), np.arange(32)) * 100 + 1000).astype(np.uint16)
Image.fromarray(ramp).save("grey.png")
Image.fromarray(ramp.astype(">u2")).save("grey.tif")
png, tif, exact = Image.open("grey.png"), Image.open("grey.tif"), Image.fromarray(ramp.astype(np.float32))
assert (np.asarray(png) == ramp).all() and (np.asarray(tif) == ramp).all(), "the files do not hold the ramp"


def row(picture: Image.Image, y: int) -> str:
    return " ".join(f"{value:5.0f}" for value in np.asarray(picture)[y, 6:12])


def error(picture: Image.Image, reference: Image.Image) -> float:
    return float(np.abs(np.asarray(picture).astype(float) - np.asarray(reference)).max())


half = (1, 0, 0.5, 0, 1, 0)  # half a pixel to the left
changes = {
    "rotate": lambda picture, kind: picture.rotate(10, resample=kind),
    "transform": lambda picture, kind: picture.transform((32, 32), Image.Transform.AFFINE, half, resample=kind),
}
for name, change in changes.items():
    for kind in (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC):
        grey, right = change(png, kind), change(exact, kind)
        print(f"{name:9} {kind.name:8} {grey.mode:5}: {row(grey, 16)}   right: {row(right, 16)}")
        assert grey.mode == "I;16" and np.asarray(grey).max() <= 255 < 5000 < np.asarray(right).max(), name
    assert error(change(png, Image.Resampling.NEAREST), change(exact, Image.Resampling.NEAREST)) == 0, name

small, small_tif, right = (picture.resize((12, 12)) for picture in (png, tif, exact))
print(f"resize    default  {small.mode:5}: {row(small, 6)}   right: {row(right, 6)}")
print(f"resize    default  {small_tif.mode:5}: {row(small_tif, 6)}   right: {row(right, 6)}")
assert error(small, right) <= 1 and tif.mode == "I;16B" and error(small_tif, right) > 20000, "resize has changed"
PY
