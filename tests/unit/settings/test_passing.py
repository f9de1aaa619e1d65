"""A worker process has the settings that the command line decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from scriba.settings import load_settings, pass_on

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from tests.unit.settings.conftest import Load


def test_workers_load_what_the_first_process_has(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in another working directory; the file is the same and the options hold."""
    decided = msgspec.structs.replace(load("drain_seconds = 5"), host="::1", port=4000, workers=3)
    environ: dict[str, str] = {}
    pass_on(decided, sandbox=True, environ=environ)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    worker = load_settings(environ=environ)
    assert (worker.host, worker.port, worker.workers, worker.drain_seconds) == ("::1", 4000, 3, 5)
    assert worker.providers["sandbox"].enabled is True


def test_the_sandbox_stays_off_unless_it_was_turned_on(load: Load) -> None:
    """Nothing is passed on that was not decided."""
    environ: dict[str, str] = {}
    pass_on(load(), sandbox=False, environ=environ)
    assert load_settings(environ=environ).providers["sandbox"].enabled is False
