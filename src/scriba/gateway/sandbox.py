"""A provider inside Scriba, to try it without an account: it repeats what it was told and says what it is.

It stands where a provider stands, behind the same decision and the same entry, and speaks OpenAI's dialect.
A token is a word here.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from scriba.domain.ids import mint_id
from scriba.gateway.configured import SANDBOX_MODEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scriba.gateway.headers import RawHeaders
    from scriba.gateway.upstream import Call, Reply

__all__ = ["FINGERPRINT", "PREFACE", "Sandbox"]

FINGERPRINT: Final = "scriba-sandbox"
"""Stands as `system_fingerprint` in every answer."""

PREFACE: Final = "This is the sandbox of Scriba; no provider was asked. You said:"

_WORD: Final = re.compile(r"\s*\S+")
_Positive = Annotated[int, msgspec.Meta(ge=1)]


class _Part(msgspec.Struct):
    type: str
    text: str = ""


class _Message(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return " ".join(part.text for part in self.content if part.text)
        return self.content or ""


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Asked(msgspec.Struct):
    """What the sandbox reads of a request."""

    model: str
    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: _Positive | None = None
    max_completion_tokens: _Positive | None = None


_ASKED: Final = msgspec.json.Decoder(_Asked)


class Sandbox:
    """See `scriba.gateway.upstream.Upstream`."""

    async def call(self, call: Call) -> Reply:
        """Answer a chat completion at once."""
        try:
            asked = _ASKED.decode(call.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _refusal(400, f"The sandbox cannot read this: {error}", "invalid_value")
        if asked.model not in {SANDBOX_MODEL, SANDBOX_MODEL.partition("/")[2]}:
            return _refusal(404, f"The sandbox has one model, {SANDBOX_MODEL}.", "model_not_found")
        completion = _Completion(asked)
        if not asked.stream:
            return _Reply(200, b"application/json", [msgspec.json.encode(completion.whole())])
        return _Reply(200, b"text/event-stream; charset=utf-8", _events(completion.pieces()))


class _Completion:
    """One answer, as a whole or in pieces."""

    def __init__(self, asked: _Asked) -> None:
        last = next((message.text for message in reversed(asked.messages) if message.role == "user"), "")
        words: list[str] = _WORD.findall(f"{PREFACE} {last}")
        limit = asked.max_completion_tokens or asked.max_tokens or len(words)
        self._words = words[:limit]
        self._finish = "length" if len(words) > limit else "stop"
        self._with_usage = asked.stream_options is not None and bool(asked.stream_options.include_usage)
        read = sum(len(message.text.split()) for message in asked.messages)
        written = len(self._words)
        self._usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
        self._head = {
            "id": mint_id("chatcmpl"),
            "created": int(time.time()),
            "model": SANDBOX_MODEL,
            "system_fingerprint": FINGERPRINT,
        }

    def whole(self) -> dict[str, Any]:
        """Return the answer as one document."""
        message = {"role": "assistant", "content": "".join(self._words), "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self._finish}
        return {**self._head, "object": "chat.completion", "choices": [choice], "usage": self._usage}

    def pieces(self) -> Iterator[dict[str, Any]]:
        """Yield the answer word by word."""
        yield self._piece({"role": "assistant", "content": ""})
        for word in self._words:
            yield self._piece({"content": word})
        yield self._piece({}, self._finish)
        if self._with_usage:
            yield {**self._head, "object": "chat.completion.chunk", "choices": [], "usage": self._usage}

    def _piece(self, delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        piece = {**self._head, "object": "chat.completion.chunk", "choices": [choice]}
        return piece | {"usage": None} if self._with_usage else piece


class _Reply:
    """An answer that is ready."""

    def __init__(self, status: int, kind: bytes, chunks: Iterable[bytes]) -> None:
        self.status = status
        self.headers: RawHeaders = [(b"content-type", kind)]
        self._chunks = iter(chunks)

    async def next_chunk(self) -> bytes:
        return next(self._chunks, b"")

    def close(self) -> None:
        pass


def _events(pieces: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    for piece in pieces:
        yield b"data: %b\n\n" % msgspec.json.encode(piece)
    yield b"data: [DONE]\n\n"


def _refusal(status: int, message: str, code: str) -> _Reply:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return _Reply(status, b"application/json", [msgspec.json.encode({"error": error})])
