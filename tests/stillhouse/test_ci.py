"""The Action for GitHub and the template for GitLab: what they run runs here, step by step, against a real service.

Their caches cannot be had here. Each run has a fresh checkout, and a folder that keeps the rules of theirs stands in:
the names under which it keeps and finds are those that the files' expressions have at that moment.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
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
class Cache:
    """Folders by names that are never given twice, as `actions/cache` keeps them: newest last."""

    kept: Path
    keys: list[tuple[str, str]] = field(default_factory=list)
    """The path and the name of each folder."""

    def restore(self, work: Path, path: str, key: str, prefixes: list[str]) -> str:
        """The name of the folder that is put back: the one of this name, else the newest that begins as is said."""
        names = [name for of, name in self.keys if of == path]
        near = (name for prefix in prefixes for name in reversed(names) if name.startswith(prefix))
        if found := key if key in names else next(near, ""):
            shutil.copytree(self.kept / str(self.keys.index((path, found))), work / path)
        return found

    def save(self, work: Path, path: str, key: str) -> None:
        """Keep the folder, unless one has the name."""
        if (path, key) not in self.keys:
            shutil.copytree(work / path, self.kept / str(len(self.keys)))
            self.keys.append((path, key))


@dataclass
class Action:
    """The composite action in the workspace of a runner."""

    work: Path
    inputs: dict[str, str]
    cache: Cache
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    restored: str = ""
    """The name of the folder that the cache had."""

    def run(self, first: int = 0) -> list[subprocess.CompletedProcess[str]]:
        """Its steps from `first` up to one that fails; after the last the folder is kept."""
        done, after = [], list[tuple[str, str]]()
        for step in action()["runs"]["steps"][first:]:
            if "uses" in step:
                assert step["uses"].startswith("actions/cache@")
                said = {name: self.filled(text) for name, text in step["with"].items()}
                prefixes = said.get("restore-keys", "").split()
                self.restored = self.cache.restore(self.work, said["path"], said["key"], prefixes)
                after.append((said["path"], said["key"]))
                continue
            told = self.work / "output"
            told.write_text("")
            variables = {name: self.filled(text) for name, text in step.get("env", {}).items()}
            done.append(bash(step["run"], self.work, variables | {"GITHUB_OUTPUT": str(told)}))
            self.outputs[step.get("id", "")] = dict(line.split("=", 1) for line in told.read_text().splitlines())
            if done[-1].returncode:
                return done
        for path, key in after:
            self.cache.save(self.work, path, key)
        return done

    def filled(self, text: str) -> str:
        """A text with the values of its expressions."""
        given = {name: value.get("default") for name, value in action()["inputs"].items()} | self.inputs
        known = {f"inputs.{name}": value for name, value in given.items()}
        known |= {"github.action_path": str(ROOT / "ci"), "runner.temp": str(self.cache.kept)}
        known |= {f"hashFiles(inputs.{name})": hashed(self.work / str(value)) for name, value in given.items()}
        for step, outputs in self.outputs.items():
            known |= {f"steps.{step}.outputs.{name}": value for name, value in outputs.items()}
        return re.sub(r"\$\{\{ ([\w.()-]+) \}\}", lambda found: str(known[found[1]]), text)


def hashed(path: Path) -> str:
    """The hash of a file by `hashFiles`, or nothing where there is none."""
    return hashlib.sha256(hashlib.sha256(path.read_bytes()).digest()).hexdigest() if path.is_file() else ""


def action() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "ci/action.yml").read_text("utf-8"))
    return read


@pytest.mark.slow
def test_the_action_is_instant_the_second_time_and_fails_on_a_forged_artifact(
    running: Running, finished: Job, tmp_path: Path
) -> None:
    asked = {"url": running.url, "dataset": "digits", "arguments": ARGUMENTS, "out": "data/digits"}
    cache = Cache(checkout(tmp_path / "kept"))
    first = Action(checkout(tmp_path / "first"), asked, cache)
    steps = first.run()
    assert [step.returncode for step in steps] == [0, 0, 0], steps[-1].stderr
    assert "::notice::stillhouse.lock is new" in steps[1].stdout
    lock = first.work / "stillhouse.lock"
    digest = pins(lock)["data/digits"]["digest"]
    assert first.outputs["distill"] == {"digest": digest}

    there = {**asked, "url": "http://127.0.0.1:9"}  # nobody is asked for what is there
    for number, name in enumerate(("stillhouse-data/digits-", f"stillhouse-data/digits-{hashed(lock)}")):
        again = Action(checkout(tmp_path / f"again{number}", lock), there, cache)
        steps = again.run(INSTALLED)
        assert [step.returncode for step in steps] == [0, 0], steps[-1].stderr
        assert "is new" not in steps[0].stdout
        assert (again.outputs["distill"], again.restored) == ({"digest": digest}, name)

    for folder in cache.kept.glob("[0-9]"):
        forge(folder)
    forged = Action(checkout(tmp_path / "forged", lock), there, cache)
    *_, last = forged.run(INSTALLED)
    assert (last.returncode, "127.0.0.1:9" in last.stderr) == (9, True), "what is not as pinned is asked for again"
    checking = action()["runs"]["steps"][-1]
    variables = {"CLIENT": str(cache.kept / "stillhouse"), "OUT": "data/digits", "DIGEST": digest}
    told = bash(checking["run"], forged.work, variables)
    assert (told.returncode, digest in told.stderr) == (8, True)
    asking = Action(checkout(tmp_path / "asking", lock), asked, cache)
    assert [step.returncode for step in asking.run(INSTALLED)] == [0, 0], "and comes as it was"


def checkout(work: Path, *committed: Path) -> Path:
    """A new folder with the files that are committed."""
    work.mkdir()
    for path in committed:
        shutil.copy(path, work)
    return work


def test_no_step_of_the_action_is_made_of_what_others_write() -> None:
    """An expression inside a script would be a way to have other people's text run."""
    for step in action()["runs"]["steps"]:
        assert "${{" not in step.get("run", "")
        assert "uses" in step or step["shell"] == "bash"


