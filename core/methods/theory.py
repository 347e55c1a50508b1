"""The method of the theory lab: regression on few directions of many, which no picture is."""

from __future__ import annotations

from core.methods.task import Presets, Task
from core.recipe import Recipe
from core.recipe.checks.two_layer import LAB

__all__ = ["progressive_two_layer"]


def progressive_two_layer(task: Task) -> Recipe:
    """Points and labels for a two-layer network.

    A regression on data that depends on few directions, distilled to a few points, one label a hidden unit and a seed.
    One gradient-matching step at initialisation draws the points into the directions that matter; the labels are those
    after which fresh students answer real data best. It is a lab, for data that are generated from a formula and whose
    truth is known, and its report holds every number against that truth.

    Family: theory
    Equation: x~_m ~ sum_i 1[<w_i, u_m> > 0] E[y 1[<w_i, x> > 0] x]; labels z = argmin E_w E (Phi_w(x) P_w z - y)^2 with
        P_w = (F_w^T F_w / L + lam I)^-1 F_w^T / L on inputs mixed from the x~
    Citation: inspired by Kinoshita, Nishikawa & Toyoizumi 2026, arXiv 2603.14830, of which the abstract alone was to be
        had: memory ~ r^2 d + L; phases, labels and constants are our reconstruction (docs/THEORY.md)
    Published: no experiment that could be read; ours are in docs/THEORY.md
    Use: to see on a formula what dimension, directions, samples, points and width are worth: multi-index datasets.
    Avoid: for pictures, tables and series, whose labels are classes: take `auto`.
    """
    return Recipe.model_validate(LAB.model_dump())


PRESETS: Presets = {}
