"""The newest entries, and a cheap way to tell whether there is anything new to show."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

from scriba.audit.kept import shortness
from scriba.audit.span import read_spans
from scriba.console.standing import Standing, Watch
from scriba.domain.filter import Filters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scriba.audit.entry import Entry
    from scriba.services import Services

__all__ = ["CHOICES", "SHOWN", "Newest", "State"]

SHOWN: Final = 50
"""Entries on the page."""

CHOICES: Final = {"": "All", "allowed": "Allowed", "blocked": "Blocked"}
"""What the list can be narrowed to, with the words for it."""

_FILTERS: Final = {"": Filters(), "allowed": Filters(allowed=True), "blocked": Filters(allowed=False)}


class State(msgspec.Struct, frozen=True):
    """All that the list depends on: what is asked for, how far the logs have come, and their standing."""

    show: str
    sizes: tuple[int, ...]
    standing: Standing

    @property
    def etag(self) -> str:
        """Changes exactly when the list may look different."""
        text = repr((self.show, self.sizes, self.standing.says, self.standing.findings))
        return f'"{sha256(text.encode()).hexdigest()[:32]}"'


class Newest:
    """The newest entries of organisations."""

    def __init__(self, services: Services) -> None:
        self._database = services.store.database
        self._audit_log = services.audit_log
        self._control = services.control
        self._watch = Watch(services.verifications.verify)

    def state(self, org_id: str, show: str, patience: float = 0.0) -> State:
        """Return the state now: one small read.

        :param patience: seconds to wait for the first verification
        """
        with self._database.read() as connection:
            sizes = tuple(span.size for span in read_spans(connection, org_id))
        return State(show, sizes, self._watch.standing(org_id, sum(sizes), patience))

    def notice(self, org_id: str) -> str | None:
        """Return what people should know about how long entries are kept, if that is short."""
        organisation = self._control.state.organisations.get(org_id)
        return None if organisation is None else shortness(organisation.retention)

    def entries(self, org_id: str, state: State) -> tuple[Sequence[Entry], bool]:
        """Return the newest entries, newest first, and whether there are more than fit on the page."""
        found = self._audit_log.newest(org_id, limit=SHOWN + 1, filters=_FILTERS[state.show])
        return found[:SHOWN], len(found) > SHOWN
