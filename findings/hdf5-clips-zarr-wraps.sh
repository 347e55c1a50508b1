#!/usr/bin/env bash
# The same assignment into 8-bit pixels is clipped by HDF5 and wraps round in Zarr, both without a word.
# Versions: Python 3.11, h5py 3.16.0, Zarr 3.1.6, NumPy 2.4.6
#
# A picture brightened in 16 bits is assigned to a dataset of type uint8. HDF5's own conversion saturates: 300 is
# stored as 255 and -20 as 0, in creation with dtype="u1" too, and reading through astype("i1") clips once more, at
# 127. Zarr, often the successor of such files, casts as NumPy does: 300 becomes 44 and -20 becomes 236, so white turns
# to dark specks. Code that relied on the one, knowingly or not, damages pixels after a move to the other. Neither
# library warns, and reading back gives valid pixels.
#
# Seen on 2026-11-28:
#     given             :  -20    0  100  200  255  256  300
#     HDF5              :    0    0  100  200  255  255  255
#     HDF5 read as int8 :    0    0  100  127  127  127  127
#     Zarr              :  236    0  100  200  255    0   44
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
"${install[@]}" h5py==3.16.0 zarr==3.1.6 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error - <<'PY'
import h5py
import numpy as np
import zarr

pixels = np.array([-20, 0, 100, 200, 255, 256, 300], np.int16)
with h5py.File("pixels.h5", "w") as file:
    file.create_dataset("assigned", pixels.shape, "u1")[...] = pixels
    file.create_dataset("created", data=pixels, dtype="u1")
    assigned, created, signed = file["assigned"][...], file["created"][...], file["assigned"].astype("i1")[...]
stored = zarr.create_array("pixels.zarr", shape=pixels.shape, dtype="u1")
stored[...] = pixels
wrapped = zarr.open_array("pixels.zarr", mode="r")[...]
for title, values in (("given", pixels), ("HDF5", assigned), ("HDF5 read as int8", signed), ("Zarr", wrapped)):
    print(f"{title:18}:", " ".join(f"{value:4d}" for value in values))
assert (assigned == pixels.clip(0, 255)).all() and (created == assigned).all(), "HDF5 no longer clips"
assert (signed == pixels.clip(0, 127)).all(), "HDF5 no longer clips in reading"
assert (wrapped == pixels % 256).all(), "Zarr no longer wraps"
PY
