"""Jobs on a table and on series: their artifacts have no pictures of examples, and what is in them agrees and runs."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pandas
import pytest
import torch
import yaml
from PIL import Image

from core.artifacts import verify
from core.artifacts.load import load
from core.data import Catalogue
from core.engine.continued import read
from core.engine.run import distil
from core.engine.trees import lost_by
from core.request import JobRequest, resolve
from tests.artifacts.test_card import blocks
from tests.data.bundles import place
from tests.data.tables import waves, wine
from tests.worker.test_engine import Run, here

NAMES = np.array([f"column {place}" for place in range(12)] + ["label"])
QUICK: dict[str, Any] = {"network.width": 8, "evaluation.seeds": 2, "evaluation.epochs": 40, "schedule.steps": 6}
QUICK |= {"evaluation.full.epochs": 2}
KINDS = {"wine": wine() | {"columns": NAMES}, "waves": waves()}


@pytest.fixture(scope="module", params=KINDS)
def done(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished job on one of the kinds."""
    root = tmp_path_factory.mktemp(request.param)
    place(root / "data", request.param, KINDS[request.param])
    job = {"dataset": request.param, "data_dir": root / "data", "method": "dm", "ipc": 2, "overrides": QUICK}
    return here(root / "job", **job)


def test_the_files_are_tables_and_agree(done: Run) -> None:
    folder = done.folder.staging
    assert verify(folder) == []
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert "dataset.csv" in files
    assert not any(name.startswith("images/") for name in files)
    data, bundle = load(folder), np.load(folder / "dataset.npz")
    shape = (6, 13) if data.kind == "vectors" else (4, 2, 24)
    assert data.images.shape == bundle["x_train"].shape == shape
    assert str(bundle["kind"]) == data.kind
    np.testing.assert_allclose(data.to_numbers(data.images), bundle["x_train"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(data.transform(bundle["x_train"]), data.images, rtol=1e-4, atol=1e-4)
    table = pandas.read_parquet(folder / "data/train-00000-of-00001.parquet")
    lines = pandas.read_csv(folder / "dataset.csv")
    label = "label_" if data.kind == "vectors" else "label"
    assert table[label].tolist() == bundle["y_train"].tolist() == data.labels.tolist()
    assert lines[label].astype(str).tolist() == [data.class_names[place] for place in data.labels]
    if data.kind == "vectors":
        assert list(table.columns) == [*NAMES, label]
        numbers = table[list(NAMES)].to_numpy()
    else:
        numbers = np.stack([np.stack(table[name]) for name in ("x0", "x1")], 1)
    assert np.array_equal(numbers, bundle["x_train"])
    written = lines.drop(columns=label).to_numpy(np.float32).reshape(shape)
    assert np.array_equal(written, bundle["x_train"]), "nine digits are all of a float32"


def test_report_and_card_speak_of_rows_and_series(done: Run) -> None:
    folder = done.folder.staging
    report, text = json.loads((folder / "report.json").read_text()), (folder / "README.md").read_text()
    assert report["kind"] == load(folder).kind
    words = re.sub(r"```python.*?```", "", text, flags=re.DOTALL)
    assert not re.search("image|pixel|picture", words), "neither are there any"
    assert "8-bit" not in words
    front = yaml.safe_load(text.split("---")[1])
    features = [each["name"] for each in front["dataset_info"]["features"]]
    assert features == list(pandas.read_parquet(folder / "data/train-00000-of-00001.parquet").columns)
    if report["kind"] == "vectors":
        assert "2 rows per class" in text
        assert "13 columns" in text
        assert "need not be possible ones" in text
    else:
        assert "2 channels of 24 steps" in text


def test_plots_are_shown_while_it_runs_and_when_it_is_done(done: Run) -> None:
    shown = [message for message in done.messages if message["type"] in ("preview", "neighbours")]
    assert {message["type"] for message in shown} == {"preview", "neighbours"}
    for path in (done.folder.pictures / shown[-1]["path"], done.folder.staging / "preview.png"):
        colours = Image.open(path).convert("RGB").getcolors(1 << 20)
        assert colours is not None
        assert len(colours) > 20, "there are lines on it"


def test_the_cards_code_runs(done: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(done.folder.staging)
    monkeypatch.syspath_prepend(done.folder.staging)
    left: dict[str, Any] = {}
    exec(compile("\n".join(blocks((done.folder.staging / "README.md").read_text())), "card", "exec"), left)
    for module in ("load", "student"):
        monkeypatch.delitem(sys.modules, module)
    assert 0 <= left["share"] <= 1
    assert len(left["label"]) == len(left["y"])


def test_another_job_goes_on_from_the_numbers(done: Run) -> None:

    name = json.loads((done.folder.staging / "recipe.json").read_text())["dataset"]["name"]
    facts = Catalogue(done.folder.root.parent / "data").facts(name)
    given = read(done.folder.staging / "dataset.safetensors", facts, torch.device("cpu"))
    assert given.images.shape == (2 * facts.classes, *facts.shape)


def test_the_report_says_where_trees_lose(done: Run) -> None:
    """Rows of a class and of noise: a forest knows the classes by random rows, and not by these."""
    name = json.loads((done.folder.staging / "recipe.json").read_text())["dataset"]["name"]
    dataset = Catalogue(done.folder.root.parent / "data").load(name)
    request = JobRequest(dataset=name, method="dm", ipc=5, overrides=QUICK | {"schedule.steps": 1})
    made = distil(resolve(request, dataset.facts), dataset, 5, 0)
    noise = replace(made.result, images=torch.randn(made.result.images.shape, generator=torch.manual_seed(0)))
    told = lost_by(made.context, noise)
    if dataset.facts.kind == "series":
        assert told == []
    else:
        assert re.search(r"^Trees lose by these rows: .* 'k-means' or 'herding'\.$", told[0])
        real = replace(made.result, real=torch.ones_like(made.result.real))
        assert lost_by(made.context, real) == []
