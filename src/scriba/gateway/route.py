"""What one kind of call is: everything in which the operations of the gateway differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec

from scriba.domain.record import Operation
from scriba.gateway.answer import Problem
from scriba.gateway.usage import ReadUsage

__all__ = ["Dialect", "Route"]

Dialect: TypeAlias = Literal["openai", "anthropic"]
"""The API that a caller and a provider speak."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One operation.

    :param operation: its name in the record
    :param path: where providers serve it, below their base URL
    :param bypasses: fields of the body by which some providers let the caller name further models, past the policy
    :param router_fields: the same, but only where a router serves the request; elsewhere they may be something else
    :param router_tools: how the types of tools begin that a router runs itself, with models that the caller names
    :param user_field: the field of the body that names the caller's own user
    :param encode_problem: writes an error in the dialect's shape
    :param read_usage: reads the token counts of an answer, or of one event of a streamed one
    """

    operation: Operation
    dialect: Dialect
    path: str
    user_field: str
    bypasses: frozenset[str]
    router_fields: frozenset[str]
    router_tools: tuple[str, ...]
    encode_problem: Callable[[Problem], bytes]
    read_usage: ReadUsage
