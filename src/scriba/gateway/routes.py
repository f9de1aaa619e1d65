"""The table of everything that callers can ask of the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scriba.gateway.openai import CHAT_COMPLETIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scriba.gateway.route import Route

__all__ = ["PATHS", "ROUTES", "routes_at"]

ROUTES: Final[Mapping[tuple[str, str], Route]] = {
    ("POST", "/v1/chat/completions"): CHAT_COMPLETIONS,
    ("POST", "/llm/v1/chat/completions"): CHAT_COMPLETIONS,
}
"""Method and path to operation. Whatever reaches a provider is in here."""

PATHS: Final = frozenset(path for _, path in ROUTES)
"""Paths that belong to the gateway, whatever the method."""


def routes_at(path: str) -> dict[str, Route]:
    """Return the routes of a path by method."""
    return {method: route for (method, known), route in ROUTES.items() if known == path}
