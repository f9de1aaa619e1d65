"""Answers of the sandbox: ready documents, and events that are written as they are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scriba.gateway.headers import RawHeaders

__all__ = ["ReadyReply", "named_events"]


class ReadyReply:
    """See `scriba.gateway.upstream.Reply`."""

    def __init__(self, status: int, kind: bytes, chunks: Iterable[bytes]) -> None:
        self.status = status
        self.headers: RawHeaders = [(b"content-type", kind)]
        self._chunks = iter(chunks)

    @classmethod
    def document(cls, body: bytes, status: int = 200) -> ReadyReply:
        """Answer with one JSON document."""
        return cls(status, b"application/json", [body])

    @classmethod
    def stream(cls, events: Iterable[bytes]) -> ReadyReply:
        """Answer with server-sent events."""
        return cls(200, b"text/event-stream; charset=utf-8", events)

    async def next_chunk(self) -> bytes:
        """Return the next piece; empty at the end."""
        return next(self._chunks, b"")

    def close(self) -> None:
        """Do nothing: there is no connection."""


def named_events(events: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """Write events that have their name as `type`."""
    for event in events:
        yield b"event: %b\ndata: %b\n\n" % (event["type"].encode(), msgspec.json.encode(event))
