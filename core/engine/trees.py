"""Random forests on a table's distilled rows: trees split where networks do not, and may lose by learned rows.

It looks at the test split, for the report alone: nothing is chosen by it.
"""

from __future__ import annotations

import statistics
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.engine.context import JobContext
from core.engine.keys import Key
from core.engine.synthetic import SyntheticDataset

FORESTS: Final = 5
"""Forests of each kind, each of a seed of its own, and of random rows on other ones."""
TREES: Final = 100
MARGIN: Final = 0.01
"""Test accuracy that is lost at least where anything is said."""


def lost_by(context: JobContext, result: SyntheticDataset) -> list[str]:
    """A sentence where forests on the rows do worse than on as many random real rows; none of what is no table."""
    real = context.real
    if context.dataset.facts.kind != "vectors" or bool(result.real.all()):
        return []
    train, test = (each.images.reshape(len(each), -1) for each in (context.dataset.train, context.dataset.test))
    rows = result.pixels.flatten(1).cpu().numpy()
    own, key = result.labels.cpu().numpy(), context.key.fold("forests")
    counts = np.bincount(own, minlength=real.classes).tolist()
    made, drawn = [], []
    for seed in range(FORESTS):
        made.append(_accuracy(rows, own, test, context.dataset.test.labels, seed))
        chosen = _random(context, counts, key.fold(seed))
        drawn.append(
            _accuracy(train[chosen], context.dataset.train.labels[chosen], test, context.dataset.test.labels, seed)
        )
    ours, theirs = statistics.fmean(made), statistics.fmean(drawn)
    if ours > theirs - MARGIN:
        return []
    return [
        f"Trees lose by these rows: random forests trained on them are right on {100 * ours:.1f} % of the test rows, "
        f"and on {100 * theirs:.1f} % when trained on as many random real ones (means of {FORESTS}). For trees take "
        "selected rows: method 'k-means' or 'herding'."
    ]


def _random(context: JobContext, counts: list[int], key: Key) -> NDArray[np.int64]:
    parts = []
    for label, (members, count) in enumerate(zip(context.real.members, counts, strict=True)):
        places = members.cpu().numpy()
        order = key.fold(label).permutation(len(places)).numpy()
        parts.append(places[order[:count]])
    return np.concatenate(parts)


def _accuracy(
    rows: NDArray[np.generic],
    labels: NDArray[np.int64],
    test: NDArray[np.generic],
    answers: NDArray[np.int64],
    seed: int,
) -> float:
    from sklearn.ensemble import RandomForestClassifier  # seconds to load, and for tables alone

    forest = RandomForestClassifier(TREES, random_state=seed).fit(rows, labels)
    return float((forest.predict(test) == answers).mean())
