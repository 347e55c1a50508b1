"""The plan of the code as tests: which room may import which, and how large and how named a room may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("api", "benchmarks", "core", "migrations", "stillhouse", "tests", "worker")
SHIPPED = ("api", "core", "stillhouse", "worker")
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager", "handler", "handlers"}


@dataclass(frozen=True)
class Import:
    """The file `path` imports `target`: inside a function if `lazy`, for the type checker if `typing`."""

    path: str
    line: int
    target: str
    lazy: bool
    typing: bool

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.target}"

    def within(self, *rooms: str) -> bool:
        """Whether the target is one of `rooms` or inside it."""
        return any(self.target == room or self.target.startswith(f"{room}.") for room in rooms)


def sources(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def imports(path: Path, root: Path = ROOT) -> Iterator[Import]:
    """Every import of a file, relative ones resolved, `from a import b` as both a and a.b."""
    name = path.relative_to(root).as_posix()

    def walk(node: ast.AST, lazy: bool, typing: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            deeper = lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            guarded = typing or (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test))
            match child:
                case ast.Import(names=names):
                    for alias in names:
                        yield Import(name, child.lineno, alias.name, deeper, guarded)
                case ast.ImportFrom(module=module, names=names, level=level):
                    package = path.relative_to(root).with_suffix("").parts
                    stem = (
                        ".".join([*package[: len(package) - level], *filter(None, [module])]) if level else module or ""
                    )
                    yield Import(name, child.lineno, stem, deeper, guarded)
                    for alias in names:
                        yield Import(name, child.lineno, f"{stem}.{alias.name}", deeper, guarded)
                case _:
                    yield from walk(child, deeper, guarded)

    yield from walk(ast.parse(path.read_text("utf-8")), lazy=False, typing=False)


def all_imports(*packages: str) -> list[Import]:
    found = [i for path in sources(*packages) for i in imports(path)]
    assert found, f"nothing is imported in {packages}: the test looks in the wrong place"
    return found


def none(offenders: list[Import]) -> None:
    assert not offenders, "\n".join(sorted({str(i) for i in offenders}))


def room(path: str, *rooms: str) -> bool:
    """Whether a file is one of `rooms` or inside it."""
    return any(path in (r, f"{r}.py") or path.startswith(f"{r}/") for r in rooms)


FORMS = """
import os.path, core.engine as e
from . import sibling
from ..ledger import Ledger
from torch import *
if TYPE_CHECKING:
    import torch
def later():
    if True:
        from torchvision import datasets
