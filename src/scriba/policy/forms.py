"""The forms in which a model string names its provider by itself, and the parts that are cut off for a look-up.

Sources: the id formats of Amazon Bedrock, Vertex AI, the Gemini API, Cloudflare, Fireworks, Databricks and OpenAI's
fine-tunes, and the suffixes of OpenRouter and of Hugging Face's router. All functions take the string in lower case.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "ROUTER_CHOICES",
    "VARIANTS",
    "bedrock_key",
    "bedrock_vendor",
    "is_china_arn",
    "named_provider",
    "names_one_model",
    "without_suffix",
]

VARIANTS: Final = frozenset({"exacto", "extended", "floor", "free", "nitro", "online", "thinking"})
"""What OpenRouter lets follow a model's name after a colon."""

ROUTER_CHOICES: Final = frozenset({"cheapest", "fastest"})
"""What Hugging Face lets stand there when it is to choose the upstream itself."""

_VENDORS: Final = (
    "ai21|amazon|anthropic|cohere|deepseek|google|luma|meta|minimax|mistral|moonshot|moonshotai|nvidia|openai|qwen"
    "|stability|twelvelabs|writer|xai|zai"
)
_GEOGRAPHY: Final = r"(?:(?:apac|au|ca|eu|global|in|jp|us|us-gov)\.)?"
_BEDROCK: Final = re.compile(rf"{_GEOGRAPHY}(?P<vendor>{_VENDORS})\.(?=.)")
_ARN: Final = re.compile(r"arn:(?P<partition>aws[a-z-]*):bedrock:(?P<region>[^:]*):")

_FORMS: Final = re.compile(
    r"(?P<cloudflare>@(?:cf|hf)/.)"
    r"|(?P<fireworks>accounts/[^/]+/models/.)"
    r"|(?P<vertex>publishers/.|.+@\d{3,8}$|.+-maas$)"
    r"|(?P<databricks>databricks-.)"
    r"|(?P<openai>ft:.)"
    r"|(?P<google>models/gemini)",
    re.DOTALL,
)
_AT_A_ROUTER: Final = re.compile(
    r"~?(?!openrouter/)[a-z0-9_][a-z0-9._-]*/(?!(?:auto|router)(?![a-z0-9]))[a-z0-9_][a-z0-9._-]*(?::[a-z0-9-]+)?"
)
_BEDROCK_VERSION: Final = re.compile(r"(?:-v?1)?(?::\d+)?$")
_SUFFIX: Final = re.compile(rf":(?:{'|'.join(sorted(VARIANTS))}|\d+)$")


def named_provider(name: str) -> str:
    """Return the provider that the form of `name` stands for, or ""."""
    if _ARN.match(name) or _BEDROCK.match(name):
        return "bedrock"
    form = _FORMS.match(name)
    return (form.lastgroup or "") if form else ""


def names_one_model(name: str) -> bool:
    """Whether a name at a router has the form of one model, `author/model`.

    Others leave the choice to the router or to what is set up there: OpenRouter's own `openrouter/auto` and
    `openrouter/free`, `@preset/name` alone or behind a model, and forms that no router documents.
    """
    return _AT_A_ROUTER.fullmatch(name) is not None


def bedrock_vendor(name: str) -> str:
    """Return the vendor that a Bedrock id or ARN names, or ""."""
    match = _BEDROCK.match(name.rpartition("/")[2])
    return match["vendor"] if match else ""


def bedrock_key(name: str) -> str:
    """Return a Bedrock id or ARN without its geography and version, so that two ids of one model are equal."""
    model = name.rpartition("/")[2]
    match = _BEDROCK.match(model)
    return _BEDROCK_VERSION.sub("", model[match.start("vendor") :] if match else model)


def is_china_arn(name: str) -> bool:
    """Whether an ARN names Amazon's regions in China, which Chinese companies run."""
    match = _ARN.match(name)
    return match is not None and (match["partition"] == "aws-cn" or match["region"].startswith("cn-"))


def without_suffix(name: str) -> str:
    """Return `name` without a variant or version that follows a colon."""
    return _SUFFIX.sub("", name)
