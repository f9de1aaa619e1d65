"""The shapes of answers and bodies that are put together by hand, for the OpenAPI document alone."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from scriba.audit.entry import Entry, Proof
from scriba.audit.export import EntryPagination, Pagination
from scriba.policy.rules import Rules

__all__ = [
    "Deleted",
    "EntryDetail",
    "EntryList",
    "PolicyChange",
    "PolicyDocument",
    "PolicyDraft",
    "PolicyList",
    "Problem",
]

Time: TypeAlias = Annotated[
    str, msgspec.Meta(description="RFC 3339 in UTC, ended by Z.", examples=["2025-01-10T14:30:00Z"])
]
Slot: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=12)]


class _Error(msgspec.Struct, kw_only=True, rename="camel"):
    """What went wrong. `code` is stable; `param` names the field, parameter or header at fault."""

    type: str
    code: str
    message: str
    param: str | None
    request_id: str


class Problem(msgspec.Struct):
    """An error."""

    error: _Error


class EntryList(msgspec.Struct):
    """A part of the entries that match."""

    logs: list[Entry]
    pagination: EntryPagination


class EntryDetail(Entry, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One entry, with how its call ended and what the log can prove about it."""

    proof: Proof


class PolicyDocument(msgspec.Struct, kw_only=True, rename="camel"):
    """A policy in its newest version."""

    id: str
    org_id: str
    name: str
    description: str = ""
    tag_slot: Slot | None
    is_default: bool
    is_active: bool
    rules: Rules
    version: Annotated[int, msgspec.Meta(ge=1)]
    sha256: str
    created_at: Time
    updated_at: Time


class PolicyList(msgspec.Struct):
    """A part of the policies, oldest first."""

    policies: list[PolicyDocument]
    pagination: Pagination


class PolicyDraft(msgspec.Struct, kw_only=True, rename="camel"):
    """A policy to make. One active policy a slot, one default."""

    name: str
    rules: Rules
    description: str = ""
    tag_slot: Slot | None = None
    is_default: bool = False
    is_active: bool = True
    allow_unknown: Annotated[bool, msgspec.Meta(description="Take names of providers that nobody knows.")] = False


class PolicyChange(msgspec.Struct, kw_only=True, rename="camel"):
    """A JSON Merge Patch (RFC 7396): what is named changes, null takes away, everything else stays."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType | None = msgspec.UNSET
    tag_slot: Slot | msgspec.UnsetType | None = msgspec.UNSET
    is_default: bool | msgspec.UnsetType = msgspec.UNSET
    is_active: bool | msgspec.UnsetType = msgspec.UNSET
    rules: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    allow_unknown: bool | msgspec.UnsetType = msgspec.UNSET


class Deleted(msgspec.Struct):
    """What was deleted."""

    id: str
    deleted: Literal[True]
