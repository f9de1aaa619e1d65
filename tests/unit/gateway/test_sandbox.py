"""The sandbox answers like a provider and never like a model."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from scriba.gateway.openai import CHAT_COMPLETIONS
from scriba.gateway.sandbox import FINGERPRINT, PREFACE, Sandbox
from scriba.gateway.upstream import Call


def _ask(**body: Any) -> tuple[int, bytes]:
    asked = {"model": "echo", "messages": [{"role": "user", "content": "Hi there"}], **body}
    return _send(json.dumps(asked).encode())


def _send(raw: bytes) -> tuple[int, bytes]:
    async def run() -> tuple[int, bytes]:
        call = Call(provider="sandbox", route=CHAT_COMPLETIONS, headers=[], body=raw)
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
