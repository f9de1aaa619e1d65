"""Appending decisions to the logs of a store, as the gateway does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from tests.stores import OpenStore, a_decision

from scriba.storage.appender import Appender

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from scriba.storage.model import Appended, LogId


T = TypeVar("T")


def appending(store: OpenStore, work: Callable[[Appender], Awaitable[T]]) -> T:
    """Run something with an appender on an event loop, and close it in the end."""

    async def run() -> T:
        appender = Appender(store.store.database, store.store.hot)
        appender.start()
        try:
            return await work(appender)
        finally:
            await appender.close()

    return asyncio.run(run())


def append_many(store: OpenStore, count: int, log: LogId | None = None) -> list[Appended]:
    """Append decisions, all at once."""
    where = log or store.requests

    async def work(appender: Appender) -> list[Appended]:
        return await asyncio.gather(
            *(appender.append(where, a_decision(where.org_id, request_id=f"r-{n}")) for n in range(count)),
        )

    return appending(store, work)
