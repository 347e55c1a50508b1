"""The cost of a job before it runs: seconds, memory, bytes; from a recipe and a calibration, without torch."""

from core.forecast.calibration import QUIET, Calibration, Point
from core.forecast.fitted import LONG, Sizes, fitted_anywhere, fitted_job, offered, raced_job, sized_job
from core.forecast.forecast_job import forecast_job, remembered, still_holds
from core.forecast.history import ENOUGH, Past, off
from core.forecast.predict import Estimate, Forecast, Within, predict
from core.forecast.room import MARGIN, beyond, needed

__all__ = [
    "ENOUGH",
    "LONG",
    "MARGIN",
    "QUIET",
    "Calibration",
    "Estimate",
    "Forecast",
    "Past",
    "Point",
    "Sizes",
    "Within",
    "beyond",
    "fitted_anywhere",
    "fitted_job",
    "forecast_job",
    "needed",
    "off",
    "offered",
    "predict",
    "raced_job",
    "remembered",
    "sized_job",
    "still_holds",
]
