"""Origins: the unique names of logs, `<deployment>/tlog/[<orgId>/]<log>/<generation>`."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from scriba.domain.record import LOGS

__all__ = ["InvalidOrigin", "Origin", "parse_origin"]

MAX_ORIGIN: Final = 240
"""Bytes of the longest origin."""

_PART: Final = r"[a-z0-9._-]+"
_FORM: Final = re.compile(
    rf"(?P<deployment>{_PART})/tlog/(?:(?P<org_id>{_PART})/)?(?P<log>[a-z]+)/(?P<generation>[1-9][0-9]{{0,8}})"
)
_DEPLOYMENT_LOGS: Final = ("admin", "anchor")


class InvalidOrigin(ValueError):
    """Not the name of a log."""


class Origin(NamedTuple):
    """The parts of an origin; `str()` gives its text. `org_id` is empty for a log of the deployment itself.

    A generation is replaced by the next one when a log was rolled back behind what had been signed.
    """

    deployment: str
    org_id: str
    log: str
    generation: int = 1

    def __str__(self) -> str:
        owner = f"{self.org_id}/" if self.org_id else ""
        return f"{self.deployment}/tlog/{owner}{self.log}/{self.generation}"

    def checked(self) -> Origin:
        """Return itself if its text is an origin.

        :raises InvalidOrigin: if a part has characters other than a-z, 0-9 and `.-_`, or the text is too long
        """
        if parse_origin(str(self)) != self:
            raise InvalidOrigin(f"{self} is not the name of a log")
        return self


def parse_origin(text: str) -> Origin:
    """Read an origin from its text.

    :raises InvalidOrigin: if it has another form or is longer than 240 bytes
    """
    match = _FORM.fullmatch(text)
    if match is None or len(text) > MAX_ORIGIN:
        raise InvalidOrigin(
            f"{text[:MAX_ORIGIN]!r} is not the name of a log: <deployment>/tlog/<organisation>/<log>/<generation>, "
            f"of a-z, 0-9 and .-_, at most {MAX_ORIGIN} characters"
        )
    org_id = match["org_id"] or ""
    if match["log"] not in (LOGS if org_id else _DEPLOYMENT_LOGS):
        raise InvalidOrigin(f"{text!r} names no known log")
    return Origin(match["deployment"], org_id, match["log"], int(match["generation"]))
