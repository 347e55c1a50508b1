"""The measurement of the hardware whose compiled kernels are those of one layer: seconds to compile, not a minute."""

from __future__ import annotations

from core.recipe import Network
from worker.engine import calibrate

if __name__ == "__main__":
    calibrate._COMPILED = calibrate.Site((3, 32, 32), Network(width=32, depth=1), 64)
    calibrate.main()
