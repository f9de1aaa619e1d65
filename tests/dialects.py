"""What the operations of OpenAI and Anthropic look like: a small request, what is refused, and answers to it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["HALF", "OPERATIONS", "STREAMING", "USAGE", "WORDS", "Operation", "error", "half"]

WORDS: Final = ("One", " answer", " of", " the", " provider")
USAGE: Final = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
HALF: Final = "Half"

_CREATED: Final = 1_750_000_000
_SAID: Final = [{"role": "user", "content": "How are you?"}]


class Operation(NamedTuple):
    """One operation.

    :param dialect: `openai` or `anthropic`
    :param asked: a small request
    :param fault: says what is wrong with a request; empty if it is in order
    :param document: makes an answer; without `usage` none is counted
    :param events: makes the same as a stream
    :param piece: makes one event of it with this text
    :param counted: tokens that went in and came out of either, as the log has them
    """

    dialect: str
    asked: dict[str, Any]
    fault: Callable[[dict[str, Any]], str]
    document: Callable[[dict[str, Any], dict[str, int] | None], dict[str, Any]]
    events: Callable[[dict[str, Any], Sequence[str]], Iterator[bytes]] | None
    piece: Callable[[dict[str, Any], str], bytes]
    counted: tuple[int | None, int | None]


def error(path: str, message: str, code: str | None = None) -> dict[str, Any]:
    """Make an error in the shape that belongs to a path."""
    if "/messages" in path:
        return {"type": "error", "error": {"type": "invalid_request_error", "message": message}, "request_id": "req_1"}
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


def half(path: str, asked: dict[str, Any]) -> bytes:
    """Make one event of a stream that will not be whole."""
    return OPERATIONS[path].piece(asked, HALF)


def _unnamed(document: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(document)}\n\n".encode()


def _named(document: dict[str, Any]) -> bytes:
    return f"event: {document['type']}\n".encode() + _unnamed(document)


def _check(asked: dict[str, Any], **kinds: type | tuple[type, ...]) -> str:
    for name, kind in {"model": str, **kinds}.items():
        if not isinstance(asked.get(name), kind) or asked[name] in ("", []):
            return f"Missing or invalid parameter: '{name}'."
    return ""


# Chat completions


def _chat_head(asked: dict[str, Any]) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "created": _CREATED, "model": asked["model"]}


def _chat(asked: dict[str, Any], usage: dict[str, int] | None) -> dict[str, Any]:
    message = {"role": "assistant", "content": "".join(WORDS)}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return _chat_head(asked) | {"object": "chat.completion", "choices": choices, "usage": usage}


def _chat_piece(asked: dict[str, Any], text: str) -> bytes:
    choices = [{"index": 0, "delta": {"content": text}}]
    return _unnamed(_chat_head(asked) | {"object": "chat.completion.chunk", "choices": choices})


def _chat_events(asked: dict[str, Any], words: Sequence[str]) -> Iterator[bytes]:
    for word in words:
        yield _chat_piece(asked, word)
    if asked.get("stream_options", {}).get("include_usage"):
        yield _unnamed(_chat_head(asked) | {"object": "chat.completion.chunk", "choices": [], "usage": USAGE})
    yield b"data: [DONE]\n\n"


# Embeddings


def _embeddings(asked: dict[str, Any], usage: dict[str, int] | None) -> dict[str, Any]:
    vector: Any = "AACAPwAAAAA=" if asked.get("encoding_format") == "base64" else [1.0, 0.0]
    inputs = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, _ in enumerate(inputs)]
    counts = usage and {"prompt_tokens": usage["prompt_tokens"], "total_tokens": usage["prompt_tokens"]}
    return {"object": "list", "data": data, "model": asked["model"], "usage": counts}


def _embeddings_fault(asked: dict[str, Any]) -> str:
    return _check(asked, input=(str, list)) or ("Unknown parameter: 'stream'." if "stream" in asked else "")


# Responses


def _response(asked: dict[str, Any], usage: dict[str, int] | None) -> dict[str, Any]:
    counts: Any = usage and {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage["total_tokens"],
    }
    return _response_head(asked, "completed") | {"output": [_output("".join(WORDS))], "usage": counts}


def _response_head(asked: dict[str, Any], status: str) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": _CREATED,
        "status": status,
        "model": asked["model"],
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": None,
    }


def _output(text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}] if text else []
    return {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": content}


def _response_piece(_asked: dict[str, Any], text: str) -> bytes:
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "sequence_number": 4, "logprobs": []}
    return _named({"type": "response.output_text.delta", "delta": text, **place})


def _response_events(asked: dict[str, Any], words: Sequence[str]) -> Iterator[bytes]:
    head = _response_head(asked, "in_progress")
    yield _named({"type": "response.created", "response": head, "sequence_number": 0})
    added = {"output_index": 0, "item": _output("") | {"status": "in_progress"}}
    yield _named({"type": "response.output_item.added", **added, "sequence_number": 1})
    part = {"type": "output_text", "text": "", "annotations": []}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    yield _named({"type": "response.content_part.added", **place, "part": part, "sequence_number": 2})
    for word in words:
        yield _response_piece(asked, word)
    text = "".join(words)
    yield _named({"type": "response.output_text.done", **place, "text": text, "sequence_number": 5, "logprobs": []})
    done = {"output_index": 0, "item": _output(text)}
    yield _named({"type": "response.output_item.done", **done, "sequence_number": 6})
    whole = _response(asked, USAGE) | {"output": [_output(text)]}
    yield _named({"type": "response.completed", "response": whole, "sequence_number": 7})


# Messages: 11 tokens went in, 4 of them from the cache


def _message(asked: dict[str, Any], usage: dict[str, int] | None) -> dict[str, Any]:
    counts = usage and {
        "input_tokens": usage["prompt_tokens"] - 4,
        "cache_read_input_tokens": 4,
        "cache_creation_input_tokens": 0,
        "output_tokens": usage["completion_tokens"],
    }
    content = [{"type": "text", "text": "".join(WORDS)}]
    head = _message_head(asked)
    return head | {"content": content, "stop_reason": "end_turn", "usage": counts or head["usage"]}


def _message_head(asked: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": asked["model"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 7, "cache_read_input_tokens": 4, "output_tokens": 1},
    }


def _message_piece(_asked: dict[str, Any], text: str) -> bytes:
    return _named({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})


def _message_events(asked: dict[str, Any], words: Sequence[str]) -> Iterator[bytes]:
    yield _named({"type": "message_start", "message": _message_head(asked)})
    yield _named({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    yield _named({"type": "ping"})
    for word in words:
        yield _message_piece(asked, word)
    yield _named({"type": "content_block_stop", "index": 0})
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    yield _named({"type": "message_delta", "delta": delta, "usage": {"output_tokens": USAGE["completion_tokens"]}})
    yield _named({"type": "message_stop"})


def _count(_asked: dict[str, Any], _usage: dict[str, int] | None) -> dict[str, Any]:
    return {"input_tokens": USAGE["prompt_tokens"]}


def _count_fault(asked: dict[str, Any]) -> str:
    unknown = {"stream", "max_tokens"} & asked.keys()
    return _check(asked, messages=list) or (f"{unknown.pop()}: Extra inputs are not permitted" if unknown else "")


_GPT: Final = "gpt-4o"
_CLAUDE: Final = "claude-sonnet-4-20250514"
_COUNTED: Final = (USAGE["prompt_tokens"], USAGE["completion_tokens"])

OPERATIONS: Final[dict[str, Operation]] = {
    "/v1/chat/completions": Operation(
        dialect="openai",
        asked={"model": _GPT, "messages": _SAID},
        fault=lambda asked: _check(asked, messages=list),
        document=_chat,
        events=_chat_events,
        piece=_chat_piece,
        counted=_COUNTED,
    ),
    "/v1/embeddings": Operation(
        dialect="openai",
        asked={"model": "text-embedding-3-small", "input": ["How are you?"]},
        fault=_embeddings_fault,
        document=_embeddings,
        events=None,
        piece=_chat_piece,
        counted=(USAGE["prompt_tokens"], None),
    ),
    "/v1/responses": Operation(
        dialect="openai",
        asked={"model": _GPT, "input": "How are you?"},
        fault=lambda asked: _check(asked, input=(str, list)),
        document=_response,
        events=_response_events,
        piece=_response_piece,
        counted=_COUNTED,
    ),
    "/v1/messages": Operation(
        dialect="anthropic",
        asked={"model": _CLAUDE, "messages": _SAID, "max_tokens": 100},
        fault=lambda asked: _check(asked, messages=list, max_tokens=int),
        document=_message,
        events=_message_events,
        piece=_message_piece,
        counted=_COUNTED,
    ),
    "/v1/messages/count_tokens": Operation(
        dialect="anthropic",
        asked={"model": _CLAUDE, "messages": _SAID},
        fault=_count_fault,
        document=_count,
        events=None,
        piece=_message_piece,
        counted=(USAGE["prompt_tokens"], None),
    ),
}
"""Every operation by the path at which providers serve it."""

STREAMING: Final = tuple(path for path, operation in OPERATIONS.items() if operation.events)
