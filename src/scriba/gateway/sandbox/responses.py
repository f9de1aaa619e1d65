"""Responses of the sandbox. It keeps none, so each request has to bring the whole conversation."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from scriba.domain.ids import mint_id
from scriba.gateway.configured import SANDBOX_MODEL
from scriba.gateway.sandbox.echo import FINGERPRINT, Content, Echo, Positive, Refusal, text_of
from scriba.gateway.sandbox.reply import ReadyReply, named_events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scriba.gateway.upstream import Reply

__all__ = ["answer"]


class _Item(msgspec.Struct):
    """One item of the input: something said, or something else, which says nothing here."""

    role: str = ""
    content: Content = None


class _Asked(msgspec.Struct):
    """What the sandbox reads of a request."""

    input: str | Annotated[list[_Item], msgspec.Meta(min_length=1)]
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: Positive | None = None
    previous_response_id: str | None = None
    conversation: str | dict[str, Any] | None = None


_ASKED: Final = msgspec.json.Decoder(_Asked)


def answer(body: bytes) -> Reply:
    """Answer a request for a response.

    :raises msgspec.DecodeError: it is none
    :raises Refusal: it builds on an earlier one
    """
    asked = _ASKED.decode(body)
    if asked.previous_response_id or asked.conversation:
        raise Refusal("it keeps no responses, so there is none to build on")
    response = _Response(asked)
    if asked.stream:
        return ReadyReply.stream(named_events(response.events()))
    return ReadyReply.document(msgspec.json.encode(response.whole()))


class _Response:
    """One answer, as a whole or as events."""

    def __init__(self, asked: _Asked) -> None:
        said, last = _said(asked)
        self._echo = Echo(said, last, asked.max_output_tokens)
        self._asked = asked
        self._id = mint_id("resp")
        self._item = mint_id("msg")
        self._created = int(time.time())

    def whole(self) -> dict[str, Any]:
        """Return the answer as one document."""
        read, written = self._echo.read, self._echo.written
        usage = {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": written,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": read + written,
        }
        details = {"reason": "max_output_tokens"} if self._echo.is_cut else None
        ended = {"incomplete_details": details, "output": [self._message(self._state)], "usage": usage}
        return self._document(self._state) | ended

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield the answer word by word, each event with its number."""
        for number, event in enumerate(self._unnumbered()):
            yield {**event, "sequence_number": number}

    @property
    def _state(self) -> str:
        return "incomplete" if self._echo.is_cut else "completed"

    def _unnumbered(self) -> Iterator[dict[str, Any]]:
        begun = self._document("in_progress")
        yield {"type": "response.created", "response": begun}
        yield {"type": "response.in_progress", "response": begun}
        empty = self._message("in_progress") | {"content": []}
        yield {"type": "response.output_item.added", "output_index": 0, "item": empty}
        place = {"item_id": self._item, "output_index": 0, "content_index": 0}
        yield {"type": "response.content_part.added", **place, "part": _part("")}
        for word in self._echo.words:
            yield {"type": "response.output_text.delta", **place, "delta": word, "logprobs": []}
        text = self._echo.text
        yield {"type": "response.output_text.done", **place, "text": text, "logprobs": []}
        yield {"type": "response.content_part.done", **place, "part": _part(text)}
        yield {"type": "response.output_item.done", "output_index": 0, "item": self._message(self._state)}
        yield {"type": f"response.{self._state}", "response": self.whole()}

    def _message(self, state: str) -> dict[str, Any]:
        content = [_part(self._echo.text)]
        return {"id": self._item, "type": "message", "status": state, "role": "assistant", "content": content}

    def _document(self, state: str) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": state,
            "error": None,
            "incomplete_details": None,
            "instructions": self._asked.instructions,
            "max_output_tokens": self._asked.max_output_tokens,
            "metadata": {},
            "model": SANDBOX_MODEL,
            "output": [],
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "store": False,
            "temperature": 1.0,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": None,
            "system_fingerprint": FINGERPRINT,
        }


def _said(asked: _Asked) -> tuple[list[str], str]:
    """Return everything that was said, and the last words of the user."""
    instructions = asked.instructions or ""
    if isinstance(asked.input, str):
        return [instructions, asked.input], asked.input
    last = next((text_of(item.content) for item in reversed(asked.input) if item.role == "user"), "")
    return [instructions, *(text_of(item.content) for item in asked.input)], last


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
