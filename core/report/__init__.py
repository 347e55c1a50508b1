"""The worth of a result: report.json as typed data, and its sections as people read them."""

from core.report.aim import Aim
from core.report.choices import Probe, Sweep, Window
from core.report.coverage import Coverage, Covered
from core.report.ended import Ended
from core.report.generator import Generator
from core.report.labels import Compression, Labels
from core.report.neighbours import Neighbours, Pair
from core.report.race import Race
from core.report.report import SCHEMA_VERSION, Report
from core.report.results import TITLES, Across, Majority, Row, Unseen
from core.report.section import Curves, Entry, Line, Matrix, Measure, Section, Series, Table
from core.report.stages import Stage, Stages
from core.report.within import Within

__all__ = [
    "SCHEMA_VERSION",
    "TITLES",
    "Across",
    "Aim",
    "Compression",
    "Coverage",
    "Covered",
    "Curves",
    "Ended",
    "Entry",
    "Generator",
    "Labels",
    "Line",
    "Majority",
    "Matrix",
    "Measure",
    "Neighbours",
    "Pair",
    "Probe",
    "Race",
    "Report",
    "Row",
    "Section",
    "Series",
    "Stage",
    "Stages",
    "Sweep",
    "Table",
    "Unseen",
    "Window",
    "Within",
]
