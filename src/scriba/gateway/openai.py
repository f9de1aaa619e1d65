"""OpenAI's dialect: the shape of its errors, its chat completions and its embeddings.

https://platform.openai.com/docs/api-reference/chat and .../embeddings
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from scriba.domain.record import Operation
from scriba.gateway.route import Route
from scriba.gateway.usage import Usage

if TYPE_CHECKING:
    from scriba.gateway.answer import Problem

__all__ = [
    "CHAT_COMPLETIONS",
    "EMBEDDINGS",
    "MCP",
    "MODERATION",
    "OTHER_MODELS",
    "Count",
    "encode_event",
    "encode_problem",
    "error_of",
    "read_usage",
]

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
"""A number of tokens that a record can hold."""

OTHER_MODELS: Final = "would let the provider choose another model; send `model` alone."
MCP: Final = (
    "would send parts of the conversation to a server that the policy does not judge; call it yourself, and offer its "
    "functions as your own."
)
MODERATION: Final = "would send the request to a second model, which the policy does not judge."


class _Counts(msgspec.Struct):
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None


class _Document(msgspec.Struct):
    usage: _Counts | None = None


_DOCUMENT: Final = msgspec.json.Decoder(_Document)


def read_usage(document: bytes) -> Usage | None:
    """Read the `usage` of an answer or of one event of a stream; every event but the last has null there."""
    try:
        counts = _DOCUMENT.decode(document).usage
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return Usage(counts.prompt_tokens, counts.completion_tokens) if counts else None


def error_of(problem: Problem) -> dict[str, object]:
    """Return an error as OpenAI describes it, with what Scriba knows besides."""
    error: dict[str, object] = {
        "message": problem.message,
        "type": problem.kind or ("invalid_request_error" if problem.status < 500 else "server_error"),
        "code": problem.code,
        "param": problem.param,
    }
    return error | problem.facts()


def encode_problem(problem: Problem) -> bytes:
    """Encode an error as OpenAI does."""
    return msgspec.json.encode({"error": error_of(problem)})


def encode_event(problem: Problem) -> bytes:
    """Encode an error within a stream of chunks, which have no names."""
    return b"data: %b\n\n" % encode_problem(problem)


CHAT_COMPLETIONS: Final = Route(
    operation=Operation.CHAT,
    dialect="openai",
    path="/chat/completions",
    user_field="user",
    bypasses={"models": OTHER_MODELS, "moderation": MODERATION},
    encode_problem=encode_problem,
    encode_event=encode_event,
    read_usage=read_usage,
)

EMBEDDINGS: Final = Route(
    operation=Operation.EMBEDDINGS,
    dialect="openai",
    path="/embeddings",
    user_field="user",
    bypasses={"models": OTHER_MODELS},
    encode_problem=encode_problem,
    encode_event=encode_event,
    read_usage=read_usage,
)
