"""Organisations: made with their three logs, and changed in how long they keep entries."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import insert, select, update

from scriba.domain.ids import mint_id
from scriba.domain.nearest import nearest
from scriba.domain.record import LogStart
from scriba.errors import Conflict, InvalidInput, NotFound
from scriba.ledger.origin import Origin
from scriba.storage.control.view import NothingChanged, View
from scriba.storage.control_rows import organisation_document, organisation_of, organisation_row
from scriba.storage.model import TIERS, LogId, LogName, Organisation
from scriba.storage.tables import organisations

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from scriba.storage.model import Actor

__all__ = ["KEEP_DAYS", "KeepDays", "Organisations"]

_NAME: Final = re.compile(r"[a-z0-9-]{1,63}")
_MAX_RETENTION_DAYS: Final = 36_500


class KeepDays(Enum):
    """Says that the number of days stays as it is."""

    KEEP = 0


KEEP_DAYS: Final = KeepDays.KEEP


class Organisations(View):
    """The organisations of a deployment."""

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
                raise NothingChanged
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


def _check_organisation(name: str, tier: str, retention_days: int | None) -> None:
    if not _NAME.fullmatch(name) or name.startswith("org_"):
        raise InvalidInput("A name has 1 to 63 of the characters a-z, 0-9 and -.", param="name")
    if tier not in TIERS:
        raise InvalidInput(f"A tier is one of {', '.join(TIERS)}.", param="tier")
    if retention_days is not None and not 1 <= retention_days <= _MAX_RETENTION_DAYS:
        raise InvalidInput(f"Retention is 1 to {_MAX_RETENTION_DAYS} days.", param="retentionDays")
