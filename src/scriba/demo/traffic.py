"""Who asks for what in the sample: models by policy slot, keys, users, tags, addresses and programs, all made up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from scriba.domain.record import Operation

if TYPE_CHECKING:
    from random import Random

__all__ = ["KEYS", "PROVIDERS", "TAGS", "USERS", "Asked", "draw"]

PROVIDERS: Final = (
    *("openai", "anthropic", "google", "mistral", "groq", "cohere", "xai", "bedrock"),
    *("deepseek", "moonshot", "zhipu"),
)
"""The providers that would be configured."""


class _Model(NamedTuple):
    """A model that is asked for under a policy slot, and how often beside the others, in thousandths."""

    slot: int
    name: str
    weight: int
    operation: Operation = Operation.CHAT


_MODELS: Final = (
    _Model(1, "gpt-4o", 190),
    _Model(1, "gpt-4o-mini", 150),
    _Model(1, "gpt-4.1", 70),
    _Model(1, "claude-sonnet-4-20250514", 110, Operation.MESSAGES),
    _Model(1, "anthropic/claude-sonnet-4-20250514", 50),
    _Model(1, "gemini-2.5-flash", 70),
    _Model(1, "mistral-large-latest", 30),
    _Model(1, "bedrock/anthropic.claude-sonnet-4-20250514-v1:0", 20),
    _Model(1, "text-embedding-3-small", 80, Operation.EMBEDDINGS),
    _Model(1, "deepseek-chat", 22),
    _Model(1, "deepseek-reasoner", 8),
    _Model(1, "kimi-k2-0711-preview", 6),
    _Model(1, "qwen-max", 3),
    _Model(1, "house-model-7b", 1),
    _Model(2, "o4-mini", 40),
    _Model(2, "gemini-2.5-pro", 40),
    _Model(2, "groq/llama-3.3-70b-versatile", 30),
    _Model(2, "command-r-plus", 10),
    _Model(2, "grok-4", 10),
    _Model(2, "deepseek-chat", 40),
    _Model(2, "kimi-k2-0711-preview", 12),
    _Model(2, "glm-4.5", 8),
)
_WEIGHTS: Final = tuple(model.weight for model in _MODELS)

KEYS: Final = {1: ("checkout", "support-bot", "search"), 2: ("research", "notebooks")}
"""What the five API keys are for, by the policy slot that they have."""

USERS: Final = ("ada", "bruno", "chiara", "dmitri")
TAGS: Final = ("team:billing", "team:support", "env:production")

_AGENTS: Final = (
    "OpenAI/Python 2.8.1",
    "OpenAI/JS 6.9.0",
    "Anthropic/Python 0.75.0",
    "langchain-openai/1.1.0",
    "curl/8.14.1",
)
# Addresses that documentation may use (RFC 5737).
_NETWORKS: Final = ("192.0.2", "198.51.100", "203.0.113")


class Asked(NamedTuple):
    """One sample request."""

    slot: int
    model: str
    operation: Operation
    key: str
    user: str
    tags: tuple[str, ...]
    ip_address: str
    user_agent: str


def draw(random: Random) -> Asked:
    """Draw one request."""
    model = random.choices(_MODELS, _WEIGHTS)[0]
    key = random.choice(KEYS[model.slot])
    place = KEYS[model.slot].index(key) + 10 * model.slot
    return Asked(
        slot=model.slot,
        model=model.name,
        operation=model.operation,
        key=key,
        user=random.choice(USERS),
        tags=tuple(tag for tag in TAGS if random.random() < 1 / 3),
        ip_address=f"{random.choice(_NETWORKS)}.{place + random.randrange(3)}",
        user_agent=random.choice(_AGENTS),
    )
