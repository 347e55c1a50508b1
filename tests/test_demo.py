"""`make demo` on a smaller budget: the whole path, from a request over HTTP to a network trained on the files alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stillhouse.running import processes_of

ROOT = Path(__file__).parent.parent
QUICK = ["evaluation.epochs=150", "evaluation.seeds=3", "evaluation.full.epochs=6", "schedule.steps=40"]
QUICK += ["experts.count=2"]


def demo(folder: Path, *arguments: str, changes: list[str]) -> subprocess.CompletedProcess[str]:
    words = [word for change in changes for word in ("--set", change)]
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.demo", "--out", str(folder / "artifact"), *words, *arguments],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},  # so that whatever the demo starts is recognised by it
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
def test_the_demo_shows_what_distillation_is_worth(tmp_path: Path) -> None:
    run = demo(tmp_path, "--seeds", "3", "--least", "0.4", changes=QUICK)
    assert run.returncode == 0, run.stdout + run.stderr
    for said in ("checksums match", "Seconds per phase", "training experts", "distilling", "Bytes in 92,032"):
        assert said in run.stdout
    rows = {name: float(mean) for name, mean in re.findall(r"^ ?(\w[\w, ]+?)  +[\d,]+ +([\d.]+) ±", run.stdout, re.M)}
    assert list(rows) == ["random real images", "distilled", "distilled, retrained from the files alone", "full data"]
    random, distilled, retrained, full = rows.values()
    assert random < distilled < full
    assert abs(distilled - retrained) < 8, "a stranger's student agrees with the report"
    assert (tmp_path / "artifact" / "preview.png").stat().st_size > 0
    assert processes_of(tmp_path) == [], "nothing is left running"
    assert list(tmp_path.glob("stillhouse-*")) == [], "the service's folder is gone"


@pytest.mark.slow
def test_the_demo_fails_if_the_files_alone_are_not_worth_it(tmp_path: Path) -> None:
    cheap = ["network.width=8", "evaluation.seeds=2", "evaluation.epochs=1", "evaluation.full.epochs=2"]
    run = demo(tmp_path, "--method", "random", "--seeds", "1", changes=cheap)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "No share of the gap is claimed for the files alone." in run.stdout
    assert "was not shown" in run.stdout
    assert processes_of(tmp_path) == []


def test_the_demo_touches_no_folder_but_its_own(tmp_path: Path) -> None:
    (tmp_path / "artifact").mkdir()
    (tmp_path / "artifact" / "thesis.tex").touch()
    run = demo(tmp_path, changes=[])
    assert run.returncode == 1
    assert "choose another folder with --out" in run.stderr
    assert (tmp_path / "artifact" / "thesis.tex").exists()
