"""The card: front matter the Hub understands, the numbers of the report, and code that runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import yaml

from benchmarks.readers import foreign
from core.artifacts import Distilled, build, readers
from core.report import Report
from tests.artifacts.results import class_named, in_few_bits, of_numbers, result, told
from tests.artifacts.test_croissant import KINDS
from tests.data.tables import wine


def card(folder: Path, given: Distilled) -> str:
    build(folder, given)
    return (folder / "README.md").read_text()


def front_matter(text: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
    return content


def blocks(text: str) -> list[str]:
    """The card's code, but for that of programs that are tried by `python -m benchmarks.readers`."""
    return [code for code in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL) if not foreign(code)]


def execute(folder: Path, script: str, home: Path) -> str:
    """Run a script in the artifact's folder, offline, as a reader would."""
    environment = os.environ | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_front_matter_describes_the_data(tmp_path: Path) -> None:
    text = card(tmp_path, result(ipc=2, soft=True))
    front = front_matter(text)
    assert front["license"] == "cc-by-4.0"
    assert front["size_categories"] == ["n<1K"]
    assert front["configs"][0]["data_files"] == [{"split": "train", "path": "data/train-00000-of-00001.parquet"}]
    features = {feature["name"]: feature for feature in front["dataset_info"]["features"]}
    assert features["label"]["dtype"]["class_label"]["names"] == {str(n): str(n) for n in range(10)}
    assert features["soft_label"] == {"name": "soft_label", "list": "float32", "length": 10}
    split = front["dataset_info"]["splits"][0]
    pictures = (path.stat().st_size for path in (tmp_path / "images").rglob("*.png"))
    assert (split["name"], split["num_examples"], split["num_bytes"]) == ("train", 20, sum(pictures))


@pytest.mark.parametrize("name", ['say "yes": no', "# not a comment", "null", "naïve 猫 \\ 'x'", "- a", "{}"])
def test_class_names_survive_yaml(tmp_path: Path, name: str) -> None:
    names = (name, *(f"c{n}" for n in range(1, 10)))
    front = front_matter(card(tmp_path, class_named(names)))
    assert front["dataset_info"]["features"][1]["dtype"]["class_label"]["names"]["0"] == name


@pytest.mark.parametrize(
    "name", ["a\x7f", "a\n# Title", "\x85\u2028\ufeff", "\U0001f431", "a`b", "``", "", "the `image`"]
)
def test_columns_of_any_name_survive_yaml_and_markdown(tmp_path: Path, name: str) -> None:
    columns = (name, *(f"c{n}" for n in range(1, 13)))
    given = of_numbers(tmp_path / "source", "wine", wine())
    text = card(tmp_path / "artifact", replace(given, facts=replace(given.facts, columns=columns)))
    assert [each["name"] for each in front_matter(text)["dataset_info"]["features"]][: len(columns)] == list(columns)
    assert [line for line in text.splitlines() if line.startswith("# ")] == [
        f"# {given.facts.title}, distilled to 2 rows per class"
    ]
    (line,) = (line for line in text.splitlines() if line.startswith("Columns: "))
    shown = re.findall(r"(`+)(?!`)(.*?)(?<!`)\1(?!`)", line)
    assert len(shown) == len(columns)
    assert shown[0][1].strip() == "".join(c if c.isprintable() else "\ufffd" for c in " ".join(name.split()))


@pytest.mark.parametrize(
    ("licence", "expected"),
    [("MIT", "mit"), ("unknown", "unknown"), ("none stated by the authors", "unknown"), ("My Own, v2", "other")],
)
def test_a_licence_is_one_the_hub_knows(tmp_path: Path, licence: str, expected: str) -> None:
    given = result()
    text = card(tmp_path, replace(given, facts=replace(given.facts, licence=licence)))
    assert front_matter(text)["license"] == expected
    assert front_matter(text).get("license_name") == ("my-own-v2" if expected == "other" else None)


