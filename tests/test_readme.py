"""README and docs are for a stranger: every command and snippet in them runs, and what they say of the code is so."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.readers import foreign
from docs.tables import filled
from stillhouse import Client, Problem
from tests.data.archives import photographs, spread
from tests.stillhouse.running import PATIENCE, Running

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    (page.name, kind, code)
    for page in PAGES
    for kind, code in re.findall(r"```(\w*)\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
]
TIME = re.compile(r"(?<=--within )\w+")
PROGRAMS = Path(sys.executable).parent


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def test_a_stranger_reads_it_in_minutes() -> None:
    text = README.read_text("utf-8")
    assert len(text.split()) <= 900
    assert text.count("![") == 1


def test_the_tables_are_what_the_code_says() -> None:
    for path, text in filled().items():
        assert path.read_text("utf-8") == text, "run `make docs`"


def test_every_make_target_exists() -> None:
    named = re.findall(r"^make (\w+)", "\n".join(code for _, kind, code in BLOCKS if kind == "sh"), re.MULTILINE)
    assert {"demo", "test", "serve"} <= set(named) <= targets()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_linked_file_and_test_exists(page: Path) -> None:
    for text, target in re.findall(r"\[([^\]]*)\]\(([^)#]+)\)", page.read_text("utf-8")):
        if "://" in target:
            continue
        path = page.parent / target
        assert path.exists(), target
        if text.startswith("`test_"):
            assert f"def {text.strip('`')}(" in path.read_text("utf-8"), text


def test_every_picture_is_shown_on_a_page() -> None:
    pages = [*PAGES, *(ROOT / "benchmarks").glob("*.md")]
    text = "\n".join(page.read_text("utf-8") for page in pages)
    shown = set(re.findall(r"!\[[^\]]*\]\([^)]*pictures/([^)]+)\)", text))
    assert {picture.name for picture in (ROOT / "docs/pictures").iterdir()} == shown


def test_every_page_is_linked_from_the_readme() -> None:
    text = README.read_text("utf-8")
    assert [page.name for page in PAGES[1:] if f"](docs/{page.name})" not in text] == []


def short(client: Client) -> str:
    """A time in which a job of the pages ends here: twice the least that the service names."""
    with pytest.raises(Problem) as refused:
        client.forecast("digits", method="dm", target="70%", within="1s")
    (least,) = re.findall(r"'(\d+)s'", refused.value.errors[0].fix or "")
    return f"{2 * int(least)}s"


@pytest.mark.slow
def test_every_command_and_snippet_runs_in_order(calibrated: Running, tmp_path: Path) -> None:
    service = calibrated
    # bash is run by tests/test_operations.py, tests/stillhouse/test_webhooks.py and tests/ledger/test_upgrading.py,
    # what is foreign by `python -m benchmarks.readers`
    assert {kind for _, kind, _ in BLOCKS} == {"bash", "nginx", "python", "sh", "text"}
    environment = {
        **os.environ,
        "STILLHOUSE_URL": service.url,
        "STILLHOUSE_HOME": str(service.home),
        "PYTHONPATH": str(ROOT),
        "HF_HOME": str(tmp_path / "hub"),
        "HF_HUB_OFFLINE": "1",
    }
    spread(photographs(20, (32, 48)), tmp_path / "flowers")
    with service.client() as client:
        client.forecast("digits", ipc=1, wait=10 * PATIENCE)  # once the machine is measured
        time = short(client)
    ran = 0
    for page, kind, code in BLOCKS:
        if kind in ("bash", "nginx", "text") or foreign(code):
            continue
        if kind == "python":
            commands = [[sys.executable, "-c", code]]
        else:
            lines = [line for line in code.splitlines() if line and not line.startswith("make ")]
            commands = [
                # a search takes all the time it is given
                shlex.split(TIME.sub(time, line.replace("http://127.0.0.1:8000", service.url)), comments=True)
                for line in lines
            ]
        for command in commands:
            if command[0].startswith(".venv/bin/"):
                command[0] = str(PROGRAMS / Path(command[0]).name)
            done = subprocess.run(
                command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600, check=False
            )
            assert done.returncode == 0, f"{page}: {shlex.join(command)}\n{done.stdout}\n{done.stderr}"
            if command[0] == "curl":
                assert '"object":"job"' in done.stdout, done.stdout
            if "submit" in command:
                (submitted,) = re.findall(r"job_\w+", done.stdout)
                with service.client() as client:
                    client.cancel(submitted)  # nobody waits for it
            ran += 1
    assert ran >= 12
    for folder in ("flowers-auto-10", "digits-1"):
        assert (tmp_path / folder / "preview.png").exists()
