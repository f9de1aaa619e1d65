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


@pytest.mark.parametrize("encoding", ["float", "base64", openai.omit])
def test_embeddings_come_back(
    server: Running, tenant: Tenant, client: openai.OpenAI, provider: Provider, encoding: Any
) -> None:
    """As numbers or as base64, which the client asks for by itself; the tokens are on record."""
    answer = client.embeddings.create(model="text-embedding-3-small", input=["a", "b"], encoding_format=encoding)
    assert len(answer.data) == 2
    assert provider.received[0].path == "/v1/embeddings"
    (outcome,) = server.outcomes(tenant.id)
    assert (outcome.input_tokens, outcome.output_tokens) == (USAGE["prompt_tokens"], None)


def test_a_response_comes_back(server: Running, tenant: Tenant, client: openai.OpenAI, provider: Provider) -> None:
    """Whole, with the tokens on record."""
    answer = client.responses.create(model="gpt-4o", input="How are you?", store=True)
    assert answer.output_text == "".join(WORDS)
    asked = {"model": "gpt-4o", "input": "How are you?", "store": True}
    assert provider.received[0].json == asked
    assert server.decisions(tenant.id)[0].operation == "responses"
    (outcome,) = server.outcomes(tenant.id)
    assert (outcome.input_tokens, outcome.output_tokens) == (USAGE["prompt_tokens"], USAGE["completion_tokens"])


def test_a_streamed_response_comes_back(
    server: Running, tenant: Tenant, client: openai.OpenAI, provider: Provider
) -> None:
    """The client's own helper puts it together, and its tokens are on record."""
    provider.answer = streamed()
    with client.responses.stream(model="gpt-4o", input="How are you?") as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_text == "".join(WORDS)
    (outcome,) = server.outcomes(tenant.id)
    assert (outcome.input_tokens, outcome.output_tokens) == (USAGE["prompt_tokens"], USAGE["completion_tokens"])


def test_a_streamed_response_that_breaks_is_an_error(client: openai.OpenAI, provider: Provider) -> None:
    """Half a response never looks like a whole one."""
    provider.answer = dying(after=2)
    stream = client.responses.create(model="gpt-4o", input="How are you?", stream=True)
    with pytest.raises(openai.APIError, match="broke the connection"):
        list(stream)


@pytest.mark.parametrize(
    ("extra", "param"),
    [
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"background": True}, "background"),
        ({"moderation": {"model": "omni-moderation-latest"}}, "moderation"),
        ({"Models": ["deepseek-chat"]}, "Models"),
        ({"tools": [{"type": "image_generation"}]}, "tools"),
        ({"tools": [{"type": "mcp", "server_label": "x", "server_url": "https://elsewhere.example"}]}, "tools"),
        ({"tools": [{"type": "namespace", "tools": [{"type": "image_generation"}]}]}, "tools.tools"),
        ({"tools": [{"type": "soon", "model": "other"}]}, "tools"),
        ({"tools": 3}, "tools"),
        ({"input": [{"type": "additional_tools", "tools": [{"type": "mcp"}]}]}, "input.tools"),
        ({"input": [{"type": "message", "type ": 1}, 7]}, "input"),
    ],
)
def test_nothing_in_a_response_brings_in_another_model(
    client: openai.OpenAI, provider: Provider, extra: dict[str, Any], param: str
) -> None:
    """What names models or servers of its own, or hides what is asked, is refused by name."""
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="gpt-4o", input="Hi", extra_body=extra)
    assert caught.value.param == param
    assert provider.received == []


def test_usual_tools_pass(client: openai.OpenAI, provider: Provider) -> None:
    """Functions of the caller, and what the judged provider runs itself, go through as they are."""
    tools: Any = [
        {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False},
        {"type": "web_search"},
    ]
    client.responses.create(model="gpt-4o", input=[{"role": "user", "content": "Hi"}], tools=tools, background=False)
    assert provider.received[0].json["tools"] == tools


def test_stored_responses_are_not_served(client: openai.OpenAI) -> None:
    """The answer says what to do instead; nothing is forwarded."""
    for ask in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
        with pytest.raises(openai.NotFoundError, match="send the whole conversation"):
            ask("resp_1")
    with pytest.raises(openai.NotFoundError, match="/v1/chat/completions"):
        client.images.generate(prompt="A cat")


def test_models_are_listed(client: openai.OpenAI) -> None:
    """What can be asked for under this policy, each by a name that works; others are not there."""
    names = [model.id for model in client.models.list()]
    assert {"gpt-4o", "sandbox/echo"} <= set(names)
    assert client.models.retrieve("gpt-4o").owned_by == "openai"
    assert client.models.retrieve("openai/gpt-4o").id == "openai/gpt-4o"
    with pytest.raises(openai.NotFoundError, match="There is no model"):
        client.models.retrieve("deepseek-chat")


def test_the_sandbox_embeds_and_responds(server: Running) -> None:
    """The other operations of the sandbox, whole and streamed, say what they are too."""
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=server.tenant().app, max_retries=0) as client:
        embedded = client.embeddings.create(model="sandbox/echo", input=["one", "two", "one"], dimensions=4)
        plain = client.embeddings.create(model="sandbox/echo", input="one", dimensions=4, encoding_format="float")
        whole = client.responses.create(model="sandbox/echo", input="How are you?", instructions="Be brief.")
        with client.responses.stream(model="sandbox/echo", input="How are you?", max_output_tokens=100) as stream:
            kinds = [event.type for event in stream]
            final = stream.get_final_response()
    first, second, third = (one.embedding for one in embedded.data)
    assert first == third != second
    assert plain.data[0].embedding == pytest.approx(first, abs=1e-6)
    assert sum(number * number for number in first) == pytest.approx(1, abs=1e-6)
    assert getattr(embedded, "system_fingerprint", "") == getattr(whole, "system_fingerprint", "") == "scriba-sandbox"
    assert "sandbox of Scriba" in whole.output_text
    assert whole.output_text == final.output_text
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert whole.usage is not None
    assert (whole.usage.input_tokens, whole.usage.output_tokens) == (5, len(whole.output_text.split()))
