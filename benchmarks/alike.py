"""How alike the images of a class are that are recovered from a teacher: cosines of its features, and of pixels."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor

from benchmarks.jobs import Ask, Finished, Setting, collect
from benchmarks.rows import mean_and_deviation, percent, spread, table
from core.data import Catalogue
from core.engine import init, teacher
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import build
from core.engine.real import Real, prepare
from core.engine.teacher import Teacher
from core.recipe import Recipe
from core.recipe.share import equal

TITLE: Final = "How alike recovered images of a class are"

ARMS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "SRe2L": ("sre2l", {}),
    "CDA": ("cda", {}),
    "LPLD": ("lpld", {}),
    "DWA, teachers as they are": ("dwa", {"objective.adjust.rho": 0.0}),
    "DWA": ("dwa", {}),
}
_HEAD = ["images", "cosine of features", "of pixels", "with labels of views", "with hard labels", "n", "seconds a job"]


def gather(setting: Setting, ask: Ask, ipc: int) -> dict[str, list[Finished]]:
    """The jobs of each arm, a seed each."""
    found: dict[str, list[Finished]] = {name: [] for name in ARMS}
    for seed in range(setting.seeds):
        for name, (method, changes) in ARMS.items():
            found[name] += collect(ask, [setting.order(f"{name}, {ipc} a class", method, ipc, seed, changes)])
    return {name: jobs for name, jobs in found.items() if jobs}


def said(setting: Setting, ipc: int, found: Mapping[str, Sequence[Finished]], datasets: Path) -> str:
    """The section; `datasets` is the folder of the service's datasets."""
    first = next(iter(found.values()))
    recipe, _ = read(first[0].artifact())
    real = prepare(Catalogue(datasets).load(setting.dataset), recipe.preprocess, torch.device("cpu"))
    judge = trained(recipe, real)
    chosen = [real.train.take(init.chosen(real, equal(ipc, real.classes), Key(seed))) for seed in range(setting.seeds)]
    cells = [_cosines(judge, images, init.classes(real, equal(ipc, real.classes))) for images in chosen]
    lines = [[job.accuracy(line) for job in first] for line in ("random", "random_hard")]
    rows = [["random real images", *_means(cells), *map(percent, lines), str(len(first)), "-"]]
    for name, jobs in found.items():
        sets = [read(job.artifact())[1] for job in jobs]
        lines = [[job.accuracy(line) for job in jobs] for line in ("distilled", "distilled_hard")]
        cosines = _means([_cosines(judge, *each) for each in sets])
        rows.append([name, *cosines, *map(percent, lines), str(len(jobs)), spread([job.seconds for job in jobs], 0)])
    text = (
        f"{setting.told}, {ipc} a class. Mean cosine between two images of a class, over the pairs of a set and its "
        "classes, mean ± standard deviation over sets; 1 where all are the same. Features are those before the last "
        "layer of the teacher that the images were recovered from; pixels are less their mean. The accuracies of "
        "random real images are those under SRe2L's teacher and recipe."
    )
    return "\n\n".join([text, table(_HEAD, rows)])


def read(artifact: Path) -> tuple[Recipe, tuple[Tensor, Tensor]]:
    """The recipe of a downloaded artifact, and its images [n, C, H, W] and labels [n]."""
    with safe_open(artifact / "dataset.safetensors", framework="pt") as file:
        about = json.loads(file.metadata()["stillhouse"])
        return Recipe.model_validate(about["recipe"]), (file.get_tensor("images"), file.get_tensor("labels"))


def trained(recipe: Recipe, real: Real) -> Teacher:
    """The teacher of a recipe, as the jobs have it."""
    assert recipe.teacher is not None, "images were recovered from one"
    kernels = Eager(build(recipe.teacher.network, real.shape, real.classes))
    work = teacher.train(recipe.teacher, kernels, real.train, recipe.augment, Key(0).fold("teacher"))
    while True:
        try:
            next(work)
        except StopIteration as end:
            found = Teacher(kernels, end.value.theta, end.value.moments)
            teacher.examine(found, real)
            return found


def within_class(vectors: Tensor, labels: Tensor) -> float:
    """Mean cosine between two different vectors [n, d] of a class, over the classes with two or more."""
    return float(torch.stack(list(_classes(F.normalize(vectors.double(), dim=1), labels))).mean())


def _classes(unit: Tensor, labels: Tensor) -> Iterator[Tensor]:
    for label in labels.unique():
        own = unit[labels == label]
        if len(own) > 1:
            yield ((own @ own.T).sum() - len(own)) / (len(own) * (len(own) - 1))


def _cosines(judge: Teacher, images: Tensor, labels: Tensor) -> tuple[float, float]:
    with torch.no_grad():
        features = judge.network.embed(judge.theta, images, judge.moments)
    return within_class(features, labels), within_class(images.flatten(1), labels)


def _means(cosines: Sequence[tuple[float, float]]) -> list[str]:
    return [mean_and_deviation(values) for values in zip(*cosines, strict=True)]
