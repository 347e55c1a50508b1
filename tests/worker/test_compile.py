"""Programs compiled before a job asks for them lie where it looks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from core.data import Catalogue
from core.data.bundle import write_bundle
from core.engine.kernel_plan import plan
from core.engine.kernels import Compiled, missing_compiler
from core.engine.networks import build
from core.request import JobRequest, resolve
from core.settings import Settings
from worker.engine.compile import compiled, main, recipes


@pytest.mark.skipif(missing_compiler(torch.device("cpu")) is not None, reason="there is no compiler")
def test_a_job_finds_what_was_compiled_ahead(tmp_path: Path) -> None:
    settings, rng = Settings(home=tmp_path, compile="auto"), np.random.default_rng(0)
    settings.datasets.mkdir()
    pixels, labels = rng.integers(0, 256, (300, 28, 28, 1), dtype=np.uint8), np.arange(300) % 3
    arrays = {"x_train": pixels, "y_train": labels, "x_test": pixels[:30], "y_test": labels[:30]}
    write_bundle(settings.datasets / "noise.npz", arrays)
    overrides = {"network.width": 8, "network.depth": 1, "evaluation.seeds": 2, "evaluation.epochs": 30_000}
    overrides |= {"evaluation.full": None}
    order = {"dataset": "noise", "ipc": 10, "method": "dm", "overrides": overrides}
    first, second = list(compiled(order, settings)), list(compiled(order, settings))
    assert first[0]["compiled"] == first[0]["programs"] > 0
    assert (second[0]["compiled"], second[0]["programs"]) == (0, first[0]["programs"])
    facts = Catalogue(settings.datasets).facts("noise")
    recipe = resolve(JobRequest.model_validate(order), facts)
    network, cpu = build(recipe.network, facts.shape, facts.classes), torch.device("cpu")
    found = plan(recipe, facts, 10, network, cpu, settings.experts.with_name("kernels"))
    assert isinstance(found.kernels, Compiled)
    assert all(found.kernels.stored(*program, cpu) for program in found.programs), "where a job looks"


def test_a_search_is_compiled_for_by_all_its_candidates(tmp_path: Path) -> None:
    facts = Catalogue(tmp_path).facts("digits")
    request = JobRequest.model_validate({"dataset": "digits", "ipc": 1, "method": "auto", "within": 600})
    names = [name for name, _ in recipes(request, facts, None)]
    assert names[0] == "random"
    assert {"dm", "mtt"} <= set(names)
    alone = request.model_copy(update={"method": "mtt", "within": 20})
    ((name, recipe),) = recipes(alone, facts, None)
    assert name == "mtt"
    assert recipe.schedule.steps < resolve(alone, facts).schedule.steps, "as it would be fitted into its time"


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ({"dataset": "digitz", "ipc": 1}, "did you mean 'digits'"),
        ({"dataset": "digits"}, "Add 'ipc'"),
        ({"dataset": "digits", "ipc": 1, "within": "1s", "method": "mtt"}, "Set within to at least"),
    ],
)
def test_an_order_that_means_nothing_is_refused_with_its_fix(
    order: dict[str, object], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["compile", json.dumps(order)])
    assert main() == 2
    assert told in json.loads(capsys.readouterr().out)["refused"]
