#!/usr/bin/env bash
# pyedflib writes a recording in volts as a flat line, and one in millivolts in some ten levels.
# Versions: Python 3.11, pyEDFlib 0.1.42, NumPy 2.4.6
#
# An EDF file holds whole numbers of 16 bits and, for each signal, the physical values of the smallest and the largest.
# `make_signal_header` takes the unit, but whatever it is the range is -200 to 200 of it. That fits an EEG in
# microvolts. In volts, the unit that MNE computes in, a level is 6 millivolts and a brain wave has some hundredths of
# one. The file is written, is valid and says "V"; read again, each sample is the same number. `write_edf_quick`, of
# the same module, takes the range from the signal.
#
# Seen on 2026-11-30, ten seconds of a wave of 20 microvolts in noise of 5; correlation with what was written:
#     V   write_edf   1 levels, correlation 0.00, warnings 0    write_edf_quick 988 levels
#     mV  write_edf  11 levels, correlation 0.99, warnings 0    write_edf_quick 988 levels
#     uV  write_edf 945 levels, correlation 1.00, warnings 0    write_edf_quick 988 levels
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
"${install[@]}" pyedflib==0.1.42 numpy==2.4.6 || { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python - <<'PY'
import warnings

import numpy as np
from pyedflib import highlevel

seconds = np.arange(1000) / 100
volts = 20e-6 * np.sin(20 * np.pi * seconds) + 5e-6 * np.random.default_rng(0).standard_normal(1000)
levels, correlation = {}, {}
for unit, in_a_volt in (("V", 1.0), ("mV", 1e3), ("uV", 1e6)):
    given = volts * in_a_volt
    header = highlevel.make_signal_header("EEG", dimension=unit, sample_frequency=100)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert highlevel.write_edf("wave.edf", [given], [header])
    read = highlevel.read_edf("wave.edf")[0][0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert highlevel.write_edf_quick("quick.edf", [given], 100)
    quick = highlevel.read_edf("quick.edf")[0][0]
    assert np.corrcoef(quick, given)[0, 1] > 0.99, "the quick way loses it, too"
    levels[unit] = len(np.unique(read))
    correlation[unit] = abs(float(np.corrcoef(read, given)[0, 1]))
    print(
        f"{unit:<3} write_edf {levels[unit]:3} levels, correlation {correlation[unit]:.2f}, warnings {len(caught)}"
        f"    write_edf_quick {len(np.unique(quick))} levels"
    )
    assert not caught, "there is a warning now"
assert levels["V"] == 1 and levels["mV"] < 20 < 500 < levels["uV"], "the range follows the unit now"
PY
