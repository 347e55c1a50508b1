"""What a job will cost, before it runs: seconds, memory, bytes; from a recipe and a calibration, without torch."""

from core.forecast.calibration import Calibration, Point
from core.forecast.history import Past
from core.forecast.outlook import outlook
from core.forecast.predict import Estimate, Forecast, predict
from core.forecast.room import beyond

__all__ = ["Calibration", "Estimate", "Forecast", "Past", "Point", "beyond", "outlook", "predict"]
