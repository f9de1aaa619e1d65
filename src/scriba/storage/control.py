"""Organisations, API keys and policies: one view of them for each process, and the ways to change them.

Requests are decided on `Control.state`, which is in memory. It may be behind: every append therefore compares the
revision it was decided under with the database's, inside its own transaction (`scriba.storage.hot`). So a change
holds for every request that begins after the change was acknowledged, in every process, and nothing is read from
the database for a request while nothing changes.
"""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager, suppress
from enum import Enum
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import insert, select, update

from scriba.domain.api_key import key_digest, mint_api_key
from scriba.domain.ids import mint_id
from scriba.domain.nearest import nearest
from scriba.domain.record import LogStart
from scriba.errors import Conflict, InvalidInput, NotFound
from scriba.ledger.canonical import InvalidRecord, check_text
from scriba.ledger.hidden import MAX_TAG, MAX_TAGS
from scriba.ledger.origin import Origin
from scriba.policy.document import canonical_json
from scriba.policy.drafts import new_policy, patched_policy
from scriba.policy.rules import Policy
from scriba.storage.control_rows import (
    EMPTY_STATE,
    key_document,
    key_row,
    load_changes,
    next_revision,
    organisation_document,
    organisation_of,
    organisation_row,
    policy_of,
    policy_row,
)
from scriba.storage.events import Journal, keep_document
from scriba.storage.idempotency import answer_of, keep_answer
from scriba.storage.model import TIERS, ApiKey, ControlState, LogId, LogName, Organisation
from scriba.storage.tables import api_keys, organisations, policies, policy_versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from scriba.ledger.keyring import Keyring
    from scriba.policy.vendors import Vendors
    from scriba.storage.database import Database
    from scriba.storage.hot import HotLogs
    from scriba.storage.idempotency import Repeat
    from scriba.storage.model import Actor, Role

__all__ = ["KEEP_DAYS", "Control", "KeepDays"]

_NAME: Final = re.compile(r"[a-z0-9-]{1,63}")
_SLOTS: Final = range(1, 13)
_MAX_RETENTION_DAYS: Final = 36_500
_MAX_NAME_BYTES: Final = 256


class KeepDays(Enum):
    """Says that the number of days stays as it is."""

    KEEP = 0


KEEP_DAYS: Final = KeepDays.KEEP


class _NothingChanged(Exception):
    """Leaves a transaction that turned out to have nothing to do, without counting a change."""


