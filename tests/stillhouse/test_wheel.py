"""The wheel: the client alone, in an environment that holds what its metadata asks for and nothing else."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path
from typing import final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.stillhouse.running import Answer, Running

ROOT = Path(__file__).parents[2]
LIMIT = 40 * 2**20


@final
@dataclass(frozen=True)
class Alone:
    """An environment with the wheel and its requirements, of the versions that the tests run with."""

    python: Path
    site: Path

    def run(self, *words: object, **variables: str) -> Answer:
        """`python WORDS` in it, far from the checkout."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("STILLHOUSE_", "PYTHON"))}
        done = subprocess.run(
            [str(self.python), *map(str, words)],
            cwd=self.site.parent,
            env=clean | variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    (built,) = folder.iterdir()
    return built


def requirements(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as files:
        (metadata,) = (name for name in files.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(files.read(metadata)).get_all("Requires-Dist", [])


def needed(wanted: list[str]) -> Iterator[importlib.metadata.Distribution]:
    """The distributions that these requirements bring, each once."""
    seen: set[str] = set()
    while wanted:
        requirement = Requirement(wanted.pop())
        name = canonicalize_name(requirement.name)
        if name in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        found = importlib.metadata.distribution(requirement.name)
        wanted += found.requires or ()
        yield found


@pytest.fixture(scope="module")
def alone(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Alone:
    folder = tmp_path_factory.mktemp("alone")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    site = next(folder.glob("lib/python3*/site-packages"))
    with zipfile.ZipFile(wheel) as files:
        files.extractall(site)
    for distribution in needed(requirements(wheel)):
        for file in distribution.files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                (site / file).symlink_to(Path(str(distribution.locate_file(file))).resolve())
    return Alone(folder / "bin" / "python", site)


def test_the_wheel_is_the_client_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        names = {name for name in files.namelist() if ".dist-info/" not in name}
        (script,) = (files.read(name) for name in files.namelist() if name.endswith("entry_points.txt"))
    sources = [path for path in (ROOT / "stillhouse").rglob("*") if path.suffix in (".py", ".typed")]
    assert names == {path.relative_to(ROOT).as_posix() for path in sources}
    assert b"stillhouse = stillhouse.cli:app" in script
    assert {Requirement(line).name for line in requirements(wheel)} == {"httpx", "rich", "typer"}


def test_its_environment_is_small_and_without_the_server(alone: Alone) -> None:
    present = {path.name for path in alone.site.iterdir()}
    assert {"httpx", "rich", "stillhouse", "typer"} <= present
    assert not present & {"api", "core", "worker", "celery", "fastapi", "numpy", "sqlalchemy", "torch"}
    # Compiled code is about as large as its source, and most of what there is.
    source = [path.stat().st_size for path in alone.site.rglob("*.py")]
    rest = [path.stat().st_size for path in alone.site.rglob("*") if path.is_file() and path.suffix != ".py"]
    assert 2 * sum(source) + sum(rest) <= LIMIT


def test_importing_it_loads_nothing_until_it_is_used(alone: Alone) -> None:
    heavy = "{'asyncio', 'email', 'httpx', 'json', 'rich', 'ssl', 'subprocess', 'typer'}"
    code = f"import sys, stillhouse; print(sorted({heavy} & set(sys.modules)))"
    assert alone.run("-c", code) == Answer(0, "[]\n", "")


def test_every_name_can_be_imported(alone: Alone) -> None:
    code = (
        "import stillhouse, types\n"
        "import stillhouse.cli\n"
        "for name in dir(stillhouse): assert not isinstance(getattr(stillhouse, name), types.ModuleType), name\n"
        "from stillhouse import Client, Job, verify\n"
        "print('Client' in dir(stillhouse), hasattr(stillhouse, 'Nothing'))"
    )
    answer = alone.run("-c", code)
    assert (answer.code, answer.out) == (0, "True False\n"), answer.err


def test_the_command_works_with_a_service_elsewhere(alone: Alone, running: Running, artifact: Path) -> None:
    listed = alone.run("-m", "stillhouse", "datasets", STILLHOUSE_URL=running.url)
    assert "digits" in listed.out, listed.err
    assert alone.run("-m", "stillhouse", "verify", artifact).code == 0
    doctor = alone.run("-m", "stillhouse", "doctor", STILLHOUSE_URL=running.url)
    assert doctor.code == 0, doctor.err
    assert "server   not installed: this is the client alone" in doctor.out
    assert f"ready at {running.url}" in doctor.out


def test_distil_says_in_a_sentence_where_it_works(alone: Alone) -> None:
    answer = alone.run("-c", "from stillhouse import distil; distil('digits', method='dm', ipc=1)")
    *_, last = answer.err.splitlines()
    assert last.startswith("stillhouse.errors.UsageError: 'stillhouse.distil' needs the server, and only the client is")
    assert answer.code == 1


@pytest.mark.parametrize(
    "words",
    [["serve"], ["worker"], ["compile", "digits", "--ipc", "1"], ["key", "create", "me", "--admin"]],
    ids=" ".join,
)
def test_what_needs_the_server_says_so_in_a_sentence(alone: Alone, words: list[str]) -> None:
    answer = alone.run("-m", "stillhouse", *words)
    assert answer.code == 2
    assert "needs the server, and only the client is installed here: run it in a checkout" in answer.err
    assert "Traceback" not in answer.err


def test_a_checkout_without_its_environment_names_what_is_missing(alone: Alone) -> None:
    for words in (["serve"], ["doctor"]):
        answer = alone.run("-m", "stillhouse", *words, PYTHONPATH=str(ROOT))
        assert "torch" in answer.out + answer.err
        assert "make install" in answer.out + answer.err
        assert answer.code in (1, 2)
        assert "Traceback" not in answer.err
