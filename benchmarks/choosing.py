"""Real images at 10 and 20 %: how long scores take, and what networks learn from the images that they choose.

    python -m benchmarks.choosing --data DIR --home DIR [--subset cifar10-500] [--seeds 5] [--shares 0.1 0.2]
                                  [--networks 5]

DIR holds npz bundles. Scores are those of the recipe for the dataset, of at most so many networks, one network after
the other on one thread and with eager kernels; their processor seconds do not count what else runs on the machine. As
in a service, all seeds share a score; a seed draws and trains a network of its own, the same for every way to choose.
What is done is kept in `--home`, and a run that follows does the rest.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import safetensors.torch
import torch
import torch.nn.functional as F

from benchmarks import jobs
from benchmarks.claims import judge
from benchmarks.machine import commit, describe
from benchmarks.rows import percent, table
from benchmarks.subsets import DATASETS
from core.data import Catalogue
from core.engine import evaluate, init, scores
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import build
from core.engine.real import Real, prepare
from core.engine.run import distil
from core.engine.workspace import InMemory
from core.methods import Task, method
from core.methods.task import dual, forgetting
from core.overrides import override
from core.recipe import BetaDraw, Dual, LearnedScore, MeanStd, Ranked, Recipe, Scored, Window
from core.recipe.share import equal

GROWN: Final = "self-evolved, three rounds"
SCORES: Final = {"dual": dual, "forgetting": forgetting}
ARMS: Final[dict[str, tuple[str, Scored | None]]] = {
    "random": ("", None),
    "hardest by forgetting": ("forgetting", Ranked()),
    "window by forgetting, half skipped": ("forgetting", Window(beta=0.5)),
    "DUAL, drawn": ("dual", BetaDraw()),
    "highest DUAL scores": ("dual", Ranked(score=Dual())),
    "window by DUAL's ease, half skipped": ("dual ease", Window(beta=0.5)),
    GROWN: ("", None),
}


_UNJUDGED: Final = {
    "evaluation.seeds": 1,
    "evaluation.epochs": 1,
    "evaluation.full": None,
    "evaluation.baseline_lrs": [0.01],
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what is missing, print the tables."""
    options = _options(arguments)
    torch.set_num_threads(1)
    options.home.mkdir(parents=True, exist_ok=True)
    jobs.bundles([options.subset], options.data, options.home)
    dataset, workspace = Catalogue(options.home).load(options.subset), InMemory()
    real = prepare(dataset, MeanStd(), torch.device("cpu"))
    facts = dataset.facts
    task = Task(facts.name, 25, facts.shape, facts.classes, facts.mirroring.allowed)
    recipe = method("dual").recipe(task)
    own = {path: value for path, value in DATASETS[options.subset].overrides.items() if path.startswith("network.")}
    recipe = override(recipe, own)
    taken = {name: _scored(name, task, recipe, real, options) for name in SCORES}
    for seed in range(options.seeds):
        for share in options.shares:
            for arm in ARMS:
                ipc = round(share * facts.smallest_class)

                def grown(ipc: int = ipc, seed: int = seed) -> torch.Tensor:
                    asked = override(method("self-evolved").recipe(replace(task, ipc=ipc)), own | _UNJUDGED)
                    return distil(asked, dataset, ipc, seed, replace(workspace, checkpoints={})).result.images

                _trained(arm, ipc, seed, recipe, real, options.home, grown)
    print(f"{DATASETS[options.subset].told}. {describe(options.data, options.home)}, commit {commit()}\n")
    rows = [[name, *_costs(SCORES[name](task), each)] for name, each in taken.items()]
    print(
        table(["score", "epochs", "processor seconds a network", "n", "networks of the recipe", "of all"], rows), "\n"
    )
    print(table(["arm", "images a class", "test accuracy, %", "over random, points", "p", "n"], _rows(options.home)))