class Control:
    """The control tables of one database, as one process sees them."""

    def __init__(self, database: Database, hot: HotLogs, keyring: Keyring, deployment_name: str) -> None:
        self._database = database
        self._hot = hot
        self._keyring = keyring
        self._deployment = deployment_name
        self._journal = Journal(hot)
        self._refreshing = threading.Lock()
        self.state: ControlState = EMPTY_STATE

    def refresh(self) -> ControlState:
        """Bring `state` up to date and return it. One small read when nothing has changed.

        :raises StoreUnreachable: the database does not answer
        """
        with self._refreshing, self._database.read() as connection:
            self.state = load_changes(connection, self.state)
            return self.state

    @contextmanager
    def _change(self, org_id: str | None = None) -> Iterator[tuple[Connection, int, int]]:
        """One transaction: connection, revision of the change, and now. `state` shows it afterwards.

        :param org_id: whose keys or policies change, so that what was decided before for it is decided again
        """
        with suppress(_NothingChanged), self._database.write() as connection:
            revision = next_revision(connection)
            if org_id is not None:
                this = organisations.c.id == org_id
                connection.execute(update(organisations).where(this).values(revision=revision))
            yield connection, revision, self._database.clock(connection)
        self.refresh()

    # Organisations

    def create_organisation(
        self,
        name: str,
        *,
        actor: Actor,
        tier: str = "free",
        retention_days: int | None = None,
    ) -> Organisation:
        """Create a tenant and its three logs.

        :raises InvalidInput: a bad name, tier or number of days
        :raises Conflict: the name is taken
        """
        _check_organisation(name, tier, retention_days)
        with self._change() as (connection, revision, now):
            if connection.execute(select(organisations.c.id).where(organisations.c.name == name)).first():
                raise Conflict(f"There is an organisation called {name!r} already.", param="name")
            organisation = Organisation(
                id=mint_id("org", now),
                name=name,
                tier=tier,
                retention_days=retention_days,
                created_at=now,
            )
            connection.execute(insert(organisations).values(organisation_row(organisation) | {"revision": revision}))
            for log in LogName:
                self._open_log(connection, LogId(organisation.id, log))
            after = organisation_document(organisation)
            self._journal.write(connection, "org.created", organisation.id, actor=actor, after=after)
        return organisation

    def _open_log(self, connection: Connection, log: LogId) -> None:
        origin = Origin(self._deployment, log.org_id, log.log.value)
        keys = self._keyring.of(origin)
        self._hot.create(connection, log, LogStart(origin=str(origin), keys=keys.vkeys, org_id=log.org_id))

    def update_organisation(
        self, org_id: str, *, actor: Actor, tier: str | None = None, retention_days: int | KeepDays | None = KEEP_DAYS
    ) -> Organisation:
        """Change how long an organisation's entries are kept; it counts from the next purge on.

        :param tier: None leaves it as it is
        :param retention_days: None goes by the tier
        :raises InvalidInput: a bad tier or number of days
        :raises NotFound: there is no such organisation
        """
        with self._change(org_id) as (connection, revision, _):
            row = connection.execute(select(organisations).where(organisations.c.id == org_id)).one_or_none()
            if row is None:
                raise NotFound(f"There is no organisation {org_id!r}.", param="org")
            before = organisation_of(row)
            days = before.retention_days if isinstance(retention_days, KeepDays) else retention_days
            after = msgspec.structs.replace(before, tier=tier or before.tier, retention_days=days)
            _check_organisation(after.name, after.tier, after.retention_days)
            if after == before:
                raise _NothingChanged
            values = organisation_row(after) | {"revision": revision}
            connection.execute(update(organisations).where(organisations.c.id == org_id).values(values))
            self._journal.write(
                connection,
                "retention.changed",
                org_id,
                actor=actor,
                org_id=org_id,
                before=organisation_document(before),
                after=organisation_document(after),
                # Verification holds every later purge to it, so it stands in the record itself.
                facts={"retentionDays": after.retention, "retentionDaysBefore": before.retention},
            )
        return self.state.organisations[org_id]

    def find_organisation(self, id_or_name: str) -> Organisation:
        """Return an organisation of the current state by its id or its name.

        :raises NotFound: naming the nearest name
        """
        known = self.state.organisations
        if (found := known.get(id_or_name)) is not None:
            return found
        names = {organisation.name: organisation for organisation in known.values()}
        if id_or_name in names:
            return names[id_or_name]
        near = nearest(id_or_name, names)
        hint = f"Did you mean {near!r}?" if near else "See `scriba org list`."
        raise NotFound(f"There is no organisation {id_or_name!r}.", param="org", hint=hint)

    # API keys

    def create_key(
        self,
        org_id: str,
        *,
        role: Role,
        actor: Actor,
        name: str = "",
        policy_slot: int | None = None,
        allowed_slots: Sequence[int] = (),
        tags: Sequence[str] = (),
        expires_at: int | None = None,
    ) -> tuple[ApiKey, str]:
        """Create a key; the second value is the key itself, which is stored nowhere.

        :raises InvalidInput: naming the field
        """
        _check_key(name, policy_slot, allowed_slots, tags)
        secret = mint_api_key()
        with self._change(org_id) as (connection, revision, now):
            if expires_at is not None and expires_at <= now:
                raise InvalidInput("A key cannot expire in the past.", param="expires")
            key = ApiKey(
                id=mint_id("key", now),
                org_id=org_id,
                name=name,
                role=role,
                sha256=key_digest(secret),
                last4=secret[-4:],
                policy_slot=policy_slot,
                allowed_slots=tuple(sorted(set(allowed_slots))),
                tags=tuple(tags),
                created_at=now,
                expires_at=expires_at,
                revoked_at=None,
            )
            connection.execute(insert(api_keys).values(key_row(key) | {"revision": revision}))
            after = key_document(key)
            self._journal.write(connection, "key.created", key.id, actor=actor, org_id=org_id, after=after)
        return key, secret

    def keys_of(self, org_id: str) -> list[ApiKey]:
        """Return all keys of an organisation, oldest first."""
        return sorted((key for key in self.state.keys.values() if key.org_id == org_id), key=lambda key: key.created_at)

    def revoke_key(self, org_id: str, key_id: str, *, actor: Actor) -> ApiKey:
        """Make a key useless, at once and for ever; nothing happens if it is already.

        :raises NotFound: the organisation has no such key
        """
        found = next((key for key in self.keys_of(org_id) if key.id == key_id), None)
        if found is None:
            raise NotFound(f"There is no key {key_id!r}.", param="key", hint="See `scriba key list`.")
        with self._change(org_id) as (connection, revision, now):
            this = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)
            changed = connection.execute(update(api_keys).where(this).values(revoked_at=now, revision=revision))
            if not changed.rowcount:
                raise _NothingChanged
            before = key_document(found)
            after = before | {"revokedAt": now}
            self._journal.write(
                connection, "key.revoked", key_id, actor=actor, org_id=org_id, before=before, after=after
            )
        return next(key for key in self.keys_of(org_id) if key.id == key_id)

    # Policies

    def policies_of(self, org_id: str) -> tuple[Policy, ...]:
        """Return the policies of an organisation that were not deleted, oldest first."""
        return tuple(sorted(self.state.policies.get(org_id, ()), key=lambda policy: policy.created_at))

    def find_policy(self, org_id: str, policy_id: str) -> Policy:
        """Return a policy of an organisation.

        :raises NotFound: it has none with this id
        """
        found = next((policy for policy in self.state.policies.get(org_id, ()) if policy.id == policy_id), None)
        if found is None:
            raise NotFound(f"There is no policy {policy_id!r}.", param="id")
        return found

    def create_policy(
        self, org_id: str, body: object, *, vendors: Vendors, actor: Actor, repeat: Repeat | None = None
    ) -> Policy:
        """Create a policy from a client's JSON, or return the one that the same request has created before.

        :raises InvalidInput: naming the path of what is wrong
        :raises Conflict: its slot is taken, or there is a default already, or the request is not the one repeated
        """
        with self._change(org_id) as (connection, revision, now):
            if repeat is not None and (kept := answer_of(connection, repeat)) is not None:
                policy = msgspec.json.decode(kept, type=Policy)
                raise _NothingChanged
            policy = new_policy(body, id=mint_id("gpol", now), org_id=org_id, now=now, vendors=vendors)
            self._refuse_conflict(connection, policy)
            connection.execute(insert(policies).values(policy_row(policy) | {"revision": revision}))
            _keep_version(connection, policy, now)
            self._journal.write(
                connection,
                "policy.created",
                policy.id,
                actor=actor,
                org_id=org_id,
                after=policy.document(),
            )
            if repeat is not None:
                keep_answer(connection, repeat, msgspec.json.encode(policy), now)
        return policy

    def update_policy(self, org_id: str, policy_id: str, patch: object, *, vendors: Vendors, actor: Actor) -> Policy:
        """Change a policy by a JSON Merge Patch; a change that changes nothing makes no version.

        :raises InvalidInput: naming the path of what is wrong
        :raises NotFound: the organisation has no such policy
        :raises Conflict: its slot is taken, or there is a default already
        """
        with self._change(org_id) as (connection, revision, now):
            before = self._policy_for_change(connection, org_id, policy_id)
            policy = patched_policy(before, patch, now=now, vendors=vendors)
            if policy is before:
                raise _NothingChanged
            self._refuse_conflict(connection, policy)
            this = policies.c.id == policy_id
            connection.execute(update(policies).where(this).values(policy_row(policy) | {"revision": revision}))
            _keep_version(connection, policy, now)
            self._journal.write(
                connection,
                "policy.updated",
                policy.id,
                actor=actor,
                org_id=org_id,
                before=before.document(),
                after=policy.document(),
            )
        return policy

    def delete_policy(self, org_id: str, policy_id: str, *, actor: Actor) -> Policy:
        """Delete a policy; its versions stay readable, since entries name them.

        :raises NotFound: the organisation has no such policy
        """
        with self._change(org_id) as (connection, revision, now):
            policy = self._policy_for_change(connection, org_id, policy_id)
            this = policies.c.id == policy_id
            connection.execute(update(policies).where(this).values(deleted_at=now, revision=revision))
            self._journal.write(
                connection,
                "policy.deleted",
                policy.id,
                actor=actor,
                org_id=org_id,
                before=policy.document(),
            )
        return policy

    def _policy_for_change(self, connection: Connection, org_id: str, policy_id: str) -> Policy:
        """Return the policy as this transaction sees it: changes wait for each other, so it is the newest."""
        this = (policies.c.id == policy_id) & (policies.c.org_id == org_id) & policies.c.deleted_at.is_(None)
        row = connection.execute(select(policies).where(this)).one_or_none()
        if row is None:
            raise NotFound(f"There is no policy {policy_id!r}.", param="id")
        return policy_of(row)

    def _refuse_conflict(self, connection: Connection, policy: Policy) -> None:
        if not policy.is_active:
            return
        others = (
            (policies.c.org_id == policy.org_id)
            & (policies.c.id != policy.id)
            & policies.c.deleted_at.is_(None)
            & policies.c.is_active
        )
        for row in connection.execute(
            select(policies.c.id, policies.c.name, policies.c.tag_slot, policies.c.is_default).where(others)
        ):
            if policy.tag_slot is not None and row.tag_slot == policy.tag_slot:
                raise Conflict(
                    f"Slot {policy.tag_slot} is taken by the active policy {row.name!r} ({row.id}).",
                    param="tagSlot",
                )
            if policy.is_default and row.is_default:
                raise Conflict(f"The policy {row.name!r} ({row.id}) is the default already.", param="isDefault")


