"""The program explains itself, loads only what a command needs, and renders every error in one way."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from scriba import __version__
from scriba.cli import root
from scriba.cli.failure import report
from scriba.errors import IntegrityError, InvalidInput, SettingsError, StoreUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.cli.conftest import Scriba

SERVER = ("aiohttp", "fastapi", "jinja2", "pydantic", "starlette", "uvicorn")


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Return the path of every command and group."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", list(commands(root)), ids=" ".join)
def test_every_command_has_help_with_an_example_of_itself(scriba: Scriba, path: tuple[str, ...]) -> None:
    """One that begins with the command, after any variables."""
    result = scriba(*path, "--help")
    assert result.code == 0
    example = result.out.partition("Example:\n")[2]
    assert f"scriba {' '.join(path)}" in example
    assert "\n\nOptions:\n" in result.out


@pytest.mark.parametrize("path", list(commands(root)), ids=" ".join)
def test_every_option_is_explained(path: tuple[str, ...]) -> None:
    """No option has to be guessed."""
    command: click.Command | None = root
    for name in path:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), name)
    assert command is not None
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.opts


@pytest.mark.parametrize("path", [path for path in commands(root) if len(path) > 1 or path[0] in {"verify", "doctor"}])
def test_every_command_answers_machines_too(path: tuple[str, ...]) -> None:
    """Whatever ends has `--json`; only the server, which does not end, has not."""
    command: click.Command | None = root
    for name in path:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), name)
    assert command is not None
    assert "--json" in [option for parameter in command.params for option in parameter.opts]


def test_help_lists_the_commands_in_the_order_of_use(scriba: Scriba) -> None:
    """And a call without any command shows it too, as wrong use."""
    listed = scriba("--help").out.partition("Commands:\n")[2].splitlines()
    names = [line.split()[0] for line in listed if line.startswith("  ")]
    known = ["serve", "init", "org", "key", "log", "report", "verify", "doctor", "db"]
    assert [name for name in names if name in known] == known
    bare = scriba()
    assert bare.code == 2
    assert "Commands:" in bare.err


@pytest.mark.parametrize(
    "arguments", [["--help"], ["verify", "--help"], ["log", "query", "--help"], ["org", "list"], ["doctor"]]
)
def test_commands_that_read_load_no_server(tmp_path_factory: pytest.TempPathFactory, arguments: list[str]) -> None:
    """They start quickly, and work where a server could not."""
    probe = (
        "import sys; from scriba.cli import main; main(sys.argv[1:]);"
        f"print([name for name in {SERVER} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, *arguments],
        cwd=tmp_path_factory.mktemp("empty"),
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.splitlines()[-1] == "[]"


def test_help_itself_loads_no_command() -> None:
    """`scriba --help` answers before any database library could be loaded."""
    probe = (
        "import sys; from scriba.cli import main; main(['--help']);"
        "print([name for name in ('sqlalchemy', 'rich', 'cryptography') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"


def test_the_version(scriba: Scriba) -> None:
    """It is the package's."""
    assert scriba("--version").out == f"scriba {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["verfy"], "Did you mean 'verify'?"),
        (["key", "crate"], "Did you mean 'create'?"),
        (["org", "create"], "Missing argument 'NAME'"),
        (["verify"], "Missing option '--org'"),
        (["serve", "--prot", "1"], "'--port'?"),
    ],
)
def test_wrong_use_says_what_was_meant(scriba: Scriba, arguments: list[str], says: str) -> None:
    """With exit code 2, on standard error."""
    result = scriba(*arguments)
    assert result.code == 2
    assert result.out == ""
    assert says in result.err


def test_an_error_is_a_message_and_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    """And no traceback."""
    report(InvalidInput("There is no filter.", param="x", hint="Did you mean y?"), as_json=False)
    assert capsys.readouterr().err == "Error: There is no filter.\n       Did you mean y?\n"


def test_an_error_is_json_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    """With the same code and fields as over HTTP, and nothing that is absent."""
    report(InvalidInput("There is no filter.", param="x"), as_json=True)
    said = capsys.readouterr()
    assert said.out == ""
    assert json.loads(said.err) == {
        "error": {"code": "invalid_request", "message": "There is no filter.", "param": "x"}
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (IntegrityError("The log was changed."), 1),
        (InvalidInput("No."), 2),
        (SettingsError("No."), 2),
        (click.UsageError("No."), 2),
        (StoreUnreachable("Gone."), 3),
        (PermissionError(13, "Permission denied", "data/scriba.db"), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_exit_codes(capsys: pytest.CaptureFixture[str], error: BaseException, code: int) -> None:
    """1 is "no", 2 is wrong use or settings, 3 is a system that is needed and does not answer."""
    assert report(error, as_json=False) == code
    assert "Traceback" not in capsys.readouterr().err


def test_what_is_not_foreseen_is_not_hidden() -> None:
    """A bug of ours keeps its traceback."""
    with pytest.raises(ZeroDivisionError):
        report(ZeroDivisionError(), as_json=False)


def test_a_wrong_setting_stops_every_command(scriba: Scriba, monkeypatch: pytest.MonkeyPatch) -> None:
    """With exit code 2 and the nearest name."""
    monkeypatch.setenv("SCRIBA_PROT", "1")
    for arguments in (["org", "list"], ["db", "check"], ["verify", "--org", "acme"], ["doctor"]):
        result = scriba(*arguments)
        assert result.code == 2
        assert "Did you mean SCRIBA_PORT?" in result.out + result.err


def test_a_database_that_does_not_answer_is_exit_code_3(scriba: Scriba, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a message without password or traceback."""
    monkeypatch.setenv("SCRIBA_DATABASE_URL", "postgresql://scriba:hunter2@127.0.0.1:9/scriba")
    result = scriba("org", "list")
    assert result.code == 3
    assert "cannot be used" in result.err
    assert "hunter2" not in result.err


def test_output_into_a_closed_pipe_is_no_error(tmp_path_factory: pytest.TempPathFactory) -> None:
    """As with `scriba log query | head -1`; but it is not "done" either, for nobody has read the answer."""
    probe = (
        "import os, sys; from scriba.cli import main; r, w = os.pipe(); os.close(r); os.dup2(w, 1);"
        "sys.exit(main(['--help']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=tmp_path_factory.mktemp("empty"), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (141, "")


def test_a_place_that_cannot_be_written_to_comes_with_a_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    """Whichever command met it."""
    assert report(PermissionError(errno.EACCES, "Permission denied", "data"), as_json=False) == 3
    complaint = capsys.readouterr().err
    assert complaint.startswith("Error: data: Permission denied.\n")
    assert "SCRIBA_DATA_DIR" in complaint
