"""LangChain's classes for OpenAI work with nothing changed but the base URL and the key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import SecretStr
from tests.provider import WORDS, Provider, streamed

if TYPE_CHECKING:
    from tests.running import Running, Tenant


@pytest.fixture
def tenant(polyglot: Running) -> Tenant:
    """Make an organisation with a strict policy."""
    return polyglot.tenant({"blockChinaProviders": True, "enforcement": "hard_block"})


def _chat(polyglot: Running, tenant: Tenant, **more: Any) -> ChatOpenAI:
    return ChatOpenAI(base_url=f"{polyglot.url}/v1", api_key=SecretStr(tenant.app), max_retries=0, **more)


@pytest.mark.parametrize("use_responses_api", [False, True])
def test_a_chat_is_invoked_and_streamed(
    polyglot: Running, tenant: Tenant, provider: Provider, *, use_responses_api: bool
) -> None:
    """By either of OpenAI's two operations."""
    chat = _chat(polyglot, tenant, model="gpt-4o", use_responses_api=use_responses_api)
    assert chat.invoke("How are you?").text == "".join(WORDS)
    provider.answer = streamed()
    assert "".join(chunk.text for chunk in chat.stream("How are you?")) == "".join(WORDS)
    operations = [entry.operation for entry in polyglot.decisions(tenant.id)]
    assert operations == ["responses" if use_responses_api else "chat"] * 2


def test_a_refusal_is_openais_exception(polyglot: Running, tenant: Tenant, provider: Provider) -> None:
    """Code that already handles refusals keeps working."""
    chat = _chat(polyglot, tenant, model="deepseek-chat")
    with pytest.raises(openai.PermissionDeniedError, match="China-based"):
        chat.invoke("How are you?")
    assert provider.received == []


def test_texts_are_embedded(polyglot: Running, tenant: Tenant) -> None:
    """The sandbox gives the same vector for the same text, by way of the client's own decoding."""
    embeddings = OpenAIEmbeddings(
        base_url=f"{polyglot.url}/v1",
        api_key=SecretStr(tenant.app),
        model="sandbox/echo",
        check_embedding_ctx_length=False,
    )
    first, second, again = embeddings.embed_documents(["one", "two", "one"])
    assert first == again != second
    assert [entry.operation for entry in polyglot.decisions(tenant.id)] == ["embeddings"]