def _keep_version(connection: Connection, policy: Policy, now: int) -> None:
    sha256 = keep_document(connection, "policy", canonical_json(policy.document()))
    if sha256 != policy.sha256:
        raise AssertionError("a policy is kept under the hash that entries name")
    connection.execute(
        insert(policy_versions).values(policy_id=policy.id, version=policy.version, sha256=sha256, created_at=now),
    )


def _check_organisation(name: str, tier: str, retention_days: int | None) -> None:
    if not _NAME.fullmatch(name) or name.startswith("org_"):
        raise InvalidInput("A name has 1 to 63 of the characters a-z, 0-9 and -.", param="name")
    if tier not in TIERS:
        raise InvalidInput(f"A tier is one of {', '.join(TIERS)}.", param="tier")
    if retention_days is not None and not 1 <= retention_days <= _MAX_RETENTION_DAYS:
        raise InvalidInput(f"Retention is 1 to {_MAX_RETENTION_DAYS} days.", param="retentionDays")


def _check_key(name: str, policy_slot: int | None, allowed_slots: Sequence[int], tags: Sequence[str]) -> None:
    for param, slot in (("policySlot", policy_slot), *(("allowedSlots", slot) for slot in allowed_slots)):
        if slot is not None and slot not in _SLOTS:
            raise InvalidInput("A policy slot is a number from 1 to 12.", param=param)
    if len(tags) > MAX_TAGS:
        raise InvalidInput(f"A key has at most {MAX_TAGS} tags.", param="tags")
    try:
        check_text(name, "name", _MAX_NAME_BYTES)
        for tag in tags:
            check_text(tag, "tags", MAX_TAG)
    except InvalidRecord as error:
        raise InvalidInput(str(error), param=error.field) from error
    if "" in tags:
        raise InvalidInput("A tag cannot be empty.", param="tags")
