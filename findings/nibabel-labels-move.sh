#!/usr/bin/env bash
# nibabel, given back the labels that it has read, writes them so that no label but 0 is found again, and 2 becomes 1.
# Versions: Python 3.11, nibabel 5.4.2, NumPy 2.4.6
#
# get_fdata() gives the classes of a segmentation as float64. With the header of the file that they come from, as the
# new picture is to lie where the old one did, they are written as uint8 or int16 again: whole numbers that would fit
# as they are. For floats nibabel spreads their range over all numbers of the type instead, and a factor in the header
# is to undo it. Of classes 0 to 4 in 8 bits, the factor is 4 / 255, and 2 is read as 2.008 or 1.992. `labels == 2` is
# true nowhere, and astype(int) moves whole classes to the one below. With 0 to 3 or 0 to 5 in 8 bits, which divide
# 255, they are off by 0.00000006 only: enough for `==`. Nothing is said. The cure is astype(np.uint8) before.
#
# Seen on 2026-11-30, voxels of 1,000 that are still of their class:
#     uint8, classes 0 to 3: by == 250, by astype(int) 1000
#     uint8, classes 0 to 4: by == 200, by astype(int) 600
#     uint8, classes 0 to 7: by == 125, by astype(int) 625
#     int16, classes 0 to 3: by == 250, by astype(int) 250
#     int16, classes 0 to 4: by == 200, by astype(int) 600
#     uint8, classes 0 to 4, written as uint8: by == 1000, by astype(int) 1000
#     0 1 2 3 4 are read as 0.000 1.004 1.992 2.996 4.000
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
"${install[@]}" nibabel==5.4.2 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error - <<'PY'
import nibabel
import numpy as np


def again(kind: str, highest: int, as_numbers: bool = False) -> tuple[int, int, np.ndarray]:
    """Voxels that keep their class when a segmentation is read, written with its own header, and read."""
    labels = np.arange(1000).reshape(10, 10, 10) % (highest + 1)
    nibabel.save(nibabel.Nifti1Image(labels.astype(kind), np.eye(4)), "first.nii.gz")
    first = nibabel.load("first.nii.gz")
    read = first.get_fdata()
    assert (read == labels).all() and first.get_data_dtype() == kind
    given = read.astype(kind) if as_numbers else read
    nibabel.save(nibabel.Nifti1Image(given, first.affine, first.header), "second.nii.gz")
    second = nibabel.load("second.nii.gz")
    values = second.get_fdata()
    assert second.get_data_dtype() == kind and np.abs(values - labels).max() < 0.1
    exact, whole = int((values == labels).sum()), int((values.astype(int) == labels).sum())
    title = f"{kind}, classes 0 to {highest}" + f", written as {kind}" * as_numbers
    print(f"{title}: by == {exact}, by astype(int) {whole}")
    return exact, whole, values.ravel()[: highest + 1]


for kind, highest in (("uint8", 3), ("uint8", 4), ("uint8", 7), ("int16", 3), ("int16", 4)):
    exact, whole, values = again(kind, highest)
    assert exact == 1000 // (highest + 1), "labels are written as they are now"
    assert whole < 700 or (kind, highest) == ("uint8", 3)
    if (kind, highest) == ("uint8", 4):
        shown = values
assert again("uint8", 4, as_numbers=True)[:2] == (1000, 1000)
print("0 1 2 3 4 are read as", *(f"{value:.3f}" for value in shown))
assert shown.astype(int).tolist() == [0, 1, 1, 2, 4]
PY
