"""The official Anthropic client works with nothing changed but its base URL and its key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import pytest
from tests.dialects import OPERATIONS, USAGE, WORDS
from tests.provider import KEY, Provider, dying, failing, streamed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anthropic.types import MessageParam
    from tests.running import Running, Tenant

STRICT = {"blockChinaProviders": True, "enforcement": "hard_block"}
MODEL = OPERATIONS["/v1/messages"].asked["model"]
SAID: list[MessageParam] = [{"role": "user", "content": "How are you?"}]


@pytest.fixture
def tenant(polyglot: Running) -> Tenant:
    """Make an organisation with a strict policy."""
    return polyglot.tenant(STRICT)


@pytest.fixture(params=["api_key", "auth_token"])
def client(polyglot: Running, tenant: Tenant, request: pytest.FixtureRequest) -> Iterator[anthropic.Anthropic]:
    """Make a client that sends the key in either header, and shows every failure at once."""
    key: dict[str, Any] = {"api_key": None, "auth_token": None} | {request.param: tenant.app}
    with anthropic.Anthropic(base_url=polyglot.url, max_retries=0, **key) as client:
        yield client


def test_a_message_comes_back(
    polyglot: Running, tenant: Tenant, client: anthropic.Anthropic, provider: Provider
) -> None:
    """The answer arrives whole, the provider got its own key alone, and the entry says who served it."""
    answer = client.messages.with_raw_response.create(
        model=MODEL, max_tokens=100, messages=SAID, metadata={"user_id": "u-7"}, extra_headers={"anthropic-beta": "b-1"}
    )
    message = answer.parse()
    assert [block.text for block in message.content if block.type == "text"] == ["".join(WORDS)]
    (received,) = provider.received
    assert (received.path, received.headers["x-api-key"]) == ("/v1/messages", KEY)
    assert (received.headers["anthropic-version"], received.headers["anthropic-beta"]) == ("2026-10-21", "b-1")
    assert "authorization" not in received.headers
    assert tenant.app not in str(received.headers)
    (entry,) = polyglot.decisions(tenant.id)
    assert (entry.operation, entry.provider, entry.hidden.user) == ("messages", "anthropic", "u-7")
    assert answer.headers["x-audit-id"] == entry.id
    assert message._request_id == entry.request_id
    assert answer.headers["x-upstream-request-id"] == "req_of_provider"
    (outcome,) = polyglot.outcomes(tenant.id)
    assert (outcome.input_tokens, outcome.output_tokens) == (USAGE["prompt_tokens"], USAGE["completion_tokens"])


def test_a_stream_comes_back(
    polyglot: Running, tenant: Tenant, client: anthropic.Anthropic, provider: Provider
) -> None:
    """The client's own helper puts the message together, and its tokens are on record."""
    provider.answer = streamed()
    with client.messages.stream(model=MODEL, max_tokens=100, messages=SAID) as stream:
        assert "".join(stream.text_stream) == "".join(WORDS)
        assert stream.get_final_message().stop_reason == "end_turn"
    (outcome,) = polyglot.outcomes(tenant.id)
    assert (outcome.input_tokens, outcome.output_tokens) == (USAGE["prompt_tokens"], USAGE["completion_tokens"])


def test_counting_tokens_is_a_decision_too(
    polyglot: Running, tenant: Tenant, client: anthropic.Anthropic, provider: Provider
) -> None:
    """To count them the provider reads the whole request, so it is judged and logged."""
    assert client.messages.count_tokens(model=MODEL, messages=SAID).input_tokens == USAGE["prompt_tokens"]
    assert provider.received[0].path == "/v1/messages/count_tokens"
    with pytest.raises(anthropic.PermissionDeniedError):
        client.messages.count_tokens(model="deepseek-chat", messages=SAID)
    allowed, refused = polyglot.decisions(tenant.id)
    assert (allowed.operation, allowed.allowed, refused.allowed) == ("messages", True, False)
    assert len(provider.received) == 1
    (outcome,) = polyglot.outcomes(tenant.id)
    assert (outcome.input_tokens, outcome.output_tokens) == (USAGE["prompt_tokens"], None)


def test_a_refusal_is_anthropics_error_with_our_facts(
    polyglot: Running, tenant: Tenant, client: anthropic.Anthropic, provider: Provider
) -> None:
    """Whoever reads the exception knows who refused, why, and where it stands; no provider was asked."""
    with pytest.raises(anthropic.PermissionDeniedError) as caught:
        client.messages.create(model="deepseek-chat", max_tokens=100, messages=SAID)
    (entry,) = polyglot.decisions(tenant.id)
    body: Any = caught.value.body
    assert (body["type"], body["error"]["type"]) == ("error", "permission_error")
    assert (body["error"]["code"], body["error"]["param"]) == ("policy_violation", "model")
    assert body["error"]["violations"] == list(entry.violation_reasons)
    assert body["error"]["auditUrl"] == f"{polyglot.url}/entries/{entry.id}"
    assert body["error"]["message"] in str(caught.value)
    assert body["request_id"] == caught.value.request_id == entry.request_id
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert provider.received == []


