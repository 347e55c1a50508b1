#!/usr/bin/env bash
# netCDF4 takes the white pixels of 8-bit and 16-bit pictures for missing ones, though the file names no such value.
# Versions: Python 3.11, netCDF4 1.7.5.1.post1, NumPy 2.4.6, xarray 2026.9.0
#
# Its documentation says that values equal to the missing_value or _FillValue attributes are masked. These pictures have
# no attributes, yet 255 of uint8 and 65535 of uint16 are masked, and -127 of int8, -32767 of int16: the numbers that
# NetCDF fills unwritten places with. A picture of which half is white has the mean of its other half, the maximum is
# never 255, and of a white picture no mean is left. There is no message. For bytes the rule of NetCDF is that none is
# missing by default; it is quoted in netCDF4's code, above a condition that keeps it for unfilled variables alone:
# with fill_value=False the 8-bit picture is right, the 16-bit one is not. xarray reads the same files as they were
# written. The cure is set_auto_mask(False).
#
# Seen on 2026-11-30:
#     uint8 : missing 392 of 784, mean   50.1 instead of  152.5; with fill_value=False missing 0
#     uint16: missing 392 of 784, mean 13349.1 instead of 39442.0; with fill_value=False missing 392
#     int8  : -127 is missing
#     int16 : -32767 is missing
#     a white picture has the mean: --
#     xarray reads 152.5 and 39442.0
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
"${install[@]}" netCDF4==1.7.5.1.post1 xarray==2026.9.0 pandas==3.1.1 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error - <<'PY'
import netCDF4
import numpy as np
import xarray as xr


def stored(values: np.ndarray, fill: bool | None = None) -> np.ma.MaskedArray:
    """The values written to a file and read again; with fill=False the variable is not filled before."""
    with netCDF4.Dataset("pictures.nc", "w") as file:
        for axis, size in enumerate(values.shape):
            file.createDimension(f"axis{axis}", size)
        names = tuple(f"axis{axis}" for axis in range(values.ndim))
        file.createVariable("pixels", values.dtype, names, fill_value=fill)[:] = values
    with netCDF4.Dataset("pictures.nc") as file:
        assert not file["pixels"].ncattrs(), "the file names a missing value now"
        return file["pixels"][:]


random = np.random.default_rng(0)
rightly = []
for kind, shift in (("uint8", 8), ("uint16", 0)):
    white = np.iinfo(kind).max
    picture = (random.integers(0, 100 << 8, (28, 28)) >> shift).astype(kind)  # the darker half
    picture[:14] = white
    unfilled = int(np.ma.getmaskarray(stored(picture, fill=False)).sum())
    read = stored(picture)
    missing = np.ma.getmaskarray(read)
    rightly.append(float(xr.load_dataset("pictures.nc").pixels.mean()))
    print(f"{kind:6}: missing {missing.sum()} of 784, mean {read.mean():6.1f} instead of {picture.mean():6.1f}; ", end="")
    print(f"with fill_value=False missing {unfilled}")
    assert (missing == (picture == white)).all() and missing.sum() == 392, "white pixels are there now"
    assert abs(read.mean() - picture[14:].mean()) < 1e-6 and read.max() < white
    assert unfilled == (0 if kind == "uint8" else 392), "fill_value=False is taken otherwise now"
    assert abs(rightly[-1] - picture.mean()) < 1e-6 * picture.mean(), "xarray reads it otherwise now"
for kind, number in (("int8", -127), ("int16", -32767)):
    values = np.array([number - 1, number, number + 1, -1, 0, 1], kind)
    gone = values[np.ma.getmaskarray(stored(values))].tolist()
    print(f"{kind:6}: {', '.join(map(str, gone)) or 'nothing'} is missing")
    assert gone == [number], "no signed number is missing now"
mean = stored(np.full((28, 28), 255, np.uint8)).mean()
print(f"a white picture has the mean: {mean}")
assert mean is np.ma.masked
print(f"xarray reads {rightly[0]:.1f} and {rightly[1]:.1f}")
PY
