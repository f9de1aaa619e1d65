"""What the control tables hold, as values, and one consistent view of all of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec

from scriba.policy.rules import Policy

__all__ = [
    "COMMAND_LINE",
    "TIERS",
    "Actor",
    "ApiKey",
    "Appended",
    "ControlState",
    "LogId",
    "LogName",
    "Organisation",
    "Role",
]

TIERS: Final[Mapping[str, int]] = MappingProxyType({"free": 7, "pro": 30, "enterprise": 90})
"""Retention of each tier, in days."""


class Role(StrEnum):
    """What an API key may do in its organisation."""

    APP = "app"
    INGEST = "ingest"
    AUDITOR = "auditor"
    ADMIN = "admin"


class LogName(StrEnum):
    """The logs of an organisation; the deployment itself has `admin` alone."""

    REQUESTS = "requests"
    IMPORTS = "imports"
    ADMIN = "admin"


class LogId(msgspec.Struct, frozen=True):
    """The open generation of one log. `org_id` is empty for the deployment's own."""

    org_id: str
    log: LogName


class Appended(msgspec.Struct, frozen=True):
    """Where a record stands now that it is durable."""

    origin: str
    seq: int
    log_time: int
    leaf_hash: bytes


class Organisation(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant: it owns keys, policies and three logs."""

    id: str
    name: str
    tier: str
    retention_days: int | None
    created_at: int

    @property
    def retention(self) -> int:
        """Days that entries are kept."""
        return self.retention_days if self.retention_days is not None else TIERS[self.tier]


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API key without its secret: only the SHA-256 of the whole key is stored."""

    id: str
    org_id: str
    name: str
    role: Role
    sha256: bytes
    last4: str
    policy_slot: int | None
    allowed_slots: tuple[int, ...]
    tags: tuple[str, ...]
    created_at: int
    expires_at: int | None
    revoked_at: int | None


class ControlState(msgspec.Struct, frozen=True, kw_only=True):
    """Organisations, keys and policies as of one revision. Immutable; a change makes a new one."""

    revision: int
    organisations: Mapping[str, Organisation]
    keys: Mapping[bytes, ApiKey]
    policies: Mapping[str, tuple[Policy, ...]]


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who changes something, as the event about it says.

    :param name: the id of an API key, or `cli` for whoever runs the command line on the server
    """

    name: str
    ip_address: str = ""
    user_agent: str = ""


COMMAND_LINE: Final = Actor(name="cli")
"""Whoever can run commands on the server itself."""