def test_the_numbers_are_the_reports(tmp_path: Path) -> None:
    text = card(tmp_path, result(ipc=2))
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert rows == [
        "| Trained on | Images | Test accuracy | Networks |",
        "| --- | ---: | ---: | ---: |",
        "| these images | 20 | 91.0 ± 1.0 % | 3 |",
        "| these images, rounded to 8-bit pixels | 20 | 90.0 ± 1.0 % | 3 |",
        "| as many random real images | 20 | 64.0 ± 4.0 % | 3 |",
        "| the whole training set | 1,438 | 99.3 ± 0.3 % | 3 |",
    ]
    assert "close 77 % of the gap" in text
    assert "Networks (convnet-d2-w32-instance) were trained from scratch" in text
    assert "tried with one learning rate only" in text
    assert "CC BY 4.0" in text
    assert "Cazenavette" in text


def test_what_is_doubted_stands_before_the_numbers_and_no_share_without_a_gap(tmp_path: Path) -> None:
    given = result(ipc=2)
    lines = [row for row in given.report.document()["results"] if row["name"] != "full"]
    text = card(tmp_path, told(given, results=lines))
    assert text.index("- The random baseline was tried with one learning rate only") < text.index("| Trained on |")
    assert "full data is claimed. No reference on the full training set was trained" in text
    assert "of the gap between random images and full data." not in text


def test_unequal_classes_have_their_balance_beside_them(tmp_path: Path) -> None:
    given = result(ipc=2)
    rows = [
        {**row, "balanced_accuracy_mean": 0.5, "balanced_accuracy_std": 0.25 if row["name"] != "full" else None}
        for row in given.report.document()["results"]
    ]
    text = card(tmp_path, told(given, results=rows, majority={"class": "a|b", "share": 0.903, "unequal": True}))
    assert "| as many random real images | 20 | 64.0 ± 4.0 % | 50.0 ± 25.0 % | 3 |" in text
    assert "| the whole training set | 1,438 | 99.3 ± 0.3 % | 50.0 % | 3 |" in text
    assert "90.3 % of the images are of the largest, 'a|b'" in text


def test_a_selection_does_not_pass_for_a_synthesis(tmp_path: Path) -> None:
    text = card(tmp_path / "selected", result(method="random"))
    assert "10 real training images, selected out of the 1,438" in text
    assert "synthetic" not in front_matter(text)["tags"]
    assert "synthetic" in front_matter(card(tmp_path / "distilled", result()))["tags"]


@pytest.mark.parametrize(("bits", "rounded"), [(2, ", their pixels rounded to 4 levels"), (8, "")])
def test_real_images_stored_in_few_bits_are_called_rounded(tmp_path: Path, bits: int, rounded: str) -> None:
    stored: dict[str, Any] = {"storage__kind": "compact", "storage__bits": bits, "step_size": None}
    selected = in_few_bits(result(method="random", **stored))
    assert f"10 real training images{rounded}, selected out" in card(tmp_path / "selected", selected)
    mixed = in_few_bits(result(ipc=5, method="dm", update=0.6, **stored))
    said = f"20 real ones{rounded or ' that nothing has changed'}."
    assert said in card(tmp_path / "mixed", mixed)


def test_without_an_evaluation_nothing_is_claimed(tmp_path: Path) -> None:
    text = card(tmp_path, replace(result(), report=Report()))
    assert "no accuracy is claimed" in text
    assert "%" not in text.split("## How to load it")[0]


SHOWN = """
import numpy, torch
assert not {"core", "worker", "stillhouse"} & {name.split(".")[0] for name in sys.modules}, "nothing of the project"
assert data.images.shape == (20, 1, 8, 8) and data.images.dtype == numpy.float32
assert share > 0.9, "it learned the images it was trained on"
assert (numpy.asarray(image) == bundle["x_train"][0]).all() and label == names[y[0]] == "0"
assert rows.features["label"].names == list(names) and rows[:]["label"] == y.tolist()

# The folder as a whole is a dataset repository: this reads the card's front matter, as the Hub does.
import os, pandas
whole = load_dataset(os.getcwd())
assert list(whole) == ["train"] and whole["train"].features == rows.features
assert whole["train"][5]["image"] == rows[5]["image"]
assert list(pandas.read_parquet("data/train-00000-of-00001.parquet").columns) == list(rows.features)
"""
LEARNING = {"evaluation__epochs": 60, "network__width": 8}


