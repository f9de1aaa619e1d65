"""The sandbox answers like a provider and never like a model."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from scriba.gateway.anthropic import COUNT_TOKENS, MESSAGES
from scriba.gateway.openai import CHAT_COMPLETIONS, EMBEDDINGS
from scriba.gateway.responses import RESPONSES
from scriba.gateway.sandbox import FINGERPRINT, PREFACE, Sandbox
from scriba.gateway.upstream import Call

if TYPE_CHECKING:
    from scriba.gateway.route import Route


def _ask(**body: Any) -> tuple[int, bytes]:
    asked = {"model": "echo", "messages": [{"role": "user", "content": "Hi there"}], **body}
    return _send(json.dumps(asked).encode())


def _send(raw: bytes, route: Route = CHAT_COMPLETIONS) -> tuple[int, bytes]:
    async def run() -> tuple[int, bytes]:
        call = Call(provider="sandbox", route=route, headers=[], body=raw)
        reply = await Sandbox().call(call)
        chunks = []
        while chunk := await reply.next_chunk():
            chunks.append(chunk)
        reply.close()
        return reply.status, b"".join(chunks)

    return asyncio.run(run())


def _text(**body: Any) -> str:
    status, raw = _ask(**body)
    assert status == 200
    document = json.loads(raw)
    assert document["system_fingerprint"] == FINGERPRINT
    content: str = document["choices"][0]["message"]["content"]
    return content


def test_it_repeats_the_last_thing_that_the_user_said() -> None:
    """Text, parts of text, and earlier turns: the last words of the user count."""
    assert _text() == f"{PREFACE} Hi there"
    parts = [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": "data:"}}]
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "First"},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "So?"},
    ]
    assert _text(messages=turns) == f"{PREFACE} Look"
    assert _text(messages=[{"role": "system", "content": "Alone"}]) == f"{PREFACE} ".rstrip()


def test_it_counts_words() -> None:
    """Usage says what went in and out, and adds up."""
    usage = json.loads(_ask()[1])["usage"]
    written = len(f"{PREFACE} Hi there".split())
    assert usage == {"prompt_tokens": 2, "completion_tokens": written, "total_tokens": 2 + written}


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_it_keeps_to_the_limit(name: str) -> None:
    """A limit cuts the answer and says so."""
    document = json.loads(_ask(**{name: 3})[1])
    assert document["choices"][0]["message"]["content"] == "This is the"
    assert document["choices"][0]["finish_reason"] == "length"
    assert document["usage"]["completion_tokens"] == 3


def test_a_stream_says_the_same() -> None:
    """Word by word, and with usage only if that was asked for."""
    events = _ask(stream=True)[1].decode().split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    pieces = [json.loads(event.removeprefix("data: ")) for event in events[:-2]]
    assert "".join(piece["choices"][0]["delta"].get("content", "") for piece in pieces) == f"{PREFACE} Hi there"
    assert {piece["system_fingerprint"] for piece in pieces} == {FINGERPRINT}
    assert pieces[-1]["choices"][0]["finish_reason"] == "stop"
    assert not any("usage" in piece for piece in pieces)
    with_usage = _ask(stream=True, stream_options={"include_usage": True})[1].decode().split("\n\n")
    assert json.loads(with_usage[-3].removeprefix("data: "))["usage"]["prompt_tokens"] == 2
    assert json.loads(with_usage[0].removeprefix("data: "))["usage"] is None


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"messages": []}, 400, "cannot read"),
        ({"messages": "Hi"}, 400, "cannot read"),
        ({"messages": [{"content": "Hi"}]}, 400, "cannot read"),
        ({"max_tokens": 0}, 400, "cannot read"),
        ({"model": "gpt-4o"}, 404, "one model, sandbox/echo"),
    ],
)
def test_it_refuses_like_a_provider(body: dict[str, Any], status: int, words: str) -> None:
    """What no chat completion is gets an error in OpenAI's shape."""
    got, raw = _ask(**body)
    assert got == status
    assert words in json.loads(raw)["error"]["message"]


def test_it_reads_only_utf8() -> None:
    """Words that are no text are refused; nothing fails."""
    status, _ = _send(b'{"model": "echo", "messages": [{"role": "user", "content": "\xff"}]}')
    assert status == 400


@pytest.mark.parametrize(
    ("route", "body", "words"),
    [
        (EMBEDDINGS, {}, "cannot read"),
        (EMBEDDINGS, {"input": []}, "cannot read"),
        (EMBEDDINGS, {"input": "x", "dimensions": 257}, "cannot read"),
        (RESPONSES, {}, "cannot read"),
        (RESPONSES, {"input": "x", "previous_response_id": "resp_1"}, "keeps no responses"),
        (MESSAGES, {"messages": [{"role": "user", "content": "x"}]}, "cannot read"),  # without max_tokens
        (MESSAGES, {"max_tokens": 1, "messages": [{"role": "system", "content": "x"}]}, "cannot read"),
        (COUNT_TOKENS, {"messages": []}, "cannot read"),
    ],
)
def test_each_operation_refuses_in_its_own_shape(route: Route, body: dict[str, Any], words: str) -> None:
    """What the operation needs is asked for, as a provider would."""
    status, raw = _send(json.dumps({"model": "echo", **body}).encode(), route)
    document = json.loads(raw)
    assert status == 400
    assert words in document["error"]["message"]
    assert document.get("type") == ("error" if route.dialect == "anthropic" else None)


@pytest.mark.parametrize("given", ["one", ["one"], [1, 2], [[1, 2], [3]], ["one", [3]]])
def test_embeddings_depend_on_the_input_alone(given: Any) -> None:
    """Text or tokens, one or several: the same vectors each time, and of another input others."""
    first, again, other = (
        json.loads(_send(json.dumps({"model": "echo", "input": one}).encode(), EMBEDDINGS)[1])
        for one in (given, given, "other")
    )
    assert first["data"] == again["data"]
    assert first["data"][0]["embedding"] != other["data"][0]["embedding"]
    assert first["usage"]["prompt_tokens"] > 0
    assert first["system_fingerprint"] == FINGERPRINT
