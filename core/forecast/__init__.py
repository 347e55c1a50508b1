"""The cost of a job before it runs: seconds, memory, bytes; from a recipe and a calibration, without torch."""

from core.forecast.calibration import QUIET, Calibration, Point
from core.forecast.forecast_job import forecast_job, remembered, still_holds
from core.forecast.history import ENOUGH, Past, off
from core.forecast.predict import Estimate, Forecast, predict
from core.forecast.room import beyond

__all__ = [
    "ENOUGH",
    "QUIET",
    "Calibration",
    "Estimate",
    "Forecast",
    "Past",
    "Point",
    "beyond",
    "forecast_job",
    "off",
    "predict",
    "remembered",
    "still_holds",
]
