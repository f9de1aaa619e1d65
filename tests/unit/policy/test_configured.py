"""What a configured provider can be asked for, and which addresses end in China."""

from __future__ import annotations

import pytest

from scriba.domain.record import Operation
from scriba.policy.configured import ConfiguredProvider, dialect_of, is_china_endpoint


@pytest.mark.parametrize(
    "url",
    [
        "https://bedrock-runtime.cn-north-1.amazonaws.com.cn/openai/v1",
        "https://name.openai.azure.cn/openai/v1",
        "https://api.siliconflow.cn/v1",
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        "https://ark.cn-beijing.volces.com/api/v3",
        "https://qianfan.baidubce.com/v2",
        "https://tokenhub.tencentmaas.com/v1",
        "HTTPS://EXAMPLE.CN:443/",
        "https://example.cn./v1",
        "api.moonshot.cn/v1",
        "http://[broken/",
        "https://",
    ],
)
def test_endpoints_in_china_are_recognised(url: str) -> None:
    """A provider that is not China-based can be reached through an address that is, in any spelling."""
    assert is_china_endpoint(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://api.openai.com/v1",
        "https://api.z.ai/api",
        "http://127.0.0.1:8000",
        "https://cn.example.com",
        "http://[::1]:80/cn",
    ],
)
def test_other_endpoints_are_not(url: str) -> None:
    """Only the host decides, and no URL is no endpoint."""
    assert not is_china_endpoint(url)


@pytest.mark.parametrize(
    ("operation", "dialect"),
    [
        (Operation.CHAT, "openai"),
        (Operation.RESPONSES, "openai"),
        (Operation.EMBEDDINGS, "openai"),
        (Operation.MESSAGES, "anthropic"),
    ],
)
def test_each_operation_has_its_dialect(operation: Operation, dialect: str) -> None:
    """A provider is asked only for what its dialects have."""
    other = "anthropic" if dialect == "openai" else "openai"
    assert dialect_of(operation) == dialect
    assert ConfiguredProvider(id="x", dialects=(dialect,)).speaks(operation)
    assert not ConfiguredProvider(id="x", dialects=(other,)).speaks(operation)


def test_operations_narrow_the_dialects() -> None:
    """The operator can say that a provider has only some of the operations."""
    one = ConfiguredProvider(id="x", dialects=("openai",), operations=(Operation.EMBEDDINGS, Operation.MESSAGES))
    assert [operation for operation in Operation if one.speaks(operation)] == [Operation.EMBEDDINGS]
