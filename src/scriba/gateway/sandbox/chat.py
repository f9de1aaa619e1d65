"""Chat completions of the sandbox."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from scriba.domain.ids import mint_id
from scriba.gateway.configured import SANDBOX_MODEL
from scriba.gateway.sandbox.echo import FINGERPRINT, Content, Echo, Positive, text_of
from scriba.gateway.sandbox.reply import ReadyReply

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scriba.gateway.upstream import Reply

__all__ = ["answer"]


class _Message(msgspec.Struct):
    role: str
    content: Content = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Asked(msgspec.Struct):
    """What the sandbox reads of a request."""

    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: Positive | None = None
    max_completion_tokens: Positive | None = None


_ASKED: Final = msgspec.json.Decoder(_Asked)


def answer(body: bytes) -> Reply:
    """Answer a request for a chat completion.

    :raises msgspec.DecodeError: it is none
    """
    asked = _ASKED.decode(body)
    completion = _Completion(asked)
    if asked.stream:
        return ReadyReply.stream(_events(completion.pieces()))
    return ReadyReply.document(msgspec.json.encode(completion.whole()))


class _Completion:
    """One answer, as a whole or in pieces."""

    def __init__(self, asked: _Asked) -> None:
        said = [text_of(message.content) for message in asked.messages]
        last = next((text_of(one.content) for one in reversed(asked.messages) if one.role == "user"), "")
        self._echo = Echo(said, last, asked.max_completion_tokens or asked.max_tokens)
        self._finish = "length" if self._echo.is_cut else "stop"
        self._with_usage = asked.stream_options is not None and bool(asked.stream_options.include_usage)
        read, written = self._echo.read, self._echo.written
        self._usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
        self._head = {
            "id": mint_id("chatcmpl"),
            "created": int(time.time()),
            "model": SANDBOX_MODEL,
            "system_fingerprint": FINGERPRINT,
        }

    def whole(self) -> dict[str, Any]:
        """Return the answer as one document."""
        message = {"role": "assistant", "content": self._echo.text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self._finish}
        return {**self._head, "object": "chat.completion", "choices": [choice], "usage": self._usage}

    def pieces(self) -> Iterator[dict[str, Any]]:
        """Yield the answer word by word."""
        yield self._piece({"role": "assistant", "content": ""})
        for word in self._echo.words:
            yield self._piece({"content": word})
        yield self._piece({}, self._finish)
        if self._with_usage:
            yield {**self._head, "object": "chat.completion.chunk", "choices": [], "usage": self._usage}

    def _piece(self, delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        piece = {**self._head, "object": "chat.completion.chunk", "choices": [choice]}
        return piece | {"usage": None} if self._with_usage else piece


def _events(pieces: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    for piece in pieces:
        yield b"data: %b\n\n" % msgspec.json.encode(piece)
    yield b"data: [DONE]\n\n"
