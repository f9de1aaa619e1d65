"""What leaves the house is written down: who took which entries with them, before they have the first byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from scriba.storage.events import Journal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scriba.storage.model import Actor
    from scriba.storage.store import Store

__all__ = ["record_export"]

_PERSONAL: Final = frozenset({"apiKeyId", "ipAddress", "user", "tag"})
"""Filters whose values stand hidden in a record, so that they can be erased. An event could not forget them."""

_MOST_BYTES: Final = 8192


def record_export(
    store: Store, org_id: str, *, actor: Actor, filters: Mapping[str, Sequence[str]], kind: str, count: int
) -> None:
    """Write the event of an export into the `admin` log; durable when this returns.

    :param filters: as they were given, by their names
    :param count: how many entries the file is going to have
    :raises StoreUnreachable: it cannot be written, so nothing may be given away
    """
    facts: dict[str, object] = {"count": count, "format": kind, **({"filters": _told(filters)} if filters else {})}
    with store.database.write() as connection:
        Journal(store.hot).write(connection, "export.made", "audit-logs", actor=actor, org_id=org_id, facts=facts)


def _told(filters: Mapping[str, Sequence[str]]) -> dict[str, object]:
    """Return the values of filters, or how many there are where they are personal or would take too much room."""
    counts: dict[str, object] = {name: len(",".join(texts).split(",")) for name, texts in filters.items()}
    told = {name: counts[name] if name in _PERSONAL else list(texts) for name, texts in filters.items()}
    return told if len(msgspec.json.encode(told)) <= _MOST_BYTES else counts
