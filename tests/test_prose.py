"""Docstrings have a subject: none begins as half a question or half a phrase does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("api", "benchmarks", "core", "docs", "migrations", "stillhouse", "tests", "worker")
SUBJECTLESS = re.compile(r"(What|Of|As of|Whether any)\b")

DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def docstrings(text: str) -> Iterator[tuple[int, str]]:
    """Line and words of every docstring: of modules, classes, functions, and of names, below their assignment."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, DOCUMENTED):
            for before, each in zip([node, *node.body], node.body, strict=False):
                if before is node or isinstance(before, ast.Assign | ast.AnnAssign):
                    match each:
                        case ast.Expr(value=ast.Constant(value=str(words))):
                            yield each.lineno, words.strip()


EVERY_KIND = '''
"""What a module has."""
LIMIT = 3
"""Of a module."""
RATE: float = 0.5
r"""Whether any
rate."""


class Sound:
    """As of a class."""

    name: str
    """ Of a field."""

    async def method(self):
        """
        What a method does.
        """
        "What is said here is no docstring"
        print("""What is said here neither""")

        def inner():
            """Offers, and whatever."""
'''


def test_every_kind_of_docstring_is_read() -> None:
    read = sorted(docstrings(EVERY_KIND))
    assert [line for line, _ in read] == [2, 4, 6, 11, 14, 17, 24]
    assert [line for line, words in read if SUBJECTLESS.match(words)] == [2, 4, 6, 11, 14, 17]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_docstring_has_a_subject(package: str) -> None:
    read = [
        (path, line, words)
        for path in sorted((ROOT / package).rglob("*.py"))
        for line, words in docstrings(path.read_text("utf-8"))
    ]
    assert read, f"{package} has no docstring: the test looks in the wrong place"
    offenders = [
        f"{path.relative_to(ROOT)}:{line} begins without a subject, say which thing it is: {words.splitlines()[0]}"
        for path, line, words in read
        if SUBJECTLESS.match(words)
    ]
    assert not offenders, "\n".join(offenders)
