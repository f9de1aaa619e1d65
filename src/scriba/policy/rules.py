"""Policies: the rules of an organisation, their versions and their hashes."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from scriba.domain.record import Enforcement
from scriba.policy.catalogue import TrustTier
from scriba.policy.document import Document, document, sha256

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["NO_POLICY", "Policy", "Rules", "choose_policy", "read_policy"]


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What a policy demands of a request. All rules that are set must hold.

    :param enforcement: what happens if one does not
    :param minimum_trust_tier: the provider's tier must be at least this
    :param block_china_providers: the provider must not be China-based
    :param require_zdr: zero data retention must be known to be available
    :param require_baa: a BAA must be known to be signed
    :param require_hipaa: HIPAA eligibility must be known
    :param require_soc2: a SOC 2 Type II report must be known
    :param provider_allowlist: if not empty, the provider or the model's creator must be on it
    :param provider_blocklist: neither may be on it
    :param model_allowlist: if not empty, the model must match a pattern of it (`*` is a wildcard)
    :param model_blocklist: the model must match none of it
    """

    enforcement: Enforcement
    minimum_trust_tier: TrustTier | None = None
    block_china_providers: bool = False
    require_zdr: bool = False
    require_baa: bool = False
    require_hipaa: bool = False
    require_soc2: bool = False
    provider_allowlist: tuple[str, ...] = ()
    provider_blocklist: tuple[str, ...] = ()
    model_allowlist: tuple[str, ...] = ()
    model_blocklist: tuple[str, ...] = ()


class Policy(msgspec.Struct, frozen=True, kw_only=True, dict=True, rename="camel"):
    """One version of a policy.

    :param tag_slot: 1 to 12; the slot that keys and requests choose it by
    :param is_default: whether it applies where no slot leads to a policy
    :param version: 1, 2, 3 …; each change is a new one
    :param created_at: of version 1, in microseconds since 1970 (UTC)
    :param updated_at: of this version
    """

    id: str
    org_id: str
    name: str
    rules: Rules
    description: str = ""
    tag_slot: int | None = None
    is_default: bool = False
    is_active: bool = True
    version: int = 1
    created_at: int = 0
    updated_at: int = 0

    def document(self) -> Document:
        """Return what is hashed: all that a verdict and an entry take from the policy. `read_policy` reads it back."""
        whole = document(self)
        return {name: value for name, value in whole.items() if name not in _NOT_HASHED}

    @cached_property
    def sha256(self) -> str:
        """Hash of the canonical JSON of `document`, in hex."""
        return sha256(self.document())


_NOT_HASHED: Final = frozenset({"orgId", "createdAt", "updatedAt"})

NO_POLICY: Final = Policy(
    id="gpol_none", org_id="", name="No policy", rules=Rules(enforcement=Enforcement.WARN), version=1
)
"""What applies where nothing else does: it allows, and the entry says so."""


def read_policy(stored: Document, org_id: str = "") -> Policy:
    """Return the policy of a stored document.

    :raises ValueError: it is not such a document
    """
    return msgspec.convert({**stored, "orgId": org_id}, Policy)


def choose_policy(policies: Iterable[Policy], requested_slot: int | None, key_slot: int | None) -> Policy:
    """Return the active policy of the requested slot, else of the key's slot, else the default, else `NO_POLICY`."""
    default = of_key = None
    for policy in policies:
        if not policy.is_active:
            continue
        if requested_slot is not None and policy.tag_slot == requested_slot:
            return policy
        if key_slot is not None and policy.tag_slot == key_slot:
            of_key = policy
        if policy.is_default:
            default = policy
    return of_key or default or NO_POLICY
