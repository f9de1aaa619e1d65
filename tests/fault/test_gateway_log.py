"""A request is forwarded only if its entry is durable, and a refusal is answered only if it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, TypeAlias

import pytest
from tests.asking import CHAT, ask
from tests.provider import KEY, Provider
from tests.running import Running, serving, settings_in

from scriba.domain.record import Decision, Gap
from scriba.storage.appender import Appender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

HARD = {"blockChinaProviders": True, "enforcement": "hard_block"}
BLOCKED = CHAT | {"model": "deepseek-chat"}

Breaking: TypeAlias = "Callable[[Path], AbstractContextManager[None]]"
Starting: TypeAlias = "Callable[[str], AbstractContextManager[Running]]"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the database as another program would that forgot to commit."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


@contextmanager
def damaged(path: Path) -> Iterator[None]:
    """Take the table of records away, as a failed restore might."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("ALTER TABLE records RENAME TO lost")
        yield
        connection.execute("ALTER TABLE lost RENAME TO records")


@pytest.fixture
def start(tmp_path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Starting:
    """Return what starts a server with the given setting of `log_failure`, which waits for locks only briefly."""
    monkeypatch.setattr("scriba.storage.database.PATIENCE_SECONDS", 0.1)

    def start_with(log_failure: str) -> AbstractContextManager[Running]:
        toml = f'log_failure = "{log_failure}"\n[providers.openai]\nbase_url = "{provider.url}"\n'
        return serving(settings_in(tmp_path, toml, {"OPENAI_API_KEY": KEY}))

    return start_with


def _database(server: Running) -> Path:
    path = server.services.store.database.path
    assert path is not None
    return path


@pytest.mark.parametrize("breaking", [locked, damaged])
def test_nothing_is_forwarded_unlogged(start: Starting, provider: Provider, breaking: Breaking) -> None:
    """While the log cannot be written callers are told to come back, and afterwards everything goes on."""
    with start("refuse") as server:
        tenant = server.tenant(HARD)
        with breaking(_database(server)):
            for body in (CHAT, BLOCKED):
                answer = ask(server.url, tenant.app, body)
                assert (answer.status, answer.error["code"]) == (503, "log_unavailable")
                assert 0 < int(answer.headers["retry-after"]) <= 60
                assert "x-audit-id" not in answer.headers
                assert "x-audit-receipt" not in answer.headers
        assert provider.received == []
        assert server.decisions(tenant.id) == []
        assert ask(server.url, tenant.app).status == 200
        assert [stored.seq for stored in server.records(tenant.id)][:2] == [0, 1]
        assert len(server.decisions(tenant.id)) == 1


@pytest.mark.parametrize("breaking", [locked, damaged])
def test_who_must_go_on_gets_a_gap(start: Starting, provider: Provider, breaking: Breaking) -> None:
    """With `log_failure = "allow"` requests pass unlogged and say so; the log says how many, as soon as it can.

    What policy refuses is still refused, and not even answered as a refusal while nobody could prove it.
    """
    with start("allow") as server:
        tenant = server.tenant(HARD)
        with breaking(_database(server)):
            for _ in range(2):
                answer = ask(server.url, tenant.app)
                assert answer.status == 200
                assert answer.headers["x-audit-unlogged"] == "log_unavailable"
                assert answer.headers["x-policy-id"].startswith("gpol_")
                assert "x-audit-id" not in answer.headers
                assert "x-audit-receipt" not in answer.headers
            assert ask(server.url, tenant.app, BLOCKED).status == 503
        assert len(provider.received) == 2
        answer = ask(server.url, tenant.app)
        assert "x-audit-unlogged" not in answer.headers
    records = [stored.record for stored in server.records(tenant.id)]
    assert len([record for record in records if isinstance(record, Decision)]) == 1
    gaps = [record for record in records if isinstance(record, Gap)]
    assert sum(gap.count or 0 for gap in gaps) == 2
    assert all(gap.start <= gap.end for gap in gaps)


def test_what_nobody_foresaw_stays_inside(
    server: Running, provider: Provider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug between request and entry means 500 in the client's shape, no forwarding, and no words of the caller."""
    tenant = server.tenant()
    words = "unlucky".upper()

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError(words)

    monkeypatch.setattr(Appender, "append", broken)
    answer = ask(server.url, tenant.app)
    assert (answer.status, answer.error["type"]) == (500, "server_error")
    assert "RuntimeError" not in answer.body.decode()
    assert provider.received == []
    assert "RuntimeError" in caplog.text
    assert answer.headers["x-request-id"] in caplog.text
    assert words not in caplog.text