def _scored(name: str, task: Task, recipe: Recipe, real: Real, options: argparse.Namespace) -> list[float]:
    """The processor seconds of each network of a score, and the score's file, of all of them."""
    score, found, taken = SCORES[name](task), list[dict[str, torch.Tensor]](), list[float]()
    kernels = Eager(build(recipe.network, real.shape, real.classes))
    for index in range(min(score.networks, options.networks)):
        file = options.home / f"{name}-{index}.safetensors"
        if not file.exists():
            before = time.process_time()
            rows = _result(scores.difficulty(score, kernels, real.train, recipe.augment, [Key(0).fold("score", index)]))
            seconds = torch.tensor(time.process_time() - before)
            safetensors.torch.save_file(
                {part: row[0].contiguous() for part, row in rows.items()} | {"s": seconds}, file
            )
        known = safetensors.torch.load_file(file)
        taken.append(float(known.pop("s")))
        found.append(known)
    means = {part: torch.stack([one[part] for one in found]).mean(0) for part in found[0]}
    safetensors.torch.save_file(
        means | {"ease": scores.ease(score, means).contiguous()}, _score_file(options.home, name)
    )
    return taken


def _costs(score: LearnedScore, taken: Sequence[float]) -> list[str]:
    each = statistics.fmean(taken)
    told = f"{each:.1f}", str(len(taken)), str(score.networks), f"{each * score.networks:.1f}"
    return [str(score.epochs), *told]


def _score_file(home: Path, name: str) -> Path:
    return home / f"{name}.safetensors"


def _trained(
    arm: str, ipc: int, seed: int, recipe: Recipe, real: Real, home: Path, grown: Callable[[], torch.Tensor]
) -> None:
    """A network on the images that an arm chooses, unless it was trained before."""
    if any((one["arm"], one["ipc"], one["seed"]) == (arm, ipc, seed) for one in _known(home)):
        return
    key, counts, (of, choice) = Key(seed), equal(ipc, real.classes), ARMS[arm]
    if choice is None:
        index = init.chosen(real, counts, key.fold("draw"))
    else:
        index = init.selected(choice, real, counts, key.fold("draw"), _learned(of, choice, home))
    labels = F.one_hot(init.classes(real, counts), real.classes).float()
    evaluation = recipe.evaluation.model_copy(update={"epochs": 60, "batch_size": 64, "schedule": "cosine"})
    protocol = evaluate.on_synthetic(evaluation, recipe.augment, 0.01)
    kernels = Eager(build(recipe.network, real.shape, real.classes))
    images = grown() if arm == GROWN else evaluate.Draws(real.train, index[None])
    (network,) = _result(evaluate.train(kernels, images, labels, protocol, [key.fold("network")]))
    accuracy = evaluate.measured("accuracy", kernels, network, real.test)
    with _file(home).open("a") as lines:
        lines.write(json.dumps({"arm": arm, "ipc": ipc, "seed": seed, "accuracy": accuracy}) + "\n")


def _learned(of: str, choice: Scored, home: Path) -> Callable[[torch.Tensor], torch.Tensor]:
    name, _, by_ease = of.partition(" ")
    known = safetensors.torch.load_file(_score_file(home, name))
    told = 1 - known["ease"] if by_ease else known["score"]
    told = torch.stack([told, known["ease"]], 1) if isinstance(choice, BetaDraw) else told
    return lambda index: told[index]


def _rows(home: Path) -> list[list[str]]:
    lines, rows = _known(home), []
    for ipc in sorted({one["ipc"] for one in lines}):
        found = {arm: {o["seed"]: o["accuracy"] for o in lines if (o["arm"], o["ipc"]) == (arm, ipc)} for arm in ARMS}
        for arm, values in found.items():
            seeds = sorted(values.keys() & found["random"].keys())
            own, beside = ([one[seed] for seed in seeds] for one in (values, found["random"]))
            verdict = judge(own, beside) if arm != "random" and len(seeds) > 1 else None
            compared = [f"{100 * verdict.difference:+.1f}", f"{verdict.p:.2g}"] if verdict else ["", ""]
            rows.append([arm, str(ipc), percent(own), *compared, str(len(seeds))])
    return rows


def _file(home: Path) -> Path:
    return home / "accuracies.jsonl"


def _known(home: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _file(home).read_text().splitlines()] if _file(home).exists() else []


def _result(work: Generator[float, None, Any]) -> Any:
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of npz bundles")
    parser.add_argument("--home", type=Path, required=True, help="folder for what is done")
    parser.add_argument("--subset", default="cifar10-500", choices=list(DATASETS))
    parser.add_argument("--networks", type=int, default=5, help="of a score, at most")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.1, 0.2])
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
