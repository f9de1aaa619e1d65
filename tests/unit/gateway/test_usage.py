"""Token counts are found in any answer, however it is cut into chunks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriba.gateway import anthropic, responses
from scriba.gateway.openai import read_usage
from scriba.gateway.usage import MAX_LINE, NO_USAGE, Usage, usage_reader

if TYPE_CHECKING:
    from scriba.gateway.usage import ReadUsage

EVENTS = b"text/event-stream; charset=utf-8"
JSON = b"application/json"
COUNTS = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def _read(kind: bytes, text: bytes, cuts: list[int], encoding: bytes = b"", read: ReadUsage = read_usage) -> Usage:
    reader = usage_reader(kind, encoding, read)
    places = sorted({min(cut, len(text)) for cut in cuts})
    for start, end in zip([0, *places], [*places, len(text)], strict=True):
        reader.feed(text[start:end])
    return reader.usage()


def _stream(ending: str = "\n", last: str = "\n\n") -> bytes:
    deltas = [{"choices": [{"delta": {"content": f'a "usage": {number} b'}}], "usage": None} for number in range(3)]
    events = [*(json.dumps(delta) for delta in deltas), json.dumps({"choices": [], "usage": COUNTS}), "[DONE]"]
    return (f"{ending}{ending}".join(f"data: {event}" for event in events) + last).encode()


@given(st.lists(st.integers(0, 700)), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "\n", "\n\n"]))
def test_a_stream_may_be_cut_anywhere(cuts: list[int], ending: str, last: str) -> None:
    """The last event with counts is found, wherever chunks and lines end, and words about usage are not."""
    assert _read(EVENTS, _stream(ending, last), cuts) == Usage(11, 7)


@given(st.lists(st.integers(0, 200)))
def test_a_document_may_be_cut_anywhere(cuts: list[int]) -> None:
    """A JSON answer is read as a whole."""
    text = json.dumps({"choices": [{"message": {"content": '"usage": {}'}}], "usage": COUNTS}).encode()
    assert _read(JSON, text, cuts) == Usage(11, 7)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b'{"usage": null}',
        b'{"usage": 3}',
        b'{"usage": {"prompt_tokens": -1}}',
        b"<html>",
        b"\xff",
        b'["usage"]',
    ],
)
def test_an_answer_without_counts_has_none(text: bytes) -> None:
    """Whatever a provider sends, nothing is guessed and nothing fails."""
    assert _read(JSON, text, []) == NO_USAGE
    assert _read(EVENTS, b"data: " + text + b"\n\n", []) == NO_USAGE


def test_counts_stay_when_events_without_follow() -> None:
    """Some providers count before the last event."""
    text = (
        b'data: {"usage": {"prompt_tokens": 11, "completion_tokens": 7}}\n\ndata: {"usage": null}\n\ndata: [DONE]\n\n'
    )
    assert _read(EVENTS, text, []) == Usage(11, 7)
    assert _read(EVENTS, text, [70]) == Usage(11, 7)


def test_half_of_the_counts_is_half() -> None:
    """A count that the provider did not give stays unknown."""
    assert _read(JSON, b'{"usage": {"prompt_tokens": 5}}', []) == Usage(5, None)


def test_compressed_answers_are_not_guessed_at() -> None:
    """What cannot be read passes unread."""
    assert _read(JSON, json.dumps({"usage": COUNTS}).encode(), [], encoding=b"gzip") == NO_USAGE


STREAMS: dict[str, tuple[ReadUsage, list[dict[str, Any]]]] = {
    "messages": (
        anthropic.read_usage,
        [
            {"type": "message_start", "message": {"usage": {"input_tokens": 7, "cache_read_input_tokens": 4}}},
            {"type": "content_block_delta", "delta": {"text": '"usage": {"input_tokens": 1}'}},
            {"type": "message_delta", "usage": {"output_tokens": 3}},
            {"type": "message_delta", "usage": {"output_tokens": 7}},
        ],
    ),
    "messages, all at the end": (
        anthropic.read_usage,
        [
            {"type": "message_start", "message": {"usage": {"input_tokens": 0, "output_tokens": 0}}},
            {"type": "message_delta", "usage": {"input_tokens": 10, "output_tokens": 7, "cache_read_input_tokens": 1}},
        ],
    ),
    "responses": (
        responses.read_usage,
        [
            {"type": "response.created", "response": {"usage": None}},
            {"type": "response.output_text.delta", "delta": '"usage"'},
            {"type": "response.completed", "response": {"usage": {"input_tokens": 11, "output_tokens": 7}}},
        ],
    ),
}


@pytest.mark.parametrize("name", STREAMS)
@given(cuts=st.lists(st.integers(0, 400)))
def test_each_dialect_counts_in_its_own_events(name: str, cuts: list[int]) -> None:
    """The last count of each kind is right, whichever event it comes in; what was cached went in too."""
    read, events = STREAMS[name]
    text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    assert _read(EVENTS, text.encode(), cuts, read=read) == Usage(11, 7)


def test_a_count_that_was_asked_for_is_read() -> None:
    """The answer of `count_tokens` has nothing but that."""
    assert _read(JSON, b'{"input_tokens": 5}', [], read=anthropic.read_usage) == Usage(5, None)
    assert _read(JSON, b"{}", [], read=anthropic.read_usage) == NO_USAGE


def test_a_long_last_event_is_read() -> None:
    """A streamed response ends with an event that repeats all of it, which comes in many chunks."""
    output = [{"content": [{"text": "x" * 300_000}]}]
    usage = {"input_tokens": 11, "output_tokens": 7}
    event = json.dumps({"type": "response.completed", "response": {"output": output, "usage": usage}})
    cuts = list(range(0, 300_000, 16_384))
    assert _read(EVENTS, f"data: {event}\n\n".encode(), cuts, read=responses.read_usage) == Usage(11, 7)


def test_an_endless_line_is_not_kept() -> None:
    """A stream without line ends takes no more memory than one line may have, and what follows is still read."""
    reader = usage_reader(EVENTS, b"", read_usage)
    for _ in range(5):
        reader.feed(b"x" * MAX_LINE)
    reader.feed(b"\n" + _stream())
    assert reader.usage() == Usage(11, 7)


def test_a_huge_document_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit counts are unknown, instead of memory being full."""
    monkeypatch.setattr("scriba.gateway.usage.MAX_DOCUMENT", 100)
    assert _read(JSON, json.dumps({"a": "b" * 100, "usage": COUNTS}).encode(), [50]) == NO_USAGE
