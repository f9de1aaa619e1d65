"""What a provider keeps is named by nobody who shares its account with others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.asking import ask
from tests.provider import KEY
from tests.running import serving, settings_in

from scriba.errors import InvalidInput
from scriba.gateway.body import parse_body
from scriba.gateway.stored import check_stored

if TYPE_CHECKING:
    from pathlib import Path

    from tests.provider import Provider

NAMING: list[tuple[str, Any]] = [
    ("previous_response_id", {"previous_response_id": "resp_1", "input": "x"}),
    ("conversation", {"conversation": {"id": "conv_1"}, "input": "x"}),
    ("conversation", {"conversation": "conv_1", "input": "x"}),
    ("input", {"input": [{"type": "item_reference", "id": "msg_1"}]}),
    ("input", {"input": [{"id": "msg_1"}]}),
    ("input", {"input": [{"id": "msg_1", "type": None}]}),
    ("file_id", {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]}]}),
    ("file_id", {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]}),
    ("file_id", {"messages": [{"content": [{"type": "document", "source": {"type": "file", "file_id": "file_1"}}]}]}),
    ("audio", {"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]}),
    ("vector_store_ids", {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]}),
    ("container", {"tools": [{"type": "code_interpreter", "container": "cntr_1"}]}),
    ("file_ids", {"tools": [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file-1"]}}]}),
    ("container", {"container": "container_1", "messages": []}),
    ("container", {"container": {"id": "container_1"}, "messages": []}),
    ("skill_id", {"container": {"skills": [{"type": "custom", "skill_id": "skill_1"}]}}),
    ("container_id", {"tools": [{"type": "shell", "environment": {"container_id": "cntr_1"}}]}),
]
PASSING: list[Any] = [
    {"previous_response_id": None, "conversation": None, "input": "file_id"},
    {"input": [{"type": "message", "id": "msg_1", "role": "user", "content": "x"}]},
    {"input": [{"type": "reasoning", "id": "rs_1", "encrypted_content": "x", "summary": []}]},
    {"audio": {"voice": "alloy", "format": "wav"}, "messages": []},
    {"tools": [{"type": "function", "parameters": {"properties": {"file_id": {"type": "string"}}}}]},
    {"tools": [{"name": "f", "input_schema": {"properties": {"container": {"id": "x"}}}}]},
    {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]},
    {"messages": [{"content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"file_id": "mine"}}]}]},
    {"messages": [{"tool_calls": [{"id": "call_1", "type": "function", "function": {"arguments": "{}"}}]}]},
    {"metadata": {"file_id": "mine"}},
]


@pytest.mark.parametrize(("name", "document"), NAMING)
def test_whatever_names_what_is_kept_is_refused(name: str, document: Any) -> None:
    """Promise: every way to name a provider's stored data is found, and the error says how to let it pass."""
    raw = json.dumps(document).encode()
    with pytest.raises(InvalidInput) as caught:
        check_stored(parse_body(raw, ()), "openai")
    assert caught.value.param == name
    assert "shared_storage" in str(caught.value.hint)


@pytest.mark.parametrize("document", PASSING)
def test_what_names_nothing_passes(document: Any) -> None:
    """Promise: names in the caller's own schemas and data are no reason to refuse."""
    check_stored(parse_body(json.dumps(document).encode(), ()), "openai")


@pytest.mark.parametrize(
    "raw",
    [
        rb'{"input": [{"role": "user", "content": [{"file\u005fid": "file-1"}]}]}',
        rb'{"input": [{"role": "user", "content": [{"file_id": "file-1", "file_id": null}]}]}',
    ],
)
def test_no_spelling_hides_a_name(raw: bytes) -> None:
    """Promise: neither escapes nor a second, empty field of the same name get a file past the check."""
    with pytest.raises(InvalidInput):
        check_stored(parse_body(raw, ()), "openai")


@pytest.mark.parametrize("is_shared", [False, True])
def test_organisations_that_share_an_account_cannot_name_what_it_keeps(
    tmp_path: Path, provider: Provider, *, is_shared: bool
) -> None:
    """Promise: one organisation may; as soon as there are two neither may, unless the operator says so."""
    toml = f"""
    [providers.openai]
    base_url = "{provider.url}"
    shared_storage = {str(is_shared).lower()}
    """
    asked = {"model": "gpt-4o", "input": "How are you?", "previous_response_id": "resp_0"}
    with serving(settings_in(tmp_path, toml, {"OPENAI_API_KEY": KEY})) as server:
        first = server.tenant()
        assert ask(server.url, first.app, asked, path="/v1/responses").status == 200
        second = server.tenant()
        for tenant in (first, second):
            answer = ask(server.url, tenant.app, asked, path="/v1/responses")
            assert answer.status == (200 if is_shared else 400)
            assert is_shared or b"previous_response_id" in answer.body
    assert len(provider.received) == (3 if is_shared else 1)
