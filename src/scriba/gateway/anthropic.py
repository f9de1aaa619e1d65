"""Anthropic's dialect: the shape of its errors, its messages, and the counting of their tokens.

https://platform.claude.com/docs/en/api/messages, .../messages-count-tokens and .../errors
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec

from scriba.domain.record import Operation
from scriba.gateway.openai import MCP, OTHER_MODELS, Count
from scriba.gateway.route import Route
from scriba.gateway.tools import TOOL_NAMES, check_tool, check_tools
from scriba.gateway.usage import Usage

if TYPE_CHECKING:
    from scriba.gateway.answer import Problem
    from scriba.gateway.body import Body

__all__ = ["COUNT_TOKENS", "DEFAULT_VERSION", "MESSAGES", "check_body", "encode_event", "encode_problem", "read_usage"]

DEFAULT_VERSION: Final = "2023-06-01"
"""Sent as `anthropic-version` for callers that name none: the one that every provider of this dialect takes."""

_TOOLS: Final = {"mcp": MCP}
_CONTENT: Final = "messages.content"

_TYPES: Final[dict[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.NOT_FOUND: "not_found_error",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "request_too_large",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
    HTTPStatus.SERVICE_UNAVAILABLE: "overloaded_error",
    HTTPStatus.GATEWAY_TIMEOUT: "timeout_error",
}


class _Counts(msgspec.Struct):
    input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    output_tokens: Count | None = None

    def total(self) -> Usage:
        """Add up what went in: Anthropic counts apart what it read from or wrote to its cache."""
        cached = (self.cache_creation_input_tokens or 0) + (self.cache_read_input_tokens or 0)
        return Usage(None if self.input_tokens is None else self.input_tokens + cached, self.output_tokens)


class _Message(msgspec.Struct):
    usage: _Counts | None = None


class _Document(msgspec.Struct):
    usage: _Counts | None = None
    message: _Message | None = None
    input_tokens: Count | None = None


_DOCUMENT: Final = msgspec.json.Decoder(_Document)


def read_usage(document: bytes) -> Usage | None:
    """Read the counts of a message, of the first or last event of a streamed one, or of a count that was asked for."""
    try:
        read = _DOCUMENT.decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    counts = read.message.usage if read.message else read.usage
    if counts:
        return counts.total()
    return None if read.input_tokens is None else Usage(read.input_tokens)


def encode_problem(problem: Problem) -> bytes:
    """Encode an error as Anthropic does, with our code and what Scriba knows besides in the same object."""
    other = "invalid_request_error" if problem.status < HTTPStatus.INTERNAL_SERVER_ERROR else "api_error"
    error: dict[str, object] = {
        "type": _TYPES.get(problem.status, other),
        "message": problem.message,
        "code": problem.code,
        "param": problem.param,
    }
    answer = {"type": "error", "error": error | problem.facts(), "request_id": problem.request_id}
    return msgspec.json.encode(answer)


def encode_event(problem: Problem) -> bytes:
    """Encode an error within a stream."""
    return b"event: error\ndata: %b\n\n" % encode_problem(problem)


def check_body(body: Body) -> None:
    """Refuse tools that are other models, such as an advisor, and those of other servers; messages may bring tools too.

    :raises InvalidInput: naming the place
    """
    if "tools" in body:
        check_tools(body, _TOOLS)
    # Messages can be long and many. A name can be spelled as it is or with escapes, and in no other way.
    if b"definition" in body.raw.lower() or b"\\u00" in body.raw:
        _check_messages(body)


def _check_messages(body: Body) -> None:
    for message in body.objects("messages", ("content",), "messages"):
        if message.begins_with("content", b"["):
            for block in message.objects("content", ("tool", "tool_changes"), _CONTENT):
                _check_change(block)
                for change in block.objects("tool_changes", ("tool",), _CONTENT):
                    _check_change(change)


def _check_change(change: Body) -> None:
    """Look at a tool that a block of a message defines."""
    if not change.is_set("tool"):
        return
    tool = change.object("tool", ("definition",), _CONTENT)
    if tool.is_set("definition"):
        check_tool(tool.object("definition", TOOL_NAMES, _CONTENT), _TOOLS, _CONTENT)


MESSAGES: Final = Route(
    operation=Operation.MESSAGES,
    dialect="anthropic",
    path="/v1/messages",
    user_field="metadata.user_id",
    bypasses={
        "models": OTHER_MODELS,
        "fallbacks": OTHER_MODELS,
        "mcp_servers": MCP,
        "thread": "names what the provider keeps, whose settings the policy cannot see; send the messages themselves.",
    },
    check_body=check_body,
    encode_problem=encode_problem,
    encode_event=encode_event,
    read_usage=read_usage,
)

COUNT_TOKENS: Final = msgspec.structs.replace(MESSAGES, path="/v1/messages/count_tokens")
"""It shows the whole request to the provider, so it is decided and logged like a message."""
