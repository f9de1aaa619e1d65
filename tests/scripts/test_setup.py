"""Setting up says what is missing before it begins, and does nothing twice."""

from __future__ import annotations

import ast
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "setup.py"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project like ours that needs no packages, in a folder whose name has to be quoted."""
    folder = tmp_path / "a user's folder"
    for name in ("scripts/setup.py", "src/scriba/settings/defaults.toml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "src/scriba/__init__.py").touch()
    (folder / "src/scriba/__main__.py").write_text("import sys\nprint('ran', *sys.argv[1:])\n", encoding="utf-8")
    for lock in ("requirements.lock", "requirements-dev.lock"):
        (folder / lock).write_text("", encoding="utf-8")
    return folder


def set_up(project: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the script as `make` does, on a port that is free unless said otherwise."""
    return subprocess.run(
        [sys.executable, "scripts/setup.py", *arguments],
        cwd=project,
        env={"PATH": os.defpath, "HOME": str(project), "SCRIBA_PORT": "0", **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_older_pythons_can_read_it() -> None:
    """They then say that they are too old, which a syntax error would not."""
    ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 7))


def test_the_second_time_nothing_is_done(project: Path) -> None:
    """The first run makes an environment with `scriba` in it; the second is silent; a changed lock is installed."""
    first = set_up(project)
    assert first.returncode == 0, first.stderr
    assert "Installing" in first.stdout
    scriba = subprocess.run(
        [project / ".venv/bin/scriba", "serve", "--demo"], capture_output=True, text=True, check=True
    )
    assert scriba.stdout == "ran serve --demo\n"
    second = set_up(project)
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    (project / "requirements.lock").write_text("# changed\n", encoding="utf-8")
    assert "Installing" in set_up(project).stdout


def test_an_interrupted_installation_is_done_again(project: Path) -> None:
    """What is half installed does not count."""
    (project / "requirements.lock").write_text("./missing-1-py3-none-any.whl --hash=sha256:00\n", encoding="utf-8")
    failed = set_up(project)
    assert failed.returncode == 2
    assert "cannot be set up" in failed.stderr
    assert "run this again" in failed.stderr.lower()
    (project / "requirements.lock").write_text("", encoding="utf-8")
    assert "Installing" in set_up(project).stdout


def test_a_taken_port_is_told_before_anything_is_made(project: Path) -> None:
    """With another way to start, whichever setting says the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        by_variable = set_up(project, SCRIBA_PORT=port)
        (project / "scriba.toml").write_text(f"port = {port}\n", encoding="utf-8")
        by_file = set_up(project, SCRIBA_PORT="")
    for result in (by_variable, by_file):
        assert result.returncode == 2
        assert f"cannot listen on 127.0.0.1 port {port}" in result.stderr
        assert "SCRIBA_PORT=2729 make run" in result.stderr
    assert not (project / ".venv").exists()
