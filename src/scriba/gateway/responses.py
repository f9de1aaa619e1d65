"""OpenAI's Responses: what an answer looks like, and what in a request would go past the policy.

https://platform.openai.com/docs/api-reference/responses
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from scriba.domain.record import Operation
from scriba.gateway.openai import MCP, MODERATION, OTHER_MODELS, Count, encode_problem, error_of
from scriba.gateway.route import Route
from scriba.gateway.tools import check_tools
from scriba.gateway.usage import Usage

if TYPE_CHECKING:
    from scriba.gateway.answer import Problem
    from scriba.gateway.body import Body

__all__ = ["RESPONSES", "check_body", "encode_event", "read_usage"]

_TOOLS: Final = {
    "image_generation": "is another model, chosen by the provider; ask that one in a request of its own.",
    "mcp": MCP,
}
"""Tools that are more than the model and the provider that were judged."""


class _Counts(msgspec.Struct):
    input_tokens: Count | None = None
    output_tokens: Count | None = None


class _Response(msgspec.Struct):
    usage: _Counts | None = None


class _Document(msgspec.Struct):
    usage: _Counts | None = None
    response: _Response | None = None


_DOCUMENT: Final = msgspec.json.Decoder(_Document)


def read_usage(document: bytes) -> Usage | None:
    """Read the `usage` of a response, or of the event that ends a streamed one; the others have null there."""
    try:
        read = _DOCUMENT.decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    counts = read.response.usage if read.response else read.usage
    return Usage(counts.input_tokens, counts.output_tokens) if counts else None


def encode_event(problem: Problem) -> bytes:
    """Encode an error within a stream: as the event that OpenAI has for it, and as its clients raise it."""
    event = {
        "type": "error",
        "code": problem.code,
        "message": problem.message,
        "param": problem.param,
        "sequence_number": 0,
        "error": error_of(problem),
    }
    return b"event: error\ndata: %b\n\n" % msgspec.json.encode(event)


def check_body(body: Body) -> None:
    """Refuse tools of other models and servers; items of the input may bring tools too.

    :raises InvalidInput: naming the place
    """
    if "tools" in body:
        check_tools(body, _TOOLS)
    if body.begins_with("input", b"["):
        for item in body.objects("input", ("tools",), "input"):
            if item.is_set("tools"):
                check_tools(item, _TOOLS, "input.tools")


RESPONSES: Final = Route(
    operation=Operation.RESPONSES,
    dialect="openai",
    path="/responses",
    user_field="user",
    bypasses={
        "models": OTHER_MODELS,
        "moderation": MODERATION,
        "prompt": "names a stored prompt, whose model and tools the policy cannot see; send its text instead.",
        "background": "leaves the answer to be fetched later, which this gateway does not serve; leave it out.",
    },
    check_body=check_body,
    encode_problem=encode_problem,
    encode_event=encode_event,
    read_usage=read_usage,
)
