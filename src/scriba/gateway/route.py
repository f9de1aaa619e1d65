"""What one kind of call is: everything in which the operations of the gateway differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias

import msgspec

from scriba.domain.record import Operation
from scriba.gateway.answer import Problem
from scriba.gateway.body import Body
from scriba.gateway.usage import ReadUsage

__all__ = ["ROUTER_FIELDS", "ROUTER_TOOLS", "Dialect", "Route"]

Dialect: TypeAlias = Literal["openai", "anthropic"]
"""The API that a caller and a provider speak."""

# OpenRouter, https://openrouter.ai/docs/features/model-routing, .../presets and .../guides/features/server-tools;
# Vercel, https://vercel.com/docs/ai-gateway/models-and-providers/provider-options
ROUTER_FIELDS: Final = frozenset({"fallbacks", "plugins", "preset", "provider", "provideroptions", "route"})
"""Fields by which callers of a router name further models, in whichever dialect."""

ROUTER_TOOLS: Final = ("openrouter:",)
"""How the types of tools begin that a router runs itself, with models that the caller names."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One operation.

    :param operation: its name in the record
    :param path: where providers serve it, below their base URL
    :param user_field: the field of the body that names the caller's own user; a dot leads into an object
    :param bypasses: fields of the body, in lower case, that no policy could judge, each with what it would do
    :param check_body: refuses what else in a body would bring in another model or server
    :param router_fields: like `bypasses`, but only where a router serves the request; elsewhere they may be something
        else
    :param router_tools: how the types of tools begin that a router runs itself, with models that the caller names
    :param encode_problem: writes an error in the dialect's shape
    :param encode_event: writes the same as one event of a stream
    :param read_usage: reads the token counts of an answer, or of one event of a streamed one
    """

    operation: Operation
    dialect: Dialect
    path: str
    user_field: str
    bypasses: Mapping[str, str] = {}
    check_body: Callable[[Body], None] | None = None
    router_fields: frozenset[str] = ROUTER_FIELDS
    router_tools: tuple[str, ...] = ROUTER_TOOLS
    encode_problem: Callable[[Problem], bytes]
    encode_event: Callable[[Problem], bytes]
    read_usage: ReadUsage
