"""The one place where an error becomes words on the terminal and an exit code."""

from __future__ import annotations

import errno
import json
import os
import sys
from typing import Final

import click

from scriba.cli.data_folder import REMEDY
from scriba.errors import IntegrityError, ScribaError, Unavailable

__all__ = ["NO", "UNREACHABLE", "WRONG_USE", "report"]

NO: Final = 1
"""Exit code: the answer is "no"."""
WRONG_USE: Final = 2
"""Exit code: wrong use or settings."""
UNREACHABLE: Final = 3
"""Exit code: a system that is needed does not answer."""
_INTERRUPTED: Final = 130
_PIPE_CLOSED: Final = 141
"""These two as shells count them: 128 and the number of the signal."""
_NOT_WRITABLE: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def report(error: BaseException, *, as_json: bool) -> int:
    """Say what went wrong on standard error, and return the exit code.

    What is not foreseen is raised again: a traceback is then the honest answer.
    """
    if isinstance(error, click.ClickException):
        return _usage(error, as_json=as_json)
    if isinstance(error, KeyboardInterrupt | click.Abort):
        click.echo("Stopped.", err=True)
        return _INTERRUPTED
    if isinstance(error, SystemExit) and error.code == 1:
        # So click and rich say that whoever read our output has left, like `head`. Nothing more may be written, not
        # even at exit, and neither "done" nor "no" is the answer: nobody has read it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    if isinstance(error, ScribaError):
        _write(error.code, error.message, error.hint, error.param, as_json=as_json)
        return _exit_code(error)
    if isinstance(error, OSError) and error.filename is not None:
        hint = REMEDY if error.errno in _NOT_WRITABLE else None
        _write("system_error", f"{error.filename}: {error.strerror}.", hint, None, as_json=as_json)
        return UNREACHABLE
    raise error


def _exit_code(error: ScribaError) -> int:
    if isinstance(error, IntegrityError):
        return NO
    return UNREACHABLE if isinstance(error, Unavailable) else WRONG_USE


def _usage(error: click.ClickException, *, as_json: bool) -> int:
    if as_json:
        _write("usage", error.format_message(), None, None, as_json=True)
    else:
        error.show()
    return error.exit_code


def _write(code: str, message: str, hint: str | None, param: str | None, *, as_json: bool) -> None:
    if as_json:
        fields = {"code": code, "message": message, "param": param, "hint": hint}
        click.echo(json.dumps({"error": {name: text for name, text in fields.items() if text}}), err=True)
        return
    click.echo(click.style("Error: ", fg="red", bold=True) + message, err=True)
    if hint:
        click.echo(f"       {hint}", err=True)
