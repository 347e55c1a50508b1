"""The pure steps in which all time is spent: one SGD step, its adjoint, and what a network says in a test.

All are functions of tensors alone, with nothing to differentiate around them, so this package is the only place that
knows how second-order gradients are obtained, and the only place to compile them.
"""

from core.engine.kernels.ahead import Pace, Program, compile_ahead, compile_within
from core.engine.kernels.choice import Chosen, choose, missing_compiler
from core.engine.kernels.compiled import TESTS, Compiled, Shape
from core.engine.kernels.eager import Eager, adjoint_step, gradient
from core.engine.kernels.environment import environment
from core.engine.kernels.program import trim_programs
from core.engine.kernels.step import Adjoint, Kernels, Loss
from core.plan.ways import Precision

__all__ = [
    "TESTS",
    "Adjoint",
    "Chosen",
    "Compiled",
    "Eager",
    "Kernels",
    "Loss",
    "Pace",
    "Precision",
    "Program",
    "Shape",
    "adjoint_step",
    "choose",
    "compile_ahead",
    "compile_within",
    "environment",
    "gradient",
    "missing_compiler",
    "trim_programs",
]
