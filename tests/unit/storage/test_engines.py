"""What connections of a pool keep in memory."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.stores import OpenStore


def test_one_reader_fills_one_cache(sqlite_store: OpenStore) -> None:
    """Promise: who reads a whole log in many transactions needs the memory of one connection, and of a small one."""
    database = sqlite_store.store.database
    with ExitStack() as stack:
        crowd = [stack.enter_context(database.read()) for _ in range(5)]
        assert len({id(connection.connection.driver_connection) for connection in crowd}) == 5
    used = set()
    for _ in range(20):
        with database.read() as connection:
            used.add(id(connection.connection.driver_connection))
            kibibytes = -connection.exec_driver_sql("PRAGMA cache_size").scalar_one()
    assert len(used) == 1
    assert kibibytes <= 8 * 1024
