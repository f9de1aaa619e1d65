"""Being told that the logs have grown."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from scriba.audit.watch import LogWatch

if TYPE_CHECKING:
    from tests.stores import OpenStore


def test_who_joins_looks_once_more(sqlite_store: OpenStore) -> None:
    """Promise: an entry that is logged just before somebody joins is told at once, although the others know it."""

    async def scenario() -> bool:
        watch = LogWatch(sqlite_store.store.database)
        listener = watch.join(sqlite_store.organisation.id)
        watch.leave(listener)
        return listener.grown.is_set()

    assert asyncio.run(scenario())
