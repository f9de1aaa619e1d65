"""OpenAI's dialect: the shape of its errors and what its chat completions look like.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from scriba.domain.record import Operation
from scriba.gateway.route import Route
from scriba.gateway.usage import Usage

if TYPE_CHECKING:
    from scriba.gateway.answer import Problem

__all__ = ["CHAT_COMPLETIONS", "encode_problem", "read_usage"]

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]


class _Counts(msgspec.Struct):
    prompt_tokens: _Count | None = None
    completion_tokens: _Count | None = None


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


def encode_problem(problem: Problem) -> bytes:
    """Encode an error as OpenAI does, with what Scriba knows besides in the same object."""
    error: dict[str, object] = {
        "message": problem.message,
        "type": problem.kind or ("invalid_request_error" if problem.status < 500 else "server_error"),
        "code": problem.code,
        "param": problem.param,
    }
    return msgspec.json.encode({"error": error | problem.facts()})


CHAT_COMPLETIONS: Final = Route(
    operation=Operation.CHAT,
    dialect="openai",
    path="/chat/completions",
    user_field="user",
    # OpenRouter, https://openrouter.ai/docs/features/model-routing, .../presets and .../guides/features/server-tools;
    # Vercel, https://vercel.com/docs/ai-gateway/models-and-providers/provider-options
    bypasses=frozenset({"models"}),
    router_fields=frozenset({"fallbacks", "plugins", "preset", "provider", "provideroptions", "route"}),
    router_tools=("openrouter:",),
    encode_problem=encode_problem,
    read_usage=read_usage,
)