@pytest.mark.slow
def test_the_template_for_gitlab_brings_the_artifact(running: Running, finished: Job, tmp_path: Path) -> None:
    job = yaml.safe_load((ROOT / "ci/gitlab.yml").read_text("utf-8"))[".distilled"]
    variables = {name: str(value) for name, value in job["variables"].items()}
    variables |= {"STILLHOUSE_URL": running.url, "DATASET": "digits", "ARGUMENTS": ARGUMENTS, "LOCK": "pins.lock"}
    variables |= {"STILLHOUSE_CLIENT": str(ROOT), "OUT": "data/digits", "CI_JOB_NAME_SLUG": "distilled"}
    work = checkout(tmp_path / "first")
    key = key_of(job["cache"]["key"], work, variables)
    done = bash("\n".join([*job["before_script"], *job["script"]]), work, variables)
    assert done.returncode == 0, done.stderr
    assert "holds the pinned artifact" in done.stderr
    for path in job["artifacts"]["paths"]:
        assert (work / variables[path.removeprefix("$")]).exists(), path

    again = checkout(tmp_path / "again", work / "pins.lock")
    assert "/" not in key, "GitLab takes none in a name"
    assert key_of(job["cache"]["key"], again, variables) == key, "its cache is found again"
    assert job["cache"]["paths"] == ["$OUT"]
    shutil.copytree(work / "data/digits", again / "data/digits")
    (again / ".stillhouse").symlink_to(work / ".stillhouse")
    done = bash("\n".join(job["script"]), again, variables | {"STILLHOUSE_URL": "http://127.0.0.1:9"})
    assert done.returncode == 0, done.stderr


def key_of(key: str | dict[str, Any], work: Path, variables: Mapping[str, str]) -> str:
    """The name of a cache of GitLab: a text with variables, or the hash of files, `default` where there is none."""
    if isinstance(key, str):
        return re.sub(r"\$(\w+)", lambda found: variables[found[1]], key)
    hashes = "".join(hashed(work / name) for name in key["files"])
    return f"{key.get('prefix', '')}-{hashes or 'default'}"
