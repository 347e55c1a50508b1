"""Measurements in processes of their own, arm after arm and round after round, remembered so that a run can resume.

A benchmark `benchmarks.x` describes each measurement as a JSON object and takes it in a child, `python -m benchmarks.x
--measure JSON`, whose last line of output is the result. Rounds interleave the arms (ABAB), so that a machine that
slows down slows all of them.
"""

from __future__ import annotations

import argparse
import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.machine import commit
from worker.child import environment

Spec = Mapping[str, Any]
"""The measurement that a child is asked for: JSON."""
Found = dict[str, Any]
"""The child's answer: JSON."""

_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Measurement:
    """One arm's measurement; `tuned` takes it in the environment the worker gives its engine."""

    spec: Spec
    tuned: bool = True


@dataclass(frozen=True)
class Runs:
    """Takes the measurements of one benchmark; `file` keeps them, and whatever it already holds is not taken again.

    `folder` is for what children share: a prepared setting, a compile cache that is empty when the first round begins.
    """

    module: str
    folder: Path
    file: Path | None = None
    here: Callable[[Spec], Found] | None = None
    """Takes the measurements in this process, where they are of nothing that processes could disturb."""
    _kept: dict[str, Found] = field(default_factory=dict)

    @classmethod
    def open(cls, module: str, options: argparse.Namespace, here: Callable[[Spec], Found] | None = None) -> Runs:
        """The runs of a command line that `add_options` has read."""
        file: Path | None = options.runs
        if file is None:
            folder = Path(tempfile.mkdtemp(prefix="stillhouse-bench-"))
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            return cls(module, folder, here=here)
        folder = file.with_suffix(".shared")
        folder.mkdir(parents=True, exist_ok=True)
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
        kept = {entry["key"]: entry["found"] for entry in map(json.loads, lines)}
        return cls(module, folder, file, here, _kept=kept)

    def interleave(self, arms: Mapping[str, Measurement], rounds: int) -> dict[str, list[Found]]:
        """Every arm's results, round after round."""
        found: dict[str, list[Found]] = {name: [] for name in arms}
        for turn in range(rounds):
            for name, arm in arms.items():
                print(f"round {turn + 1} of {rounds}: {name}", file=sys.stderr, flush=True)
                found[name].append(self.take(arm, turn))
        return found

    def take(self, arm: Measurement, turn: int) -> Found:
        """One result: the stored one, or a new one."""
        spec = {**arm.spec, "round": turn, "folder": str(self.folder)}
        key = json.dumps([self.module, commit(), arm.tuned, {**spec, "folder": ""}], sort_keys=True)
        if key not in self._kept:
            self._kept[key] = self.here(spec) if self.here else self._measure(spec, arm.tuned)
            if self.file is not None:
                with self.file.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"key": key, "found": self._kept[key]}) + "\n")
        return self._kept[key]

    def _measure(self, spec: Spec, tuned: bool) -> Found:
        caches = {
            "TORCHINDUCTOR_CACHE_DIR": str(self.folder / "inductor"),
            "TRITON_CACHE_DIR": str(self.folder / "triton"),
        }
        done = subprocess.run(
            [sys.executable, "-m", self.module, "--measure", json.dumps(spec)],
            cwd=_ROOT,
            env=(environment(os.environ) if tuned else dict(os.environ)) | caches,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = "\n".join(done.stderr.splitlines()[-15:])
            raise SystemExit(f"{self.module} --measure '{json.dumps(spec)}' ended with {done.returncode}:\n{said}")
        found: Found = json.loads(done.stdout.splitlines()[-1])
        return found


def add_options(parser: argparse.ArgumentParser, rounds: int = 5) -> None:
    """The options every benchmark takes."""
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--repeats", type=int, default=rounds, help="rounds, each in fresh processes (%(default)s)")
    parser.add_argument("--runs", type=Path, metavar="FILE.jsonl", help="keep every measurement here, and resume")
    parser.add_argument("--measure", type=json.loads, help=argparse.SUPPRESS)


def answer(options: argparse.Namespace, measure: Callable[[Spec], Found]) -> bool:
    """In a child: take the measurement asked for and print it. Whether there was one to take."""
    if options.measure is None:
        return False
    print(json.dumps(measure(options.measure)))
    return True
