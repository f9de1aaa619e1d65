"""Writing down changes: each is an event in an `admin` log, in the transaction of the change itself.

An event names the documents before and after by their hash; the documents are kept in a table, each once.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from sqlalchemy import select, text

from scriba.domain.ids import mint_id
from scriba.domain.record import Event, Hidden, TreeHead
from scriba.ledger.canonical import document_json
from scriba.ledger.seal import load_head
from scriba.storage.hot import pending
from scriba.storage.model import LogId, LogName
from scriba.storage.tables import logs

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from scriba.storage.hot import HotLogs
    from scriba.storage.model import Actor, Appended

__all__ = ["Journal", "keep_document"]

_KEEP: Final = text("INSERT INTO documents (sha256, kind, body) VALUES (:sha256, :kind, :body) ON CONFLICT DO NOTHING")

Document = dict[str, object]


def keep_document(connection: Connection, kind: str, body: bytes) -> str:
    """Store a document under its SHA-256, unless it is there already; returns the hash in hex."""
    sha256 = hashlib.sha256(body).hexdigest()
    connection.execute(_KEEP, {"sha256": sha256, "kind": kind, "body": body})
    return sha256


class Journal:
    """Appends events to the `admin` logs."""

    def __init__(self, hot: HotLogs) -> None:
        self._hot = hot

    def write(
        self,
        connection: Connection,
        action: str,
        target: str,
        *,
        actor: Actor,
        org_id: str = "",
        before: Document | None = None,
        after: Document | None = None,
        facts: Document | None = None,
    ) -> Appended:
        """Record a change; durable together with it.

        :param org_id: whose `admin` log; empty for the deployment's own
        :param before: what was, None if it is new
        :param after: what is, None if it is gone
        :param facts: numbers, names and hashes that the event itself has to say
        """
        kind = action.partition(".")[0]
        detail: Document = dict(facts or {})
        for name, document in (("beforeSha256", before), ("afterSha256", after)):
            if document is not None:
                detail[name] = keep_document(connection, kind, document_json(document))
        changed = _changed(before, after)
        if changed:
            detail["changed"] = changed
        event = Event(
            id=mint_id("audit"),
            action=action,
            target=target,
            detail=detail,
            head=self._requests_head(connection, org_id),
            hidden=Hidden(actor=actor.name, ip_address=actor.ip_address, user_agent=actor.user_agent),
        )
        appended = self._hot.append(connection, [pending(LogId(org_id, LogName.ADMIN), event)])[0]
        if appended is None:
            raise AssertionError("an event depends on no revision")
        return appended

    def _requests_head(self, connection: Connection, org_id: str) -> TreeHead | None:
        """Where the `requests` log stands now; the deployment has none."""
        row = connection.execute(
            select(logs.c.size, logs.c.last_time, logs.c.frontier).where(
                logs.c.org_id == org_id,
                logs.c.log == LogName.REQUESTS.value,
                logs.c.frozen.is_(False),
            ),
        ).one_or_none()
        if row is None:
            return None
        head = load_head(row.size, row.last_time, bytes(row.frontier))
        return TreeHead(head.size, head.root())


def _changed(before: Document | None, after: Document | None) -> list[str]:
    if before is None or after is None:
        return []
    return [name for name in sorted(before | after) if before.get(name) != after.get(name)]