def test_a_wrong_key_is_an_authentication_error(polyglot: Running, provider: Provider) -> None:
    """A key that nobody was given opens nothing."""
    with anthropic.Anthropic(base_url=polyglot.url, api_key="sk_scriba_wrong", max_retries=0) as client:
        ask = client.messages.create
        with pytest.raises(anthropic.AuthenticationError) as caught:
            ask(model=MODEL, max_tokens=100, messages=SAID)
    body: Any = caught.value.body
    assert (body["error"]["type"], body["error"]["code"]) == ("authentication_error", "invalid_api_key")
    assert provider.received == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, anthropic.BadRequestError), (429, anthropic.RateLimitError), (529, anthropic.APIStatusError)],
)
def test_a_providers_error_stays_its_own(
    client: anthropic.Anthropic, provider: Provider, status: int, kind: type[anthropic.APIStatusError]
) -> None:
    """Status, words and `retry-after` arrive as they were."""
    provider.answer = failing(status, "So it is.", retry_after="7")
    with pytest.raises(kind, match="So it is") as caught:
        client.messages.create(model=MODEL, max_tokens=100, messages=SAID)
    assert (caught.value.status_code, caught.value.response.headers["retry-after"]) == (status, "7")


def test_a_stream_that_breaks_is_an_error(client: anthropic.Anthropic, provider: Provider) -> None:
    """Half an answer never looks like a whole one."""
    provider.answer = dying(after=2)
    with (
        pytest.raises(anthropic.APIStatusError, match="broke the connection"),
        client.messages.stream(model=MODEL, max_tokens=100, messages=SAID) as stream,
    ):
        list(stream.text_stream)


def test_models_are_listed_in_pages(client: anthropic.Anthropic) -> None:
    """The client walks through all of them: those that are asked by `/v1/messages`, and the policy allows."""
    whole = [model.id for model in client.models.list(limit=1000).data]
    walked = [model.id for model in client.models.list(limit=3)]
    assert walked == whole
    assert "claude-opus-4-5" in " ".join(whole)
    assert "sandbox/echo" in whole
    assert "gpt-4o" not in whole
    assert client.models.retrieve(whole[0]).display_name == whole[0]
    back = client.models.list(limit=2, before_id=whole[5])
    assert [model.id for model in back.data] == whole[3:5]
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("deepseek-chat")
    with pytest.raises(anthropic.BadRequestError, match="after_id"):
        client.models.list(after_id="nobody")


def test_the_house_path_works_too(polyglot: Running, tenant: Tenant, provider: Provider) -> None:
    """The same call under /llm."""
    with anthropic.Anthropic(base_url=f"{polyglot.url}/llm", api_key=tenant.app, max_retries=0) as client:
        client.messages.create(model=MODEL, max_tokens=100, messages=SAID)
    assert provider.received[0].path == "/v1/messages"


def test_the_sandbox_answers_and_says_what_it_is(polyglot: Running) -> None:
    """Whole, streamed and counted; nobody takes it for a model."""
    with anthropic.Anthropic(base_url=polyglot.url, api_key=polyglot.tenant().app, max_retries=0) as client:
        whole = client.messages.create(model="sandbox/echo", max_tokens=100, messages=SAID, system="Be brief.")
        with client.messages.stream(model="sandbox/echo", max_tokens=4, messages=SAID) as stream:
            cut = stream.get_final_message()
        counted = client.messages.count_tokens(model="sandbox/echo", messages=SAID, system="Be brief.")
    (block,) = whole.content
    assert block.type == "text"
    assert "sandbox of Scriba" in block.text
    assert block.text.endswith("How are you?")
    assert (whole.stop_reason, whole.usage.input_tokens) == ("end_turn", counted.input_tokens)
    assert whole.usage.output_tokens == len(block.text.split())
    assert (cut.stop_reason, cut.usage.output_tokens) == ("max_tokens", 4)
    assert getattr(whole, "system_fingerprint", "") == getattr(counted, "system_fingerprint", "") == "scriba-sandbox"


@pytest.mark.parametrize(
    ("extra", "param"),
    [
        ({"fallbacks": [{"model": "claude-3-haiku"}]}, "fallbacks"),
        ({"mcp_servers": [{"type": "url", "url": "https://elsewhere.example", "name": "x"}]}, "mcp_servers"),
        ({"thread": {"type": "continue", "id": "t"}}, "thread"),
        ({"tools": [{"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-4-5"}]}, "tools"),
    ],
)
def test_nothing_brings_in_another_model(
    client: anthropic.Anthropic, provider: Provider, extra: dict[str, Any], param: str
) -> None:
    """Fields and tools that name models or servers of their own are refused by name."""
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(model=MODEL, max_tokens=100, messages=SAID, extra_body=extra)
    body: Any = caught.value.body
    assert body["error"]["param"] == param
    assert provider.received == []


def test_tools_of_the_callers_own_pass(client: anthropic.Anthropic, provider: Provider) -> None:
    """A function that the caller runs is the caller's affair, and its body stays as it was."""
    schema: dict[str, object] = {"type": "object", "properties": {"model": {"type": "string"}}}
    words: Any = [{"type": "text", "text": "The definition of “tool”, with all its \\u0041?"}]
    client.messages.create(
        model=MODEL,
        max_tokens=100,
        messages=[{"role": "user", "content": words}],
        tools=[{"name": "look_up", "input_schema": schema}],
    )
    assert provider.received[0].json["messages"][0]["content"] == words
    assert provider.received[0].json["tools"] == [{"name": "look_up", "input_schema": schema}]