"""


def test_no_form_of_import_escapes(tmp_path: Path) -> None:
    path = tmp_path / "core" / "data" / "x.py"
    path.parent.mkdir(parents=True)
    path.write_text(FORMS, "utf-8")
    found = {i.target: (i.lazy, i.typing) for i in imports(path, tmp_path)}
    assert found == {
        "os.path": (False, False),
        "core.engine": (False, False),
        "core.data": (False, False),
        "core.data.sibling": (False, False),
        "core.ledger": (False, False),
        "core.ledger.Ledger": (False, False),
        "torch": (False, True),
        "torch.*": (False, False),
        "torchvision": (True, False),
        "torchvision.datasets": (True, False),
    }


def test_the_client_needs_nothing_of_the_project() -> None:
    rest = [package for package in PACKAGES if package != "stillhouse"]
    outside = [i for i in all_imports("stillhouse") if i.within(*rest)]
    # `stillhouse.distil` runs the engine where the server is, and only then
    engine = [i for i in outside if i.path == "stillhouse/library.py" and i.within("core") and (i.lazy or i.typing)]
    assert engine
    none([i for i in outside if i not in engine])


def test_core_never_imports_its_users() -> None:
    none([i for i in all_imports("core") if i.within("api", "worker", "stillhouse", "benchmarks", "tests")])


def test_the_api_reaches_core_but_not_the_engine() -> None:
    none([i for i in all_imports("api") if i.within("core.engine", "worker", "stillhouse", "benchmarks", "tests")])


def test_the_worker_reaches_core_only_and_the_engine_only_in_its_child() -> None:
    everything = all_imports("worker")
    none([i for i in everything if i.within("api", "stillhouse", "benchmarks", "tests")])
    none([i for i in everything if i.within("core.engine", "worker.engine") and not room(i.path, "worker/engine")])


def test_the_engine_knows_recipes_and_data_and_nothing_else_of_the_house() -> None:
    within_core = [i for i in all_imports("core/engine") if i.within("core") and i.target != "core"]
    # numbers alone, which the forecast, the pages or a request need too
    numbers = ("core.architectures", "core.compact", "core.durations", "core.weight", "core.worth")
    rooms = ("recipe", "plan", "data", "files", "report", "advice")
    allowed = ("core.engine", *(f"core.{name}" for name in rooms), *numbers)
    none([i for i in within_core if not i.within(*allowed)])


def test_core_has_no_circle_of_imports() -> None:
    """Not even for the type checker; an import inside a function, made when everything is loaded, closes none."""
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sources("core")
    }
    graph: dict[str, set[str]] = {}
    for module, path in modules.items():
        lines = [(i.line, i.target) for i in imports(path) if not i.lazy and i.target in modules]
        # `from package import module` needs the module, not what the package gathers
        graph[module] = {
            target
            for line, target in lines
            if not any(at == line and other.startswith(f"{target}.") for at, other in lines)
        } - {module}
    assert len(graph) > 100
    assert len([*TopologicalSorter(graph).static_order()]) == len(graph)


def test_steps_are_ordered_by_a_run_and_by_advice_alone() -> None:
    """A step is handed what others made: none imports another."""
    callers = ("core/engine/run", "core/engine/made", "core/engine/advice")
    none([i for i in all_imports(*SHIPPED) if i.within("core.engine.steps") and not room(i.path, *callers)])
    none([i for i in all_imports("core/engine") if i.within("core.engine.run")])


def test_an_objective_never_imports_another() -> None:
    offenders = []
    for path in sources("core/engine/objectives"):
        if path.name not in ("__init__.py", "build.py"):  # which chooses one of them
            offenders += [i for i in imports(path) if i.within("core.engine.objectives")]
    none(offenders)


def test_torch_is_imported_by_the_engine_alone() -> None:
    torch = [i for i in all_imports(*SHIPPED) if i.within("torch", "torchvision")]
    # core/artifacts/student.py is copied into every artifact, and read by nobody here
    allowed = [i for i in torch if room(i.path, "core/engine", "worker/engine", "core/artifacts/student")]
    assert allowed
    none([i for i in all_imports(*SHIPPED) if i.within("core.artifacts.student")])
    # torchvision fetches datasets: inside a function, so that looking into the catalogue stays cheap
    lazy = [i for i in torch if i.lazy and i.path.startswith("core/data/") and i.within("torchvision")]
    lazy += [i for i in torch if i.lazy and i.path == "stillhouse/library.py"]
    none([i for i in torch if i not in allowed and i not in lazy and not i.typing])


@pytest.mark.parametrize(
    "module",
    ["stillhouse.cli", "core.artifacts", "core.data", "core.ledger", "core.request", "api.app", "worker.supervisor"],
)
def test_what_serves_requests_starts_without_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_the_vocabulary_needs_neither_torch_nor_a_database() -> None:
    files = [ROOT / "core" / f"{name}.py" for name in ("architectures", "feasibility", "overrides", "worth")]
    names = ("advice", "budget", "methods", "plan", "recipe", "report", "request")
    packages = sources(*(f"core/{name}" for name in names))
    assert packages
    everything = [i for path in [*files, *packages] for i in imports(path)]
    none([i for i in everything if i.within("torch", "sqlalchemy", "core.ledger", "core.engine") and not i.typing])


@pytest.mark.parametrize("path", sources("core/engine"), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_engine_neither_prints_nor_reads_the_environment(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) != "print", f"line {node.lineno} prints"
        if isinstance(node, ast.Attribute):
            assert ast.unparse(node) not in ("os.environ", "os.getenv"), f"line {node.lineno} reads the environment"


def test_nothing_is_imported_by_star() -> None:
    none([i for i in all_imports(*PACKAGES) if i.target.endswith(".*")])


def test_nothing_is_pickled() -> None:
    none([i for i in all_imports(*SHIPPED) if i.within("pickle", "cPickle", "dill", "joblib", "cloudpickle")])


def test_every_file_has_a_name_that_says_something() -> None:
    assert [str(path) for path in sources(*PACKAGES) if path.stem in SAYS_NOTHING] == []


def test_no_file_is_too_long() -> None:
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in sources(*PACKAGES)}
    assert {str(path): length for path, length in lengths.items() if length > 400} == {}
    shipped = sorted(length for path, length in lengths.items() if path.name != "__init__.py")
    assert shipped[len(shipped) // 2] <= 150, "the median file is longer than 150 lines"
