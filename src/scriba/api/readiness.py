"""Whether this process can do its work right now: what `/readyz` tells a load balancer."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from scriba.errors import ScribaError
from scriba.storage.hot import MAX_CLOCK_SKEW
from scriba.storage.schema import schema_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from scriba.storage.store import Store

__all__ = ["OK", "check_readiness"]

OK: Final = "ok"


def check_readiness(store: Store, is_writing: Callable[[], bool]) -> dict[str, str]:
    """Make every check; returns what each found, which is `ok` or a few words that name no place and no secret.

    :param is_writing: whether the writer of the log runs and could write when it last tried
    """
    return {
        **_database(store),
        "log": OK if is_writing() else "cannot be written",
        "guard": OK if os.access(store.guard.folder, os.W_OK | os.X_OK) else "cannot be written",
    }


def _database(store: Store) -> dict[str, str]:
    try:
        with store.database.read() as connection:
            current, expected = schema_state(connection)
            skew = abs(store.database.clock(connection) - time.time_ns() // 1000)
    except ScribaError:
        return {"database": "does not answer"}
    return {
        "database": OK,
        "schema": OK if current == expected else f"is {current}, but this version needs {expected}",
        "clock": OK if skew <= MAX_CLOCK_SKEW else "differs from the database's",
    }
