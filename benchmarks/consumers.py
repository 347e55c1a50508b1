"""The worth of a downloaded artifact of digits to other models than the networks of its report.

`python -m benchmarks.consumers FOLDER [FOLDER ...]`: networks by the artifact's own student, without its augmentation
and with Adam; random forests on the floats, on the 8-bit set and on as many random real images. Artifacts of one
request that differ by their seed alone are one row: mean ± sample standard deviation over them.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.ensemble import RandomForestClassifier

from core.artifacts import student
from core.artifacts.load import Distilled, load
from core.data.digits import digits

NETWORKS = 3


def networks(data: Distilled, **changes: Any) -> float:
    """Mean test accuracy of fresh networks, by the protocol of the report but for `changes`."""
    data = replace(data, recipe=data.recipe | {"evaluation": data.recipe["evaluation"] | changes})
    test = digits().test
    x = data.transform(test.images)
    each = [
        student.accuracy(student.train(student.network(data, seed), data, seed), x, test.labels)
        for seed in range(NETWORKS)
    ]
    return statistics.fmean(each)


def forests(x: Any, y: Any, test: Any) -> float:
    """Mean test accuracy of random forests with 100 trees."""
    labels = digits().test.labels
    flat = [np.asarray(images).reshape(len(images), -1) for images in (x, test)]
    made = (RandomForestClassifier(random_state=seed).fit(flat[0], y) for seed in range(NETWORKS))
    return statistics.fmean(float(forest.score(flat[1], labels)) for forest in made)


def on_floats(data: Distilled) -> float:
    """Forests on the floats of an artifact."""
    return forests(data.images, data.labels, data.transform(digits().test.images))


def on_pixels(data: Distilled) -> float:
    """Forests on its 8-bit set."""
    return forests(data.to_pixels(data.images), data.labels, digits().test.images)


def on_random(data: Distilled) -> float:
    """Forests on as many random real images of each class."""
    train, ipc, found = digits().train, len(data.labels) // 10, []
    for seed in range(NETWORKS):
        draw = np.random.default_rng(seed)
        own = np.concatenate([draw.permutation(np.flatnonzero(train.labels == label))[:ipc] for label in range(10)])
        found.append(forests(train.images[own], train.labels[own], digits().test.images))
    return statistics.fmean(found)


ROWS: dict[str, Callable[[Distilled], float]] = {
    "networks, as the report": networks,
    "networks, without augmentation": lambda data: networks(data, augment=False, policy="batch"),
    "networks, AdamW at 0.001": lambda data: networks(data, optimiser="adamw", lr=1e-3),
    "networks, AdamW at 0.001, without augmentation": lambda data: networks(
        data, optimiser="adamw", lr=1e-3, augment=False, policy="batch"
    ),
    "random forests, floats": on_floats,
    "random forests, 8-bit set": on_pixels,
    "random forests, random real images": on_random,
}


def main(folders: list[Path]) -> None:
    """Print a table in Markdown."""
    torch.set_num_threads(1)
    known = [load(folder) for folder in folders]
    print("| consumer | test accuracy | n |\n| --- | ---: | ---: |")
    for name, measure in ROWS.items():
        each = [100 * measure(data) for data in known]
        spread = f" ± {statistics.stdev(each):.1f}" if len(each) > 1 else ""
        print(f"| {name} | {statistics.fmean(each):.1f}{spread} % | {len(each)} |", flush=True)


if __name__ == "__main__":
    main([Path(folder) for folder in sys.argv[1:]])
