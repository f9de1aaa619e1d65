"""People who use Scriba need not know how a log is proved: some words stand only where the formats are explained."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest
from tests.docs.reading import README, ROOT

from scriba import errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORDS = re.compile(r"\b(merkle|leaf|jcs)\b", re.IGNORECASE)
SOURCES = sorted((ROOT / "src" / "scriba").rglob("*.py"))
SPOKEN = [
    path for path in SOURCES if path.parent.name == "cli" or path.name in {"greeting.py", "verifier.py", "server.py"}
]


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Return line and text of the pieces of text below a node that are no docstrings."""
    docstrings = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def in_errors(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Return the pieces of text that are given to an error of ours."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in errors.__all__:
            yield from texts(node)


def test_the_readme_does_without() -> None:
    """It speaks of a log that nobody can change unnoticed."""
    assert WORDS.findall(README.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", SPOKEN, ids=lambda path: path.name)
def test_what_the_program_prints_does_without(path: Path) -> None:
    """The start message, every command, its help, and what a verification finds."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    said = [text for _, text in texts(tree) if " " in text]
    if path.parent.name == "cli":
        said += [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert [text for text in said if WORDS.search(text)] == []


def test_errors_do_without() -> None:
    """Wherever in the program they come from."""
    found = [
        f"{path.name}:{line}: {text}"
        for path in SOURCES
        for line, text in in_errors(ast.parse(path.read_text(encoding="utf-8")))
        if WORDS.search(text)
    ]
    assert found == []
