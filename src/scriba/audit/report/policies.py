"""Which policies a report is about, and what they take for granted about providers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import bindparam, select

from scriba.audit.report.statement import has_policy_statement
from scriba.errors import NotFound
from scriba.policy.catalogue import ASSURANCES
from scriba.policy.rules import NO_POLICY, read_policy
from scriba.storage.tables import api_keys, documents, policies, policy_versions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from scriba.audit.report.figures import Served
    from scriba.audit.span import Span
    from scriba.storage.database import Dialect

__all__ = ["FACTS", "RequiredFact", "key_names", "policy_names", "read_required_facts", "require_policy"]

FACTS: Final = {"zdr": "zero data retention", "baa": "a BAA", "hipaa": "HIPAA eligibility", "soc2": "SOC 2 Type II"}
"""The facts that a policy can require, in words."""

_NAMES: Final = select(policies.c.id, policies.c.name).where(policies.c.org_id == bindparam("org_id"))
_KEYS: Final = select(api_keys.c.id, api_keys.c.name).where(api_keys.c.org_id == bindparam("org_id"))
_VERSIONS: Final = (
    select(policy_versions.c.sha256, documents.c.body)
    .join(policies, policies.c.id == policy_versions.c.policy_id)
    .join(documents, documents.c.sha256 == policy_versions.c.sha256)
    .where(policies.c.org_id == bindparam("org_id"))
)


class RequiredFact(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A fact that a policy requires of providers, and on what it rests.

    `basis` is `available`: the catalogue says that it can be had. That it was had, nobody has attested.
    """

    policy_id: str
    policy_name: str
    fact: str
    providers: tuple[str, ...]
    basis: str


def policy_names(connection: Connection, org_id: str) -> dict[str, str]:
    """Return the newest names of an organisation's policies by their ids, also of deleted ones."""
    return {
        NO_POLICY.id: NO_POLICY.name,
        **{row.id: row.name for row in connection.execute(_NAMES, {"org_id": org_id})},
    }


def key_names(connection: Connection, org_id: str) -> dict[str, str]:
    """Return the names of an organisation's API keys by their ids."""
    return {row.id: row.name for row in connection.execute(_KEYS, {"org_id": org_id})}


def require_policy(
    connection: Connection, dialect: Dialect, spans: Sequence[Span], names: Mapping[str, str], policy_id: str
) -> str:
    """Return the name of a policy that the organisation has, has had, or that some entry of its names.

    A report about a mistyped id would say that nothing went wrong.

    :raises NotFound: there is none; another organisation's answers the same
    """
    if policy_id in names:
        return names[policy_id]
    for span in spans:
        row = connection.exec_driver_sql(*has_policy_statement(span, policy_id, dialect)).first()
        if row is not None:
            return str(row[0])
    raise NotFound(
        f"There is no policy {policy_id!r}, and no entry names it.",
        param="policyId",
        hint="`GET /governance` lists them.",
    )


def read_required_facts(connection: Connection, org_id: str, served: Sequence[Served]) -> tuple[RequiredFact, ...]:
    """Return the facts that policies required of the providers that served under them."""
    if not served:
        return ()
    bodies = {row.sha256: bytes(row.body) for row in connection.execute(_VERSIONS, {"org_id": org_id})}
    found: dict[tuple[str, str, str], set[str]] = {}
    for sha256, provider, name in served:
        for policy_id, fact in _required(bodies.get(sha256)):
            found.setdefault((policy_id, name, fact), set()).add(provider)
    return tuple(
        RequiredFact(policy_id=policy_id, policy_name=name, fact=fact, providers=tuple(sorted(who)), basis="available")
        for (policy_id, name, fact), who in sorted(found.items())
    )


def _required(body: bytes | None) -> list[tuple[str, str]]:
    if body is None:
        return []
    stored: dict[str, Any] = msgspec.json.decode(body)
    policy = read_policy(stored)
    return [(policy.id, fact) for fact in ASSURANCES if getattr(policy.rules, f"require_{fact}")]
