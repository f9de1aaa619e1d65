"""Every place in a request that could name another model is known: a new one in the clients' types fails here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest
from anthropic.types.beta.message_count_tokens_params import MessageCountTokensParams
from anthropic.types.beta.message_create_params import MessageCreateParamsNonStreaming
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.embedding_create_params import EmbeddingCreateParams
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from tests.asking import ask
from tests.dialects import OPERATIONS
from typing_extensions import get_type_hints, is_typeddict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.provider import Provider
    from tests.running import Running

NAMES = {"model", "models", "fallbacks"}
TOOL = {"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-4-5"}
DEFINED = {"type": "tool_definition", "definition": TOOL}
RECORDS = {"input.svg_usage.model", "messages.content.from.model", "messages.content.to.model"}
"""What an earlier answer said of itself; it asks for nothing."""

IMAGE = {"type": "image_generation", "model": "gpt-image-1"}
BYPASSES: dict[str, tuple[Any, dict[str, dict[str, Any]]]] = {
    "/v1/chat/completions": (CompletionCreateParamsNonStreaming, {"moderation.model": {"moderation": {"model": "m"}}}),
    "/v1/embeddings": (EmbeddingCreateParams, {}),
    "/v1/responses": (
        ResponseCreateParamsNonStreaming,
        {
            "moderation.model": {"moderation": {"model": "m"}},
            "tools.model": {"tools": [IMAGE]},
            "tools.svg.model": {"tools": [{"type": "image_generation", "svg": {"model": "m"}}]},
            "input.tools.model": {"input": [{"type": "additional_tools", "tools": [IMAGE]}]},
            "input.tools.svg.model": {"input": [{"tools": [{"type": "image_generation", "svg": {"model": "m"}}]}]},
        },
    ),
    "/v1/messages": (
        MessageCreateParamsNonStreaming,
        {
            "fallbacks": {"fallbacks": "default"},
            "tools.model": {"tools": [TOOL]},
            "messages.content.tool.definition.model": {
                "messages": [{"role": "user", "content": [{"type": "tool_addition", "tool": DEFINED}]}]
            },
            "messages.content.tool_changes.tool.definition.model": {
                "messages": [{"role": "user", "content": [{"type": "compaction", "tool_changes": [{"tool": DEFINED}]}]}]
            },
        },
    ),
}
BYPASSES["/v1/messages/count_tokens"] = (
    MessageCountTokensParams,
    {name: body for name, body in BYPASSES["/v1/messages"][1].items() if name != "fallbacks"},
)
REQUESTS = [(path, name) for path, (_, bodies) in BYPASSES.items() for name in bodies]


def _places(kind: Any, path: tuple[str, ...] = (), within: tuple[Any, ...] = ()) -> Iterator[str]:
    """Yield where fields of such names stand in the type of a request."""
    if not is_typeddict(kind):
        for part in get_args(kind):
            yield from _places(part, path, within)
    elif kind not in within:
        for name, inner in get_type_hints(kind).items():
            if name in NAMES:
                yield ".".join((*path, name))
            else:
                yield from _places(inner, (*path, name), (*within, kind))


@pytest.mark.parametrize("path", OPERATIONS)
def test_every_place_for_a_model_is_known(path: str) -> None:
    """What the client of today can send beside `model` is in the table, and nothing else."""
    kind, bodies = BYPASSES[path]
    assert set(_places(kind)) - RECORDS == {"model", *bodies}


@pytest.mark.parametrize(("path", "name"), REQUESTS, ids=[f"{path} {name}" for path, name in REQUESTS])
@pytest.mark.parametrize("hidden", [False, True], ids=["plain", "escaped"])
def test_each_of_them_is_refused(polyglot: Running, provider: Provider, path: str, name: str, *, hidden: bool) -> None:
    """By name and before anything is sent, also where the names are spelled with escapes."""
    body: Any = OPERATIONS[path].asked | BYPASSES[path][1][name]
    if hidden:
        body = _escaped(body)
    answer = ask(polyglot.url, polyglot.tenant().app, body, path=path)
    assert answer.status == 400
    assert answer.error["param"].split(".")[0] == name.split(".", maxsplit=1)[0]
    assert provider.received == []


def _escaped(document: Any) -> bytes:
    """Write JSON with the first letter of every name as an escape."""
    if isinstance(document, dict):
        members = (f'"\\u{ord(name[0]):04x}{name[1:]}":'.encode() + _escaped(inner) for name, inner in document.items())
        return b"{" + b",".join(members) + b"}"
    if isinstance(document, list):
        return b"[" + b",".join(map(_escaped, document)) + b"]"
    return b'"' + str(document).encode() + b'"' if isinstance(document, str) else str(document).encode()