@pytest.mark.parametrize(("soft", "learned"), [(False, 0.0123), (True, None)])
def test_the_code_in_the_card_runs(tmp_path: Path, soft: bool, learned: float | None) -> None:
    changes: dict[str, Any] = LEARNING | ({} if learned else {"evaluation__lr": 0.02})
    text = card(tmp_path / "artifact", result(ipc=2, soft=soft, step_size=learned, **changes))
    code = blocks(text)
    assert len(code) == 7
    script = "\n".join(["import sys", *code, SHOWN])
    script += f"\nassert data.step_size == {learned}"
    if soft:
        script += "\nassert targets.shape == (20, 10) and abs(targets.max() - 0.91) < 1e-6"
        script += "\nassert numpy.allclose(rows[0]['soft_label'], bundle['soft_labels'][0])"
    execute(tmp_path / "artifact", script, tmp_path / "home")


@pytest.mark.parametrize("kind", KINDS)
def test_all_code_in_the_card_runs_whatever_the_set(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Families of methods, tables and series: training, loops, and what every reader makes of the files."""
    folder, given = tmp_path / "artifact", KINDS[kind](tmp_path / "source")
    code = blocks(card(folder, given))
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    left: dict[str, Any] = {}
    exec(compile("\n".join(code), "card", "exec"), left)
    for module in ("load", "student"):
        monkeypatch.delitem(sys.modules, module)
    assert 0 <= left["share"] <= 1
    assert 0 < float(left["error"].detach()) < 10
    assert len(left["model"].predict(left["x"])) == len(left["y"]) == len(given.labels)
    if given.facts.kind == "pictures":
        assert len(left["pictures"].samples) == len(left["rows"]) == len(given.labels)
    else:
        assert left["numbers"].shape[0] == len(left["label"]) == len(given.labels)


def test_other_programs_are_told_on_the_card_as_on_their_page(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs/READERS.md"
    text, told = page.read_text("utf-8"), card(tmp_path, result())
    for code in readers.code(pictures=True, classes=10, folder="digits-1/").values():
        assert f"```python\n{code}```" in text
        assert f"```python\n{code.replace('digits-1/', '')}```" in told
    assert told.index("<details>") < told.index("import keras") < told.index("</details>")


def test_the_card_reads_classes_that_are_called_as_missing_values_are(tmp_path: Path) -> None:
    names = ("None", "NA", "null")
    given = of_numbers(tmp_path / "source", "wine", wine() | {"class_names": np.array(names)})
    text = card(tmp_path / "artifact", given)
    (words,) = re.findall(r'# or read_csv\("dataset.csv"(.*)\)', text)
    table = eval(f"pandas.read_csv(path{words})", {"pandas": pandas, "path": tmp_path / "artifact/dataset.csv"})
    assert table["label"].tolist() == [names[label] for label in given.labels]


def test_the_students_file_trains_by_itself(tmp_path: Path) -> None:
    card(tmp_path, result(ipc=2, **LEARNING))
    said = execute(tmp_path, "import runpy; runpy.run_path('student.py', run_name='__main__')", tmp_path)
    found = re.search(r"20 examples of 10 classes, and is right on (\d+)% of them", said)
    assert found
    assert int(found[1]) > 80


def test_the_card_says_what_a_training_is_made_of(tmp_path: Path) -> None:
    text = card(tmp_path / "learned", result())
    assert "SGD, the learning rate that was learned together with the images" in text
    assert "the augmentation of the report (crop, scale, rotate)" in text
    assert "Left out, the augmentation costs accuracy" in text
    assert "Trees take these pixels rather than the floats" in text
    text = card(tmp_path / "selected", result(method="random", step_size=None))
    assert "SGD, the learning rate of the evaluation (0.01)" in text
    assert "Trees" not in text, "real images are what trees are for"
