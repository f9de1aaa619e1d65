"""Whose a name is by its looks: the families of bare names, and the makers of open weights.

A retired or brand-new name must resolve too, so these rules need no list of models on sale.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["FAMILIES", "MAKERS", "family", "likely_creator"]

FAMILIES: Final = {
    "openai": (
        r"gpt-(?!oss)|chatgpt-|o[134](?:-|$)|text-embedding-|omni-moderation|whisper-|tts-|dall-e-|gpt-image|sora-|codex-"
        r"|computer-use"
    ),
    "anthropic": r"claude-",
    "google": r"gemini-|learnlm-|imagen-|veo-",
    "xai": r"grok-",
    "mistral": (r"mistral-|ministral-|codestral|devstral-|magistral-|pixtral-|voxtral-|open-mistral|open-mixtral"),
    "cohere": r"command-|c4ai-|embed-|rerank-",
    "deepseek": r"deepseek-",
    "perplexity": r"sonar",
    "alibaba": r"qwen-|qwen3-max|qwen3(?:\.\d+)?-(?:max|plus|flash)|qwq-plus|qvq-",
    "moonshot": r"kimi-|moonshot-",
    "zhipu": r"glm-|cogview|cogvideo",
    "minimax": r"minimax-|abab",
    "baidu": r"ernie-",
    "volcengine": r"doubao-",
    "tencent": r"hunyuan-|hy[34](?:-|$)",
    "01-ai": r"yi-",
    "stepfun": r"step-",
    "ai21": r"jamba-",
    "voyage": r"voyage-",
    "jina": r"jina-",
    "bedrock": r"nova-|amazon\.",
    "meta": r"muse-",
}
"""Provider to the beginnings of the bare names that are its own."""

MAKERS: Final = frozenset(FAMILIES) - {"bedrock"}
"""Providers whose id may stand before a name as its author. The id of any other can only be a prefix."""

_FAMILY: Final = re.compile("|".join(f"(?P<_{index}>{rule})" for index, rule in enumerate(FAMILIES.values())))
_PROVIDERS: Final = tuple(FAMILIES)

_CREATORS: Final = {
    "claude": "anthropic",
    "command": "cohere",
    "deepseek": "deepseek",
    "doubao": "volcengine",
    "ernie": "baidu",
    "gemini": "google",
    "gemma": "google",
    "glm": "zhipu",
    "gpt": "openai",
    "granite": "ibm",
    "grok": "xai",
    "hunyuan": "tencent",
    "jamba": "ai21",
    "kimi": "moonshot",
    "llama": "meta",
    "minimax": "minimax",
    "mistral": "mistral",
    "mixtral": "mistral",
    "moonshot": "moonshot",
    "nemotron": "nvidia",
    "nova": "amazon",
    "phi": "microsoft",
    "qwen": "alibaba",
    "qwq": "alibaba",
    "step": "stepfun",
    "yi": "01-ai",
}
_CREATOR: Final = re.compile(rf"(?:^|[^a-z])({'|'.join(_CREATORS)})(?![a-z])")


def family(name: str) -> str:
    """Return the provider whose own name `name` (in lower case) is, or ""."""
    match = _FAMILY.match(name)
    return _PROVIDERS[int(match.lastgroup[1:])] if match and match.lastgroup else ""


def likely_creator(name: str) -> str:
    """Return who by its looks made `name` (in lower case), or "". Good enough to forbid a model, never to allow one."""
    match = _CREATOR.search(name)
    return _CREATORS[match[1]] if match else ""
