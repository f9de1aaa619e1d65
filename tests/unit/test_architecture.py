"""Rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "scriba"
MODULES = sorted(PACKAGE.rglob("*.py"))
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv"}
DRAWERS = {"common", "helpers", "manager", "misc", "util", "utils"}


def name_of(path: Path) -> str:
    """Return the path as it is written in the project."""
    return path.relative_to(ROOT).as_posix()


def nodes(path: Path) -> list[ast.AST]:
    """Return all nodes of a module."""
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def test_only_settings_read_the_environment() -> None:
    """Whoever wants to know what a variable does has one place to look."""
    found = {
        name_of(path)
        for path in MODULES
        for node in nodes(path)
        if (isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT)
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and {a.name for a in node.names} & ENVIRONMENT)
    }
    assert found == {"src/scriba/settings/loading.py", "src/scriba/settings/passing.py"}


def test_no_module_is_a_drawer() -> None:
    """A home for each thing."""
    assert [name_of(path) for path in MODULES if {path.stem, path.parent.name} & DRAWERS] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_short_and_says_what_it_is(path: Path) -> None:
    """At most 600 lines, and a docstring to begin with."""
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 600
    assert ast.get_docstring(ast.parse(text))


def test_the_lock_for_tests_holds_the_one_for_running() -> None:
    """What is tested is what is run, and one installation does for both."""
    running, testing = (
        dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))
        for name in ("requirements.lock", "requirements-dev.lock")
    )
    assert running
    assert running.items() <= testing.items()


def test_locks_name_no_address() -> None:
    """They work with whatever index somebody uses, and pin every package by its hashes."""
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "://" not in text
        packages = re.findall(r"^[a-z]", text, re.MULTILINE)
        assert len(packages) == len(re.findall(r"^[a-z0-9-]+==\S+.* \\\n    --hash=sha256:", text, re.MULTILINE))
