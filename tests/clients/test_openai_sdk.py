"""The official OpenAI client works with nothing changed but its base URL and its key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest
from tests.provider import USAGE, WORDS, Provider, dying, failing, streamed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openai.types.chat import ChatCompletionUserMessageParam
    from tests.running import Running, Tenant

STRICT = {"blockChinaProviders": True, "minimumTrustTier": "trusted", "enforcement": "hard_block"}
SAID: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "How are you?"}]


@pytest.fixture
def tenant(server: Running) -> Tenant:
    """Make an organisation with a strict policy."""
    return server.tenant(STRICT)


@pytest.fixture
def client(server: Running, tenant: Tenant) -> Iterator[openai.OpenAI]:
    """Make a client as a user does, but one that shows every failure at once."""
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=tenant.app, max_retries=0) as client:
        yield client


def test_a_chat_completion_comes_back(
    server: Running, tenant: Tenant, client: openai.OpenAI, provider: Provider
) -> None:
    """The provider's answer arrives whole; it got its own key and the body as it was; the entry says who served it."""
    answer = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=SAID)
    parsed = answer.parse()
    assert parsed.choices[0].message.content == "".join(WORDS)
    assert parsed.usage is not None
    assert parsed.usage.total_tokens == USAGE["total_tokens"]
    (received,) = provider.received
    assert received.json == {"model": "gpt-4o", "messages": SAID}
    (entry,) = server.decisions(tenant.id)
    assert (entry.model, entry.provider, entry.allowed) == ("gpt-4o", "openai", True)
    assert answer.headers["x-audit-id"] == entry.id
    assert answer.headers["x-request-id"] == entry.request_id
    assert answer.headers["x-policy-id"] == entry.policy_id
    assert answer.headers["x-audit-receipt"].startswith("1;1;")
    assert answer.headers["x-upstream-request-id"] == "req_of_provider"


def test_a_prefixed_model_goes_out_under_its_own_name(
    server: Running, tenant: Tenant, client: openai.OpenAI, provider: Provider
) -> None:
    """`openai/gpt-4o` names its provider; the provider knows it as `gpt-4o`, the entry keeps what was asked."""
    client.chat.completions.create(model="openai/gpt-4o", messages=SAID)
    assert provider.received[0].json["model"] == "gpt-4o"
    assert server.decisions(tenant.id)[0].model == "openai/gpt-4o"


def test_a_stream_comes_back(client: openai.OpenAI, provider: Provider) -> None:
    """Streaming works as it does without Scriba, usage included."""
    provider.answer = streamed()
    stream = client.chat.completions.create(
        model="gpt-4o", messages=SAID, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "".join(WORDS)
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == USAGE["completion_tokens"]


def test_a_refusal_names_policy_reasons_entry_and_address(
    server: Running, tenant: Tenant, client: openai.OpenAI, provider: Provider
) -> None:
    """Whoever reads the exception knows who refused, why, and where it stands; no provider was asked."""
    with pytest.raises(openai.PermissionDeniedError) as caught:
        client.chat.completions.create(model="deepseek-chat", messages=SAID)
    (entry,) = server.decisions(tenant.id)
    text = str(caught.value)
    for part in ("Production", *entry.violation_reasons, entry.id, f"{server.url}/entries/{entry.id}"):
        assert part in text
    assert "Provider 'deepseek' is China-based and blocked by policy" in entry.violation_reasons
    assert (entry.allowed, entry.provider, entry.enforcement) == (False, "", "hard_block")
    assert caught.value.code == "policy_violation"
    assert caught.value.param == "model"
    error: Any = caught.value.body
    assert error["policyId"] == entry.policy_id
    assert error["violations"] == list(entry.violation_reasons)
    assert caught.value.response.headers["x-audit-id"] == entry.id
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert caught.value.request_id == entry.request_id
    assert provider.received == []


def test_a_provider_without_a_key_is_refused_with_what_to_set(
    server: Running, tenant: Tenant, client: openai.OpenAI
) -> None:
    """The answer names the variable, what is configured and the sandbox; the entry says why."""
    with pytest.raises(openai.PermissionDeniedError) as caught:
        client.chat.completions.create(model="claude-sonnet-4-20250514", messages=SAID)
    for part in ("ANTHROPIC_API_KEY", "Configured here: openai", "sandbox/echo", "/entries/audit_"):
        assert part in str(caught.value)
    assert caught.value.code == "provider_not_configured"
    assert server.decisions(tenant.id)[0].violation_reasons == ("Provider 'anthropic' is not configured here",)


def test_a_wrong_key_is_an_authentication_error(server: Running, provider: Provider) -> None:
    """A key that nobody was given opens nothing."""
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="sk_scriba_wrong", max_retries=0) as client:
        ask = client.chat.completions.create
        with pytest.raises(openai.AuthenticationError) as caught:
            ask(model="gpt-4o", messages=SAID)
    assert caught.value.code == "invalid_api_key"
    assert caught.value.response.headers["www-authenticate"] == "Bearer"
    assert provider.received == []


