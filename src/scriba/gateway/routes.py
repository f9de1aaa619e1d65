"""The table of everything that callers can ask of the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scriba.gateway.openai import CHAT_COMPLETIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scriba.gateway.route import Route

__all__ = ["PATHS", "ROUTES", "allowed_methods"]

ROUTES: Final[Mapping[tuple[str, str], Route]] = {
    ("POST", "/v1/chat/completions"): CHAT_COMPLETIONS,
    ("POST", "/llm/v1/chat/completions"): CHAT_COMPLETIONS,
}
"""Method and path to operation. Whatever reaches a provider is in here."""

PATHS: Final = frozenset(path for _, path in ROUTES)
"""Paths that belong to the gateway, whatever the method."""


def allowed_methods(path: str) -> str:
    """Return the methods of a path, as an Allow header lists them."""
    return ", ".join(method for method, known in ROUTES if known == path)
