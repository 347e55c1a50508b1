"""Finished jobs as the engine would hand them over, made of real digits."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.artifacts import Distilled
from core.data import Catalogue, Dataset
from core.report import Report
from core.request import JobRequest, resolve
from tests.data.bundles import Arrays, place


@cache
def digits() -> Dataset:
    return Catalogue(Path("no data folder is needed")).load("digits")


def result(
    ipc: int = 1,
    kind: str = "mean_std",
    soft: bool = False,
    step_size: float | None = 0.0123,
    method: str = "mtt",
    update: float = 1.0,
    **changes: Any,
) -> Distilled:
    """The first `ipc` training digits of each class as if they had been distilled: the pixels are exact.

    `changes` are overrides of the recipe, by path with two underscores for a dot.
    """
    facts, train = digits().facts, digits().train
    index = np.concatenate([np.flatnonzero(train.labels == label)[:ipc] for label in range(10)])
    transform, images = preprocess(kind, train.images, train.images[index])
    overrides = {path.replace("__", "."): value for path, value in changes.items()}
    overrides |= {"parameterize.update": update} if update < 1 else {}
    request = JobRequest(dataset="digits", ipc=ipc, method=method, overrides=overrides, seed=7)
    recipe = resolve(request, facts).model_dump(mode="json")
    return Distilled(
        images=images,
        labels=train.labels[index],
        soft_labels=soft_labels(train.labels[index]) if soft else None,
        pixels=train.images[index],
        real=np.tile(np.arange(ipc) >= (0 if method == "random" else int(update * ipc)), 10),
        step_size=step_size,
        transform=transform,
        facts=facts,
        request=request.model_dump(mode="json"),
        recipe=recipe,
        report=report(len(index), facts.train_count, recipe["evaluation"]),
        metrics=[{"step": step, "seconds": step / 2, "name": "loss", "value": 1 / step} for step in range(1, 4)],
        provenance={
            "fingerprint": f"sha256:{'0' * 64}",
            "versions": {"stillhouse": "0.1.0", "numpy": np.__version__},
            "hardware": "2 CPU cores",
            "timings": {"distilling": 60.5},
            "seeds": {"request": 7, "evaluation": [0, 1, 2]},
            "commit": "0123abc",
        },
    )


def in_few_bits(given: Distilled) -> Distilled:
    """The same result, of a recipe with compact storage, as its bits hold it."""
    levels = 2 ** int(given.recipe["storage"]["bits"]) - 1
    pixels = np.rint(np.rint(given.pixels * (levels / 255)) * (255 / levels)).astype(np.uint8)
    images = preprocess(given.transform["kind"], digits().train.images, pixels)[1]
    return replace(given, stored=pixels, pixels=pixels, images=images)


def told(given: Distilled, **changes: Any) -> Distilled:
    """The same result with other entries in its report."""
    return replace(given, report=Report.model_validate(given.report.document() | changes))


def class_named(names: tuple[str, ...], base: Distilled | None = None) -> Distilled:
    """The same result with other class names."""
    base = base or result()
    return replace(base, facts=replace(base.facts, class_names=names))


def preprocess(
    kind: str, train: NDArray[np.uint8], pixels: NDArray[np.uint8]
) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """The transform fitted on `train`, as data, and `pixels` through it; in float64, by the papers' formulas."""
    seen, x = train / 255, pixels / 255
    if kind == "mean_std":
        mean, std = seen.mean((0, 2, 3)), seen.std((0, 2, 3))
        y = (x - mean[:, None, None]) / std[:, None, None]
        return {"kind": kind, "mean": mean, "std": std}, y.astype(np.float32)
    if kind == "zca":
        flat = seen.reshape(len(seen), -1)
        values, vectors = np.linalg.eigh(np.cov(flat, rowvar=False))
        values = np.maximum(values, 0) + 0.1
        whiten, unwhiten = (vectors * values**power @ vectors.T for power in (-0.5, 0.5))
        y = (x.reshape(len(x), -1) - flat.mean(0)) @ whiten
        arrays = {"mean": flat.mean(0), "whiten": whiten, "unwhiten": unwhiten}
        return {"kind": kind, **{k: v.astype(np.float32) for k, v in arrays.items()}}, y.reshape(x.shape).astype("f4")
    return {"kind": "none"}, x.astype(np.float32)


def soft_labels(labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Nine tenths on the label, the rest spread."""
    return (0.9 * np.eye(10)[labels] + 0.01).astype(np.float32)


def report(images: int, everything: int, protocol: dict[str, Any]) -> Report:
    """A report.json of plausible numbers."""
    table = {
        "random": (images, [0.60, 0.64, 0.68]),
        "distilled": (images, [0.91, 0.92, 0.90]),
        "distilled_8bit": (images, [0.90, 0.91, 0.89]),
        "full": (everything, [0.99, 0.995, 0.993]),
    }
    document = {
        "schema_version": 1,
        "protocol": protocol,
        "n_seeds": 3,
        "results": [
            {
                "name": name,
                "images": count,
                "accuracy_mean": float(np.mean(accuracies)),
                "accuracy_std": float(np.std(accuracies, ddof=1)),
                "accuracies": accuracies,
                "validation_mean": None,
                "network": "convnet-d2-w32-instance",
                "seconds": 3.5,
            }
            for name, (count, accuracies) in table.items()
        ],
        "selection": "last iterate",
        "phases": {"preparing": 1.0, "distilling": 60.5},
        "warnings": ["The random baseline was tried with one learning rate only."],
    }
    return Report.model_validate(document)


def of_numbers(folder: Path, name: str, arrays: Arrays, method: str = "dm") -> Distilled:
    """The first two rows or series of each class of a bundle, which is placed in `folder`, as if distilled."""
    place(folder, name, arrays)
    data = Catalogue(folder).load(name)
    facts, train = data.facts, data.train
    index = np.concatenate([np.flatnonzero(train.labels == label)[:2] for label in range(facts.classes)])
    request = JobRequest(dataset=name, ipc=2, method=method, overrides={}, seed=7)
    recipe = resolve(request, facts).model_dump(mode="json")
    return replace(
        result(ipc=2, kind="none", step_size=None),
        images=train.images[index],
        labels=train.labels[index],
        pixels=train.images[index],
        real=np.zeros(len(index), bool),
        transform={"kind": "none", "values": "numbers"},
        facts=facts,
        request=request.model_dump(mode="json"),
        recipe=recipe,
        report=report(len(index), facts.train_count, recipe["evaluation"]),
    )
