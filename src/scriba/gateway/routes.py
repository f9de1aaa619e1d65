"""The table of everything that callers can ask of the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scriba.domain.record import Operation
from scriba.gateway.anthropic import COUNT_TOKENS, MESSAGES
from scriba.gateway.openai import CHAT_COMPLETIONS, EMBEDDINGS
from scriba.gateway.responses import RESPONSES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scriba.gateway.route import Route

__all__ = ["LISTINGS", "PATHS", "ROUTES", "is_of_gateway", "route_like", "routes_at", "served_operations"]

_SERVED: Final = {
    "/v1/chat/completions": CHAT_COMPLETIONS,
    "/v1/embeddings": EMBEDDINGS,
    "/v1/messages": MESSAGES,
    "/v1/messages/count_tokens": COUNT_TOKENS,
    "/v1/responses": RESPONSES,
}

_PREFIXES: Final = ("", "/llm")

ROUTES: Final[Mapping[tuple[str, str], Route]] = {
    ("POST", prefix + path): route for prefix in _PREFIXES for path, route in _SERVED.items()
}
"""Method and path to operation. Whatever reaches a provider is in here."""

PATHS: Final = frozenset(path for _, path in ROUTES)
"""Paths that belong to the gateway, whatever the method."""

LISTINGS: Final = tuple(f"{prefix}/v1/models" for prefix in _PREFIXES)
"""Where the API lists the models; these reach no provider."""

_UNDER: Final = tuple(f"{prefix}/v1/" for prefix in _PREFIXES)

_CONVERSATIONS: Final = (Operation.CHAT, Operation.RESPONSES, Operation.MESSAGES)
"""Operations that can stand in for each other."""


def is_of_gateway(path: str) -> bool:
    """Whether a request at this path is answered by the gateway, if only to say that it is not served."""
    return path in PATHS or (path.startswith(_UNDER) and not path.startswith(LISTINGS))


def routes_at(path: str) -> dict[str, Route]:
    """Return the routes of a path by method."""
    return {method: route for (method, known), route in ROUTES.items() if known == path}


def route_like(path: str) -> Route:
    """Return a route of the dialect that whoever asks at this path speaks."""
    return MESSAGES if "/v1/messages" in path else CHAT_COMPLETIONS


def served_operations(operation: Operation) -> dict[str, Operation]:
    """Return the paths at which the same can be asked in another way."""
    if operation not in _CONVERSATIONS:
        return {}
    others = {path: route.operation for path, route in _SERVED.items() if route is not COUNT_TOKENS}
    return {path: other for path, other in others.items() if other in _CONVERSATIONS and other != operation}
