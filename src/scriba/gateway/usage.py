"""Token counts, read from an answer while it passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NO_USAGE", "ReadUsage", "Usage", "UsageReader", "usage_reader"]

MAX_DOCUMENT: Final = 8 * 1024 * 1024
"""Bytes of a JSON answer that are kept to read the counts at its end; a longer one has unknown counts."""

MAX_LINE: Final = 8 * 1024 * 1024
"""Bytes of one line of a stream. The event that ends a response of OpenAI's holds the counts beside all of its text."""

_MARK: Final = b'"usage"'
"""Within a JSON text the quotes would be escaped, so what a model says cannot look like this."""


class Usage(msgspec.Struct, frozen=True):
    """Tokens as the provider counted them; None where it did not say."""

    input_tokens: int | None = None
    output_tokens: int | None = None

    def followed_by(self, later: Usage) -> Usage:
        """Return what is known once a later event of the same stream has been read."""
        if later.input_tokens is None:
            return Usage(self.input_tokens, later.output_tokens)
        return later if later.output_tokens is not None else Usage(later.input_tokens, self.output_tokens)


NO_USAGE: Final = Usage()

ReadUsage: TypeAlias = "Callable[[bytes], Usage | None]"
"""Reads the counts of one JSON document, which may be any bytes; None if there are none in it."""


class UsageReader(Protocol):
    """Looks at the chunks of an answer's body, in order."""

    def feed(self, chunk: bytes) -> None:
        """Look at the next chunk."""

    def usage(self) -> Usage:
        """Return what has been found so far."""


def usage_reader(content_type: bytes, content_encoding: bytes, read: ReadUsage) -> UsageReader:
    """Return the reader that fits an answer with these headers."""
    if content_encoding.lower() not in {b"", b"identity"}:
        return _Unreadable()
    if content_type.lower().startswith(b"text/event-stream"):
        return _Events(read)
    return _Document(read)


class _Unreadable:
    def feed(self, chunk: bytes) -> None:
        pass

    def usage(self) -> Usage:
        return NO_USAGE


class _Document:
    """One JSON document."""

    def __init__(self, read: ReadUsage) -> None:
        self._read = read
        self._chunks: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > MAX_DOCUMENT:
            self._chunks.clear()
        else:
            self._chunks.append(chunk)

    def usage(self) -> Usage:
        return self._read(b"".join(self._chunks)) or NO_USAGE


class _Events:
    """A stream of server-sent events. Only lines that hold the mark are parsed; of each count the last one is right."""

    def __init__(self, read: ReadUsage) -> None:
        self._read = read
        self._rest: list[bytes] = []  # of a line whose end has not come
        self._size = 0
        self._usage = NO_USAGE

    def feed(self, chunk: bytes) -> None:
        end = chunk.rfind(b"\n") + 1
        if not end:
            self._keep(chunk)
            return
        text = chunk[:end]  # the same bytes if it ends there
        if self._rest:
            text = b"".join((*self._rest, text))
            self._rest.clear()
        self._size = 0
        if end < len(chunk):
            self._keep(chunk[end:])
        if _MARK in text:
            self._read_lines(text)

    def usage(self) -> Usage:
        self._read_lines(b"".join(self._rest))
        return self._usage

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > MAX_LINE:
            self._rest.clear()
        else:
            self._rest.append(part)

    def _read_lines(self, text: bytes) -> None:
        for line in text.splitlines():
            if line.startswith(b"data:") and _MARK in line and (later := self._read(line[5:])):
                self._usage = self._usage.followed_by(later)
