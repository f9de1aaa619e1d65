"""Whose a bare name is by its looks."""

from __future__ import annotations

import pytest

from scriba.policy.families import FAMILIES, MAKERS, family, likely_creator


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("gpt-4o", "openai"),
        ("gpt-9-anything", "openai"),
        ("o1", "openai"),
        ("o3-mini", "openai"),
        ("text-embedding-3-small", "openai"),
        ("claude-2.1", "anthropic"),
        ("gemini-1.0-pro", "google"),
        ("grok-2", "xai"),
        ("codestral", "mistral"),
        ("open-mixtral-8x22b", "mistral"),
        ("command-r", "cohere"),
        ("deepseek-chat", "deepseek"),
        ("sonar-deep-research", "perplexity"),
        ("qwen-turbo", "alibaba"),
        ("qwen3.5-plus", "alibaba"),
        ("kimi-latest", "moonshot"),
        ("glm-4-plus", "zhipu"),
        ("abab6.5s-chat", "minimax"),
        ("ernie-4.0", "baidu"),
        ("doubao-pro", "volcengine"),
        ("hy3", "tencent"),
        ("yi-large", "01-ai"),
        ("step-2-16k", "stepfun"),
        ("jamba-mini", "ai21"),
        ("voyage-code-3", "voyage"),
        ("jina-embeddings-v3", "jina"),
        ("amazon.titan-text", "bedrock"),
        ("muse-large", "meta"),
    ],
)
def test_a_name_belongs_to_its_family(name: str, provider: str) -> None:
    """Retired and brand-new names resolve without any list of models."""
    assert family(name) == provider


@pytest.mark.parametrize(
    "name", ["", "gpt-oss-120b", "o10", "o3x", "hy35", "llama-3.3-70b", "qwen3-32b", "my-gpt-4o", "step"]
)
def test_a_name_that_only_resembles_one_does_not(name: str) -> None:
    """Open weights without an API of their maker have no family: `gpt-oss` is not served by OpenAI."""
    assert not family(name)


@pytest.mark.parametrize(
    ("name", "creator"),
    [
        ("deepseek-r1-distill-llama-70b", "deepseek"),
        ("accounts/fireworks/models/qwen3-8b", "alibaba"),
        ("databricks-meta-llama-3-3-70b-instruct", "meta"),
        ("my-gpt4o-prod", "openai"),
        ("steps", ""),
        ("", ""),
    ],
)
def test_a_likely_creator_is_found_inside_a_name(name: str, creator: str) -> None:
    """A blocklist of makers also meets names that no list knows."""
    assert likely_creator(name) == creator


def test_a_provider_of_others_models_is_no_maker() -> None:
    """`bedrock/…` is always a prefix, though Amazon's own names have a family."""
    assert set(FAMILIES) - MAKERS == {"bedrock"}
