"""Following the logs: what was logged after a place, each entry once, in the order in which it was logged.

Lists go by the time of entries, and an import can bring in old ones at any time. Whoever follows goes by the place in
each log instead: what commits first has the smaller `seq`, so nothing comes in behind somebody who has passed by.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from scriba.audit.entry import Entry, entry_of
from scriba.audit.span import may_match, read_spans
from scriba.audit.statement import tail_statement
from scriba.errors import InvalidInput

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from scriba.audit.span import Span
    from scriba.domain.filter import Filters
    from scriba.storage.database import Dialect

__all__ = ["Heard", "Places", "Told", "format_places", "parse_places", "read_after", "read_ends"]

Places: TypeAlias = Mapping[str, int]
"""The `seq` that comes next of each log, by `log/generation`. A log that is not in it begins at its beginning."""

_PLACE: Final = re.compile(r"((?:requests|imports)/[1-9][0-9]{0,8})=(0|[1-9][0-9]{0,15})", re.ASCII)
_MOST_LOGS: Final = 100
_BEGINNING: Final = {"requests/1": 0}


class Told(NamedTuple):
    """An entry, and the places after it."""

    entry: Entry
    places: Places


class Heard(NamedTuple):
    """Entries in the order in which they were logged, and the places to go on from.

    These are further on than those after the last entry if nothing else matched. `has_more` says that there may be more
    right now.
    """

    told: Sequence[Told]
    places: Places
    has_more: bool


def format_places(places: Places) -> str:
    """Write places as one line of text."""
    return ",".join(f"{log}={seq}" for log, seq in sorted(places.items()))


def parse_places(text: str, param: str) -> Places:
    """Read places from the text of `format_places`.

    :raises InvalidInput: naming `param`, if it is no such text
    """
    parts = text.split(",")
    found = [_PLACE.fullmatch(part) for part in parts[: _MOST_LOGS + 1]]
    places = {match[1]: int(match[2]) for match in found if match is not None}
    if len(places) != len(parts) or len(parts) > _MOST_LOGS:
        raise InvalidInput(
            f"{param} must be the id of an event of this stream.", param=param, hint="Leave it out to begin now."
        )
    return places


def read_ends(connection: Connection, org_id: str) -> Places:
    """Return the places after all that there is; never none, so that they can be told from no place at all."""
    return {**_BEGINNING, **{_name(span): span.size for span in read_spans(connection, org_id)}}


def read_after(
    connection: Connection, dialect: Dialect, org_id: str, places: Places, filters: Filters, *, limit: int
) -> Heard:
    """Return the entries after some places that match, at most `limit`.

    :raises InvalidInput: a place is beyond the end of its log
    """
    spans = read_spans(connection, org_id)
    for span in spans:
        if places.get(_name(span), 0) > span.size:
            raise InvalidInput(f"The log {span.log} is not that long.", hint="Leave the place out to begin now.")
    ends = {_name(span): span.size for span in spans}
    wanted = [span for span in spans if may_match(span, filters) and places.get(_name(span), 0) < span.size]
    if not wanted:
        return Heard([], {**places, **ends}, has_more=False)
    first = [places.get(_name(span), 0) for span in wanted]
    rows = connection.exec_driver_sql(*tail_statement(wanted, first, filters, limit, dialect)).all()
    told, passed = [], dict(places)
    for row in rows:
        span = wanted[row[-2]]
        entry = entry_of(row[:-2], org_id=org_id, log=span.log)
        passed[_name(span)] = entry.seq + 1
        told.append(Told(entry, dict(passed)))
    if len(rows) == limit:
        return Heard(told, passed, has_more=True)
    return Heard(told, {**places, **ends}, has_more=False)


def _name(span: Span) -> str:
    return f"{span.log}/{span.generation}"
