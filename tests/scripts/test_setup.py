"""Setting up says what is missing before it begins, and does nothing twice."""

from __future__ import annotations

import ast
import os
import shutil
import signal
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
        by_option = set_up(project, "--", "--workers", "2", "--port", port)
        by_own_file = set_up(project, "--", f"--config={project / 'scriba.toml'}", SCRIBA_PORT="")
    for result in (by_variable, by_file, by_option, by_own_file):
        assert result.returncode == 2
        assert f"cannot listen on 127.0.0.1 port {port}" in result.stderr
        assert "SCRIBA_PORT=2729 make run" in result.stderr
    assert not (project / ".venv").exists()


def test_an_option_chooses_another_port(project: Path) -> None:
    """What `make run` is told for `scriba serve` counts before variables, also where the usual port is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = set_up(project, "--", "--port", "0", SCRIBA_PORT=str(taken.getsockname()[1]))
    assert result.returncode == 0, result.stderr


def test_make_hands_its_options_on(project: Path) -> None:
    """The port that `make help` tells to choose is the one that is looked at."""
    shutil.copy(ROOT / "Makefile", project / "Makefile")
    asked = subprocess.run(
        ["make", "--dry-run", "run", "ARGS=--port 3000", "PYTHON=python"],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "scripts/setup.py -- --port 3000" in asked.stdout


def test_make_passes_by_a_python_that_is_too_old(project: Path, tmp_path: Path) -> None:
    """The oldest cannot even read the script; without a newer one `make` says what is needed."""
    shutil.copy(ROOT / "Makefile", project / "Makefile")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("make", "sh"):
        (programs / name).symlink_to(str(shutil.which(name)))
    old = programs / "python3"
    old.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    old.chmod(0o755)

    def make() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", "--dry-run", "setup"],
            cwd=project,
            env={"PATH": str(programs)},
            capture_output=True,
            text=True,
            check=False,
        )

    without = make()
    assert without.returncode != 0
    assert "Scriba needs Python 3.11 or newer" in without.stderr
    (programs / "python3.12").symlink_to(sys.executable)
    assert "python3.12 scripts/setup.py" in make().stdout


def test_ctrl_c_while_the_environment_is_made_says_how_to_go_on(project: Path, tmp_path: Path) -> None:
    """One line, and no traceback of the program that was at work."""
    uv = tmp_path / "uv"
    uv.write_text(f"#!{sys.executable}\nimport time\nprint('at work', flush=True)\ntime.sleep(60)\n", encoding="utf-8")
    uv.chmod(0o755)
    with subprocess.Popen(
        [sys.executable, "scripts/setup.py"],
        cwd=project,
        env={"PATH": f"{tmp_path}:{os.defpath}", "HOME": str(project), "SCRIBA_PORT": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as program:
        assert program.stdout is not None
        assert any("at work" in line for line in program.stdout)
        os.killpg(program.pid, signal.SIGINT)
        complaint = program.communicate()[1]
    assert program.returncode == 130
    assert complaint == "\nStopped. Run the same command again to go on.\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_told(project: Path) -> None:
    """Instead of the advice to remove what is not there."""
    project.chmod(0o500)
    result = set_up(project)
    project.chmod(0o700)
    assert result.returncode == 2
    assert f"{project} cannot be written to" in result.stderr
