"""Sessions of the console and one-time links, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, NamedTuple

import pytest
from sqlalchemy import func, select

from scriba import auth
from scriba.auth import LINK_SECONDS, SESSION_SECONDS, Authenticator, Sessions
from scriba.domain.secret import Secret
from scriba.errors import Unauthenticated
from scriba.storage.model import COMMAND_LINE, Role
from scriba.storage.tables import ended_sessions

if TYPE_CHECKING:
    from tests.stores import OpenStore

VISITORS = 3
ROUNDS = 5


class Console(NamedTuple):
    """Sessions, and a key that may open one."""

    sessions: Sessions
    key_id: str
    key: str


@pytest.fixture
def console(store: OpenStore) -> Console:
    """Make the sessions of a store, as one process has them."""
    key, secret = store.control.create_key(store.organisation.id, role=Role.AUDITOR, actor=COMMAND_LINE)
    return Console(sessions_of(store), key.id, secret)


def sessions_of(store: OpenStore) -> Sessions:
    """Make what another process of the same deployment has."""
    return Sessions(Secret(bytes(32)), Authenticator(store.control), store.store.database)


def test_a_link_opens_one_session_however_many_follow_it_at_once(console: Console) -> None:
    """Promise: a link that leaked is worth nothing once it was used, not even in the same moment."""
    together = Barrier(VISITORS, timeout=60)

    def follow(token: str) -> bool:
        together.wait()
        try:
            console.sessions.redeem(token)
        except Unauthenticated:
            return False
        return True

    with ThreadPoolExecutor(VISITORS) as pool:
        for _ in range(ROUNDS):
            token = console.sessions.link(console.key_id)
            assert sum(pool.map(follow, [token] * VISITORS)) == 1


def test_a_link_expires(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: after its time a link opens nothing, also if it was never used."""
    token = console.sessions.link(console.key_id)
    later = auth._now() + LINK_SECONDS * 1_000_000
    monkeypatch.setattr(auth, "_now", lambda: later)
    with pytest.raises(Unauthenticated, match="used already or has expired"):
        console.sessions.redeem(token)


def test_a_session_that_was_ended_is_over_everywhere(store: OpenStore, console: Console) -> None:
    """Promise: signing out holds in every process, may be repeated, and ends no other session of the key."""
    ended, other = console.sessions.open(console.key), console.sessions.open(console.key)
    for _ in range(2):
        console.sessions.end(ended)
    for sessions in (console.sessions, sessions_of(store)):
        with pytest.raises(Unauthenticated, match="The session is over"):
            sessions.principal(ended)
        assert sessions.principal(other).key_id == console.key_id


def test_ended_sessions_are_forgotten_when_their_time_is_over(
    store: OpenStore, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise: the list of ended sessions does not grow for ever, and an old cookie stays worthless."""
    old = console.sessions.open(console.key)
    console.sessions.end(old)
    later = auth._now() + SESSION_SECONDS * 1_000_000
    monkeypatch.setattr(auth, "_now", lambda: later)
    console.sessions.end(console.sessions.open(console.key))
    with store.store.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(ended_sessions)).scalar_one() == 1
    with pytest.raises(Unauthenticated, match="The session is over"):
        console.sessions.principal(old)


def test_only_our_own_cookies_can_be_ended(store: OpenStore, console: Console) -> None:
    """Promise: nobody fills the database with sessions that never were."""
    with pytest.raises(Unauthenticated):
        console.sessions.end("key_1.99999999999999999.00")
    with store.store.database.read() as connection:
        assert connection.execute(select(ended_sessions)).first() is None
