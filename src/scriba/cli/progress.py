"""How far a long piece of work has come: a bar on a terminal, one line a minute elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Advance: TypeAlias = Callable[[int, int], None]

__all__ = ["Advance", "progress"]

_SECONDS: Final = 60


@contextmanager
def progress(what: str) -> Iterator[Advance]:
    """Show progress on standard error; call the yielded function with how much is done and how much there is."""
    if sys.stderr.isatty():
        with _bar(what) as advance:
            yield advance
    else:
        yield _Minutely(what)


@contextmanager
def _bar(what: str) -> Iterator[Advance]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None, visible=False)  # work that is done already shows nothing
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)


class _Minutely:
    """Says a line at most once a minute, and the first one after a minute."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._due = time.monotonic() + _SECONDS

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _SECONDS
            click.echo(f"{self._what}: {done} of {total}", err=True)
