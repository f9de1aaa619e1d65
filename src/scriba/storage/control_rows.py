"""Organisations, keys and policies: between their rows and their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import select, text

from scriba.policy.rules import Policy, Rules
from scriba.storage.model import ApiKey, ControlState, Organisation, Role
from scriba.storage.tables import api_keys, deployment, organisations, policies

if TYPE_CHECKING:
    from collections.abc import Mapping

    import sqlalchemy
    from sqlalchemy import Connection, Table

__all__ = [
    "EMPTY_STATE",
    "key_document",
    "key_row",
    "load_changes",
    "next_revision",
    "organisation_document",
    "organisation_of",
    "organisation_row",
    "policy_of",
    "policy_row",
]

EMPTY_STATE: Final = ControlState(revision=-1, organisations={}, keys={}, policies={})

_encode = msgspec.json.Encoder().encode
_decode_slots = msgspec.json.Decoder(tuple[int, ...]).decode
_decode_tags = msgspec.json.Decoder(tuple[str, ...]).decode
_decode_rules = msgspec.json.Decoder(Rules).decode
_NEXT: Final = text("UPDATE deployment SET revision = revision + 1 RETURNING revision")


def next_revision(connection: Connection) -> int:
    """Count one change of the control tables; changes wait here for each other, so they are seen in order."""
    return int(connection.execute(_NEXT).scalar_one())


def load_changes(connection: Connection, state: ControlState) -> ControlState:
    """Bring a state up to date, reading only the rows that changed since its revision."""
    revision = connection.execute(select(deployment.c.revision)).scalar_one()
    if revision == state.revision:
        return state
    return ControlState(
        revision=revision,
        organisations=dict(state.organisations)
        | {o.id: o for o in map(organisation_of, _since(connection, organisations, state))},
        keys=dict(state.keys) | {k.sha256: k for k in map(_key, _since(connection, api_keys, state))},
        policies=_merge_policies(state.policies, _since(connection, policies, state)),
    )


def _since(connection: Connection, table: Table, state: ControlState) -> list[sqlalchemy.Row[Any]]:
    return list(connection.execute(select(table).where(table.c.revision > state.revision)))


def _merge_policies(
    known: Mapping[str, tuple[Policy, ...]],
    changed: list[sqlalchemy.Row[Any]],
) -> dict[str, tuple[Policy, ...]]:
    merged = {org_id: {policy.id: policy for policy in of_org} for org_id, of_org in known.items()}
    for row in changed:
        of_org = merged.setdefault(row.org_id, {})
        if row.deleted_at is None:
            of_org[row.id] = policy_of(row)
        else:
            of_org.pop(row.id, None)
    return {org_id: tuple(of_org.values()) for org_id, of_org in merged.items()}


def organisation_of(row: sqlalchemy.Row[Any]) -> Organisation:
    """Return the organisation of a row."""
    return Organisation(
        id=row.id,
        name=row.name,
        tier=row.tier,
        retention_days=row.retention_days,
        created_at=row.created_at,
    )


def _key(row: sqlalchemy.Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        org_id=row.org_id,
        name=row.name,
        role=Role(row.role),
        sha256=bytes(row.sha256),
        last4=row.last4,
        policy_slot=row.policy_slot,
        allowed_slots=_decode_slots(row.allowed_slots),
        tags=_decode_tags(row.tags),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


def policy_of(row: sqlalchemy.Row[Any]) -> Policy:
    """Return the policy of a row."""
    return Policy(
        id=row.id,
        org_id=row.org_id,
        name=row.name,
        description=row.description,
        tag_slot=row.tag_slot,
        is_default=row.is_default,
        is_active=row.is_active,
        rules=_decode_rules(row.rules),
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def organisation_row(organisation: Organisation) -> dict[str, object]:
    """Return the column values of an organisation, but for its revision."""
    return msgspec.structs.asdict(organisation)


def key_row(key: ApiKey) -> dict[str, object]:
    """Return the column values of a key, but for its revision."""
    return msgspec.structs.asdict(key) | {
        "role": key.role.value,
        "allowed_slots": _encode(key.allowed_slots).decode(),
        "tags": _encode(key.tags).decode(),
    }


def policy_row(policy: Policy) -> dict[str, object]:
    """Return the column values of a policy, but for its revision."""
    return msgspec.structs.asdict(policy) | {"rules": _encode(policy.rules).decode(), "sha256": policy.sha256}


def organisation_document(organisation: Organisation) -> dict[str, object]:
    """Return an organisation as the `admin` log refers to it."""
    return _document(organisation, ("id", "name", "tier", "retention_days"))


def key_document(key: ApiKey) -> dict[str, object]:
    """Return a key as the `admin` log refers to it: without anything that would let somebody use it."""
    names = ("id", "name", "role", "policy_slot", "allowed_slots", "tags", "expires_at", "revoked_at")
    return _document(key, names)


def _document(value: msgspec.Struct, names: tuple[str, ...]) -> dict[str, object]:
    present = {name: getattr(value, name) for name in names}
    kept = {name: list(item) if isinstance(item, tuple) else item for name, item in present.items()}
    return {_camel(name): item for name, item in kept.items() if item not in (None, "", [])}


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)
