"""Long work says how far it has come, and no more often than somebody wants to read it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from scriba.cli.progress import progress

if TYPE_CHECKING:
    import pytest


def test_elsewhere_than_on_a_terminal_it_is_one_line_a_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error, and nothing for work of less than a minute."""
    seconds = itertools.count(0, 10)
    monkeypatch.setattr("scriba.cli.progress.time.monotonic", lambda: next(seconds))
    with progress("Verifying requests") as advance:
        for done in range(1, 6):
            advance(done, 20)
        assert capsys.readouterr().err == ""
        for done in range(6, 19):
            advance(done, 20)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["Verifying requests: 6 of 20", "Verifying requests: 12 of 20", "Verifying requests: 18 of 20"]


def test_on_a_terminal_it_is_a_bar_that_goes_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It leaves standard output to the answer."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress("Verifying requests") as advance:
        advance(5, 20)
    shown = capsys.readouterr()
    assert (shown.out, "Verifying requests" in shown.err) == ("", True)


def test_work_that_is_done_already_shows_no_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Promise: a second start of the demo does not say that it makes anything."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress("Making a month of sample decisions"):
        pass
    assert "Making" not in capsys.readouterr().err
