#!/usr/bin/env bash
# torchvision's decode_image returns the numbers of a PNG's palette as if they were a grey picture.
# Versions: Python 3.11, torchvision 0.29.2, PyTorch 2.15.0, Pillow 13.0.0, NumPy 2.4.6
#
# A PNG of up to 256 colours is often stored with a palette: programs that make files small do it, and so does Pillow
# after quantize(). decode_image() and read_image() read it as one channel of 8 bits by default, "as-is", and that is
# the place of each colour in the table, an order that says nothing: neighbouring numbers are unlike colours, and the
# same picture saved by another program has other numbers. It looks as a grey PNG does to whatever follows, normalises
# and trains. mode="RGB" is right, and so are Pillow and torchvision's ImageFolder. Nothing is said of it.
#
# Seen on 2026-11-29:
#     colours.png, UNCHANGED: shape (3, 64, 64), correlation with its colours' mean  1.00
#     palette.png, RGB      : shape (3, 64, 64), correlation with its colours' mean  1.00
#     palette.png, UNCHANGED: shape (1, 64, 64), correlation with its colours' mean -0.43
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
"${install[@]}" torchvision==0.29.2 torch==2.15.0 pillow==13.0.0 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

trap 'tail -3 messages.txt; exit 1' ERR
env/bin/python 2>messages.txt - <<'PY'
import numpy as np
import torch
from PIL import Image
from torchvision.io import decode_image

ramp = np.linspace(0, 255, 64).astype(np.uint8)
colours = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None], ramp[None, ::-1]), axis=2)
Image.fromarray(colours).save("colours.png")
Image.fromarray(colours).quantize(200).save("palette.png")


def read(name: str, mode: str) -> torch.Tensor:
    picture = decode_image(name, mode=mode)
    bright = torch.from_numpy(np.asarray(Image.open(name).convert("RGB")).mean(2, dtype=np.float32))
    grey = picture.float().mean(0)
    alike = torch.corrcoef(torch.stack([grey.flatten(), bright.flatten()]))[0, 1].item()
    print(f"{name:11}, {mode:9}: shape {tuple(picture.shape)}, correlation with its colours' mean {alike:5.2f}")
    return picture


assert read("colours.png", "UNCHANGED").shape == (3, 64, 64) and read("palette.png", "RGB").shape == (3, 64, 64)
numbers = read("palette.png", "UNCHANGED")
with Image.open("palette.png") as file:
    assert numbers.shape == (1, 64, 64), "palettes are resolved now"
    assert (numbers[0].numpy() == np.asarray(file)).all(), "palettes are resolved now"
PY
