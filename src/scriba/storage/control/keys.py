"""API keys: made, and revoked for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import insert, update

from scriba.domain.api_key import key_digest, mint_api_key
from scriba.domain.ids import mint_id
from scriba.errors import InvalidInput, NotFound
from scriba.ledger.canonical import InvalidRecord, check_text
from scriba.ledger.hidden import MAX_TAG, MAX_TAGS
from scriba.storage.control.view import NothingChanged, View
from scriba.storage.control_rows import key_document, key_row
from scriba.storage.model import ApiKey
from scriba.storage.tables import api_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scriba.storage.model import Actor, Role

__all__ = ["ApiKeys"]

_SLOTS: Final = range(1, 13)
_MAX_NAME_BYTES: Final = 256


class ApiKeys(View):
    """The keys of all organisations."""

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
                raise NothingChanged
            before = key_document(found)
            after = before | {"revokedAt": now}
            self._journal.write(
                connection, "key.revoked", key_id, actor=actor, org_id=org_id, before=before, after=after
            )
        return next(key for key in self.keys_of(org_id) if key.id == key_id)


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
