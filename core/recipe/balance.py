"""Classes of unequal size: whether those who see real images see each class as often as there are images of it."""

from __future__ import annotations

from typing import Annotated, Literal

from core.recipe.component import Later

Balance = Annotated[Literal["none", "batches", "loss"], Later(neutral="none")]
"""How real images of the classes count: as there are, or each class alike.

"batches" draws as many images of one class as of the other, those of a small class several times. "loss" draws them as
there are, and weighs an image by n / (K n_c), with n images of K classes and n_c of its own. Where classes are of equal
size all three are the same on average.
"""

Weighting = Annotated[Literal["none", "loss"], Later(neutral="none")]
"""The same where every image has to be seen once: as there are, or of a weight with which each class counts alike."""

Measure = Annotated[Literal["accuracy", "balanced"], Later(neutral="accuracy")]
"""The figure that choices go by on the validation split: the share of images that are right, or the mean of each
class's share."""
