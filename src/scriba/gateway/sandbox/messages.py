"""Messages of the sandbox, and the counting of their tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec

from scriba.domain.ids import mint_id
from scriba.gateway.configured import SANDBOX_MODEL
from scriba.gateway.sandbox.echo import FINGERPRINT, Content, Echo, Positive, text_of
from scriba.gateway.sandbox.reply import ReadyReply, named_events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scriba.gateway.upstream import Reply

__all__ = ["answer", "count"]


class _Message(msgspec.Struct):
    role: Literal["user", "assistant"]
    content: Content


class _Counted(msgspec.Struct):
    """What both operations read."""

    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)]
    system: Content = None

    def said(self) -> list[str]:
        return [text_of(self.system), *(text_of(message.content) for message in self.messages)]


class _Asked(_Counted, kw_only=True):
    max_tokens: Positive
    stream: bool | None = None


_COUNTED: Final = msgspec.json.Decoder(_Counted)
_ASKED: Final = msgspec.json.Decoder(_Asked)


def answer(body: bytes) -> Reply:
    """Answer a request for a message.

    :raises msgspec.DecodeError: it is none
    """
    asked = _ASKED.decode(body)
    last = next((text_of(message.content) for message in reversed(asked.messages) if message.role == "user"), "")
    echo = Echo(asked.said(), last, asked.max_tokens)
    if asked.stream:
        return ReadyReply.stream(named_events(_events(echo)))
    content = [{"type": "text", "text": echo.text}]
    ended = {"content": content, "stop_reason": _stop_reason(echo)}
    return ReadyReply.document(msgspec.json.encode(_message(echo, echo.written) | ended))


def count(body: bytes) -> Reply:
    """Answer a request to count tokens.

    :raises msgspec.DecodeError: it is none
    """
    tokens = Echo(_COUNTED.decode(body).said(), "", None).read
    return ReadyReply.document(msgspec.json.encode({"input_tokens": tokens, "system_fingerprint": FINGERPRINT}))


def _message(echo: Echo, written: int) -> dict[str, Any]:
    return {
        "id": mint_id("msg"),
        "type": "message",
        "role": "assistant",
        "model": SANDBOX_MODEL,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": echo.read, "output_tokens": written},
        "system_fingerprint": FINGERPRINT,
    }


def _stop_reason(echo: Echo) -> str:
    return "max_tokens" if echo.is_cut else "end_turn"


def _events(echo: Echo) -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": _message(echo, 0)}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for word in echo.words:
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
    yield {"type": "content_block_stop", "index": 0}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": _stop_reason(echo), "stop_sequence": None},
        "usage": {"output_tokens": echo.written},
    }
    yield {"type": "message_stop"}
