"""The Action for GitHub and the template for GitLab: what they run runs here, step by step, against a real service.

A cache of theirs cannot be had here: its folder is left where it is, which is what a hit does.
"""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from stillhouse import Job
from tests.stillhouse.conftest import EVALUATION
from tests.stillhouse.running import Running
from tests.stillhouse.test_pins import forge, pins

ROOT = Path(__file__).parents[2]
ARGUMENTS = " ".join(["--ipc", "1", "--method", "random", *EVALUATION])
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "false"}
"""The client is installed from this checkout, what it and its build need is found where the tests have it.

The last variable is named after an option that turns isolation off, and gives the value of isolation itself.
"""
INSTALLED = 1
"""The step that follows the installation of the client, which is there from an earlier run."""


def environment(work: Path) -> dict[str, str]:
    """The variables of a runner, none of them ours."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("STILLHOUSE_", "PYTHON"))}
    path = os.pathsep.join([sysconfig.get_path("scripts"), clean["PATH"]])
    return clean | OFFLINE | {"PATH": path, "PYTHONPATH": sysconfig.get_path("purelib"), "HOME": str(work)}


def bash(script: str, work: Path, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A script as GitHub runs one: it ends with its first failing command."""
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(
        command, cwd=work, env=environment(work) | variables, capture_output=True, text=True, timeout=300, check=False
    )


@dataclass
class Action:
    """The composite action in the workspace of a runner."""

    work: Path
    inputs: dict[str, str]
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)

    def run(self, first: int = 0) -> list[subprocess.CompletedProcess[str]]:
        """Its steps from `first` up to one that fails, but for those that use other actions."""
        done = []
        for step in action()["runs"]["steps"][first:]:
            if "uses" in step:
                continue
            told = self.work / "output"
            told.write_text("")
            variables = {name: self.filled(text) for name, text in step.get("env", {}).items()}
            done.append(bash(step["run"], self.work, variables | {"GITHUB_OUTPUT": str(told)}))
            self.outputs[step.get("id", "")] = dict(line.split("=", 1) for line in told.read_text().splitlines())
            if done[-1].returncode:
                break
        return done

    def filled(self, text: str) -> str:
        """A text with the values of its expressions."""
        given = {name: value.get("default") for name, value in action()["inputs"].items()} | self.inputs
        known = {f"inputs.{name}": value for name, value in given.items()}
        known |= {"github.action_path": str(ROOT / "ci"), "runner.temp": str(self.work / "temporary")}
        for step, outputs in self.outputs.items():
            known |= {f"steps.{step}.outputs.{name}": value for name, value in outputs.items()}
        return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda found: str(known[found[1]]), text)


def action() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "ci/action.yml").read_text("utf-8"))
    return read


@pytest.mark.slow
def test_the_action_is_instant_the_second_time_and_fails_on_a_forged_artifact(
    running: Running, finished: Job, tmp_path: Path
) -> None:
    asked = {"url": running.url, "dataset": "digits", "arguments": ARGUMENTS, "out": "data/digits"}
    first = Action(tmp_path, asked)
    steps = first.run()
    assert [step.returncode for step in steps] == [0, 0, 0], steps[-1].stderr
    assert "::notice::stillhouse.lock is new" in steps[1].stdout
    digest = pins(tmp_path / "stillhouse.lock")["data/digits"]["digest"]
    assert first.outputs["distill"] == {"digest": digest}

    there = {**asked, "url": "http://127.0.0.1:9"}  # nobody is asked for what is there
    second = Action(tmp_path, there)
    steps = second.run(INSTALLED)
    assert [step.returncode for step in steps] == [0, 0], steps[-1].stderr
    assert "is new" not in steps[0].stdout
    assert second.outputs["distill"] == {"digest": digest}

    forge(tmp_path / "data/digits")
    *_, last = Action(tmp_path, there).run(INSTALLED)
    assert (last.returncode, "127.0.0.1:9" in last.stderr) == (9, True), "what is not as pinned is asked for again"
    checking = action()["runs"]["steps"][-1]
    variables = {"CLIENT": str(tmp_path / "temporary/stillhouse"), "OUT": "data/digits", "DIGEST": digest}
    told = bash(checking["run"], tmp_path, variables)
    assert (told.returncode, digest in told.stderr) == (8, True)
    assert [step.returncode for step in Action(tmp_path, asked).run(INSTALLED)] == [0, 0], "and comes as it was"


def test_no_step_of_the_action_is_made_of_what_others_write() -> None:
    """An expression inside a script would be a way to have other people's text run."""
    for step in action()["runs"]["steps"]:
        assert "${{" not in step.get("run", "")
        assert "uses" in step or step["shell"] == "bash"


@pytest.mark.slow
def test_the_template_for_gitlab_brings_the_artifact(running: Running, finished: Job, tmp_path: Path) -> None:
    job = yaml.safe_load((ROOT / "ci/gitlab.yml").read_text("utf-8"))[".distilled"]
    asked = {"STILLHOUSE_URL": running.url, "DATASET": "digits", "ARGUMENTS": ARGUMENTS, "STILLHOUSE_CLIENT": str(ROOT)}
    script = "\n".join([*job["before_script"], *job["script"]])
    done = bash(script, tmp_path, {name: str(value) for name, value in job["variables"].items()} | asked)
    assert done.returncode == 0, done.stderr
    assert "holds the pinned artifact" in done.stderr
    for path in job["artifacts"]["paths"]:
        name = job["variables"][path.removeprefix("$")]
        assert (tmp_path / name).exists(), path