def test_a_providers_limit_stays_its_own_error(
    server: Running, tenant: Tenant, client: openai.OpenAI, provider: Provider
) -> None:
    """Status, words and `retry-after` of the provider arrive, beside the entry of the decision."""
    provider.answer = failing(429, "Rate limit reached for gpt-4o", retry_after="7", x_ratelimit_limit_requests="60")
    with pytest.raises(openai.RateLimitError, match="Rate limit reached") as caught:
        client.chat.completions.create(model="gpt-4o", messages=SAID)
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.response.headers["x-ratelimit-limit-requests"] == "60"
    assert caught.value.response.headers["x-audit-id"] == server.decisions(tenant.id)[0].id


def test_the_clients_own_retries_are_separate_entries(server: Running, tenant: Tenant, provider: Provider) -> None:
    """Each attempt of the client is a request with an entry, and says which attempt it was."""
    provider.answer = failing(500, "The server had an error", retry_after_ms="1")
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=tenant.app, max_retries=2) as client:
        ask = client.chat.completions.create
        with pytest.raises(openai.InternalServerError):
            ask(model="gpt-4o", messages=SAID)
    assert len(provider.received) == 3
    entries = server.decisions(tenant.id)
    assert len({entry.request_id for entry in entries}) == 3
    assert [entry.retry_count for entry in entries] == [0, 1, 2]


def test_a_stream_that_breaks_is_an_error(client: openai.OpenAI, provider: Provider) -> None:
    """Half an answer never looks like a whole one."""
    provider.answer = dying(after=2)
    stream = client.chat.completions.create(model="gpt-4o", messages=SAID, stream=True)
    with pytest.raises(openai.APIError, match="broke the connection"):
        list(stream)


def test_the_sandbox_answers_and_says_what_it_is(server: Running) -> None:
    """Without any account a newcomer gets an answer, whole or streamed, that cannot be taken for a model's."""
    app = server.tenant().app
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=app, max_retries=0) as client:
        whole = client.chat.completions.create(model="sandbox/echo", messages=SAID)
        stream = client.chat.completions.create(
            model="sandbox/echo", messages=SAID, stream=True, stream_options={"include_usage": True}
        )
        chunks = list(stream)
    text = whole.choices[0].message.content
    assert text is not None
    assert "sandbox of Scriba" in text
    assert text.endswith("How are you?")
    assert whole.system_fingerprint == "scriba-sandbox"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == text
    assert {chunk.system_fingerprint for chunk in chunks} == {"scriba-sandbox"}
    assert chunks[-1].usage == whole.usage
    assert whole.usage is not None
    assert whole.usage.prompt_tokens == 3
    assert whole.usage.completion_tokens == len(text.split())
    assert chunks[-2].choices[0].finish_reason == "stop"


def test_the_house_path_works_too(server: Running, tenant: Tenant, provider: Provider) -> None:
    """The same call under /llm/v1."""
    with openai.OpenAI(base_url=f"{server.url}/llm/v1", api_key=tenant.app, max_retries=0) as client:
        client.chat.completions.create(model="gpt-4o", messages=SAID)
    assert provider.received[0].path == "/v1/chat/completions"
