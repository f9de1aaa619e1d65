"""Forms in which a name tells its provider."""

from __future__ import annotations

import pytest

from scriba.policy.forms import bedrock_key, bedrock_vendor, is_china_arn, named_provider, without_suffix

ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4-7-v1:0"


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        (ARN, "bedrock"),
        ("arn:aws-cn:bedrock:cn-north-1:1:foundation-model/x", "bedrock"),
        ("anthropic.claude-3-haiku-20240307-v1:0", "bedrock"),
        ("us-gov.amazon.nova-pro-v1:0", "bedrock"),
        ("global.openai.gpt-5.4", "bedrock"),
        ("@cf/meta/llama", "cloudflare"),
        ("@hf/x/y", "cloudflare"),
        ("accounts/me/models/mine", "fireworks"),
        ("publishers/google/models/gemini-2.5-pro", "vertex"),
        ("claude-sonnet-4@20250514", "vertex"),
        ("gemini-1.0-pro@001", "vertex"),
        ("meta/llama-maas", "vertex"),
        ("databricks-dbrx", "databricks"),
        ("ft:gpt-4o:org::id", "openai"),
        ("models/gemini-2.5-pro", "google"),
    ],
)
def test_a_form_names_its_provider(name: str, provider: str) -> None:
    """These forms need neither a prefix nor a list."""
    assert named_provider(name) == provider


@pytest.mark.parametrize(
    "name",
    [
        "",
        "gpt-4o",
        "x@12",
        "me@example.com",
        "arn:aws:sagemaker:us-east-1:1:endpoint/x",
        "eu.unknown.model",
        "ft:",
        "models/x",
    ],
)
def test_other_names_do_not(name: str) -> None:
    """What only looks alike names nobody."""
    assert not named_provider(name)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (ARN, "anthropic.claude-opus-4-7"),
        ("anthropic.claude-opus-4-7", "anthropic.claude-opus-4-7"),
        ("eu.meta.llama3-3-70b-instruct-v1:0", "meta.llama3-3-70b-instruct"),
        ("openai.gpt-oss-120b-1:0", "openai.gpt-oss-120b"),
        ("cohere.embed-v4:0", "cohere.embed-v4"),
        ("amazon.titan-embed-text-v2:0", "amazon.titan-embed-text-v2"),
        ("deepseek.v3.1", "deepseek.v3.1"),
    ],
)
def test_two_bedrock_ids_of_one_model_are_equal(name: str, key: str) -> None:
    """Geography and version fall away; a number that belongs to the model stays."""
    assert bedrock_key(name) == key


def test_the_vendor_of_a_bedrock_id() -> None:
    """It is known even for a model that no list has."""
    assert bedrock_vendor("us.qwen.qwen9") == "qwen"
    assert bedrock_vendor(ARN) == "anthropic"
    assert not bedrock_vendor("gpt-4o")


def test_amazons_regions_in_china_are_recognised() -> None:
    """Chinese companies run them."""
    assert is_china_arn("arn:aws-cn:bedrock:cn-north-1:1:x/y")
    assert is_china_arn("arn:aws:bedrock:cn-northwest-1:1:x/y")
    assert not is_china_arn(ARN)
    assert not is_china_arn("cn-north-1")


@pytest.mark.parametrize(
    ("name", "cut"),
    [("a:free", "a"), ("a:0", "a"), ("a:latest", "a:latest"), ("a:70b-q4", "a:70b-q4"), ("a", "a"), (":free", "")],
)
def test_only_variants_and_versions_are_cut(name: str, cut: str) -> None:
    """A tag of Ollama is part of the name."""
    assert without_suffix(name) == cut
