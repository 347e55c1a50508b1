"""A recipe that ends in a given time: rules of scaling as data, and the best recipe that ends as foreseen; no torch.

`fit` takes a recipe, and gives up what its family's ladder says is missed least until its price is within the time.
"""

from core.budget.fit import Fitted, TooShort, fit
from core.budget.ladders import FEWEST_SEEDS

__all__ = ["FEWEST_SEEDS", "Fitted", "TooShort", "fit"]
