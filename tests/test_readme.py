"""The README is for a stranger: every command and snippet in it runs, and what it says of the code is so."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.tables import filled
from tests.stillhouse.running import serving

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```(sh|python)\n(.*?)```", README, re.DOTALL)
PROGRAMS = Path(sys.executable).parent


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`stillhouse serve`, as `make serve` starts it."""
    with serving(tmp_path_factory.mktemp("readme") / "home", environment={"STILLHOUSE_CALIBRATE": "auto"}) as running:
        yield running.url


def test_the_tables_are_what_the_code_says() -> None:
    assert filled(README) == README, "run `make docs`"


def test_every_make_target_exists() -> None:
    named = re.findall(r"^make (\w+)", "\n".join(code for kind, code in BLOCKS if kind == "sh"), re.MULTILINE)
    assert {"demo", "test", "serve"} <= set(named) <= targets()


def test_every_linked_file_and_test_exists() -> None:
    links = re.findall(r"\[([^\]]*)\]\(([^)#]+)\)", README)
    assert links
    for text, target in links:
        if "://" in target:
            continue
        assert (ROOT / target).exists(), target
        if text.startswith("`test_"):
            assert f"def {text.strip('`')}(" in (ROOT / target).read_text("utf-8"), text


@pytest.mark.slow
def test_every_command_and_snippet_runs_in_order(service: str, tmp_path: Path) -> None:
    environment = {**os.environ, "STILLHOUSE_URL": service, "PYTHONPATH": str(ROOT)}
    ran = 0
    for kind, code in BLOCKS:
        if kind == "python":
            commands = [[sys.executable, "-c", code]]
        else:
            lines = [line for line in code.splitlines() if line and not line.startswith("make ")]
            commands = [shlex.split(line.replace("http://127.0.0.1:8000", service)) for line in lines]
        for command in commands:
            if command[0].startswith(".venv/bin/"):
                command[0] = str(PROGRAMS / Path(command[0]).name)
            done = subprocess.run(
                command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600, check=False
            )
            assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"
            if command[0] == "curl":
                assert '"object":"job"' in done.stdout, done.stdout
            ran += 1
    assert ran >= 8
    assert (tmp_path / "digits-1" / "preview.png").exists()
