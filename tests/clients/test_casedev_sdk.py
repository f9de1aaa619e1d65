"""The public client of case.dev works with nothing changed but its base URL and its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import casedev
import pytest
from tests.provider import WORDS, Provider, streamed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from casedev.types.llm.v1.chat_create_completion_params import Message
    from tests.running import Running, Tenant

SAID: list[Message] = [{"role": "user", "content": "How are you?"}]


@pytest.fixture
def tenant(polyglot: Running) -> Tenant:
    """Make an organisation with a strict policy."""
    return polyglot.tenant({"blockChinaProviders": True, "enforcement": "hard_block"})


@pytest.fixture(params=[False, True], ids=["usual", "strict"])
def client(polyglot: Running, tenant: Tenant, request: pytest.FixtureRequest) -> Iterator[casedev.Casedev]:
    """Make a client, once as usual and once such that it checks the shape of every answer."""
    with casedev.Casedev(
        base_url=polyglot.url, api_key=tenant.app, max_retries=0, _strict_response_validation=request.param
    ) as client:
        yield client


def test_a_completion_comes_back(
    polyglot: Running, tenant: Tenant, client: casedev.Casedev, provider: Provider
) -> None:
    """The answer arrives, and the labels for reports are in the entry and stay here."""
    answer = client.llm.v1.chat.create_completion(
        model="gpt-4o", messages=SAID, extra_headers={"ai-reporting-tags": "a, b", "ai-reporting-user": "u-1"}
    )
    assert answer.choices is not None
    assert answer.choices[0].message is not None
    assert answer.choices[0].message.content == "".join(WORDS)
    (entry,) = polyglot.decisions(tenant.id)
    assert (entry.hidden.tags, entry.hidden.user) == (("a", "b"), "u-1")
    assert not any(name.startswith("ai-reporting") for name in provider.received[0].headers)


def test_a_stream_comes_back(client: casedev.Casedev, provider: Provider) -> None:
    """By lines, which is how this client streams."""
    provider.answer = streamed()
    with client.llm.v1.chat.with_streaming_response.create_completion(
        model="gpt-4o", messages=SAID, stream=True
    ) as stream:
        lines = [line for line in stream.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"


def test_embeddings_come_back(polyglot: Running, tenant: Tenant, client: casedev.Casedev, provider: Provider) -> None:
    """One vector for each text, under the same decision."""
    client.llm.v1.create_embedding(model="text-embedding-3-small", input=["a", "b"])
    assert provider.received[0].path == "/v1/embeddings"
    (entry,) = polyglot.decisions(tenant.id)
    assert (entry.operation, entry.provider) == ("embeddings", "openai")


def test_a_missing_model_is_named(client: casedev.Casedev) -> None:
    """There is no default: a guess would put a model into the log that nobody asked for."""
    with pytest.raises(casedev.BadRequestError, match="`model` is missing"):
        client.llm.v1.chat.create_completion(messages=SAID)


def test_a_refusal_is_not_retried(polyglot: Running, tenant: Tenant, provider: Provider) -> None:
    """403 with the reasons, and one entry, though the client would try again."""
    with casedev.Casedev(base_url=polyglot.url, api_key=tenant.app, max_retries=2) as client:
        ask = client.llm.v1.chat.create_completion
        with pytest.raises(casedev.PermissionDeniedError, match="China-based"):
            ask(model="deepseek-chat", messages=SAID)
    assert len(polyglot.decisions(tenant.id)) == 1
    assert provider.received == []


def test_models_and_config_list_what_can_be_asked(client: casedev.Casedev) -> None:
    """Both name the same models, and nothing is said of what is not known."""
    listed = client.llm.v1.list_models()
    assert listed.object == "list"
    assert listed.data is not None
    models = {model.id: model for model in listed.data}
    assert {"gpt-4o", "text-embedding-3-small", "sandbox/echo"} <= models.keys()
    assert not any(name and name.startswith("deepseek") for name in models)
    assert (models["gpt-4o"].owned_by, models["gpt-4o"].pricing) == ("openai", None)
    config = {model.id: model for model in client.llm.get_config().models}
    assert config.keys() == models.keys()
    assert config["text-embedding-3-small"].api_model_type == "embedding"
    assert config["gpt-4o"].specification == {"specificationVersion": "v2", "provider": "openai", "modelId": "gpt-4o"}
