"""Policies: made, changed with every version kept, and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import insert, select, update

from scriba.domain.ids import mint_id
from scriba.errors import Conflict, NotFound
from scriba.policy.document import canonical_json
from scriba.policy.drafts import new_policy, patched_policy
from scriba.policy.rules import Policy
from scriba.storage.control.view import NothingChanged, View
from scriba.storage.control_rows import policy_of, policy_row
from scriba.storage.events import keep_document
from scriba.storage.idempotency import answer_of, keep_answer
from scriba.storage.tables import policies, policy_versions

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from scriba.policy.vendors import Vendors
    from scriba.storage.idempotency import Repeat
    from scriba.storage.model import Actor

__all__ = ["Policies"]


class Policies(View):
    """The policies of all organisations."""

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
                raise NothingChanged
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
                raise NothingChanged
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
