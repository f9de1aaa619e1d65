"""Whether the log is what was written, as far as the console knows.

Reading records back costs time, so it is done in the background, for one organisation at a time and never with more
than a small share of one core; a page shows the newest result.
"""

from __future__ import annotations

import logging
import threading
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from scriba.domain.timestamp import format_timestamp, moment
from scriba.errors import ScribaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scriba.ledger.verifier import Verification

__all__ = ["Standing", "Watch"]

_SHARE: Final = 20
"""A check that took one second is followed by this many seconds without one, and by `_LEAST_REST_SECONDS` at least."""

_LEAST_REST_SECONDS: Final = 1.0

_REPEAT_SECONDS: Final = 60.0
"""After this long the logs are verified again although nothing was added: what is stored may have been changed."""

_TOLD: Final = 5
"""Findings of one log that are told; further ones are counted."""

_NOTHING: Final[Mapping[str, Verification]] = MappingProxyType({})
_log: Final = logging.getLogger("scriba.console")


class Standing(NamedTuple):
    """What the last check of an organisation's logs found.

    `problem` says why it could not be made; `size` is how many records the logs had then. `checked_at` is in
    microseconds since 1970.
    """

    logs: Mapping[str, Verification] = _NOTHING
    problem: str = ""
    size: int = 0
    checked_at: int = 0

    @property
    def records(self) -> int:
        """How many records were read."""
        return sum(log.records - log.purged for log in self.logs.values())

    @property
    def purged(self) -> tuple[str, ...]:
        """What is no longer there and need not be, in sentences that name the log."""
        return tuple(
            f"The first {log.purged:,} records of {name} were purged, as the retention allowed."
            for name, log in self.logs.items()
            if log.purged and log.ok
        )

    @property
    def checked(self) -> str:
        """When it was made, in words."""
        day, clock = moment(format_timestamp(self.checked_at))
        return f"{day}, {clock} UTC"

    @property
    def findings(self) -> tuple[str, ...]:
        """What was found, in sentences that name the log; at most a few of each."""
        return tuple(sentence for name, log in self.logs.items() for sentence in _sentences(name, log))

    @property
    def tone(self) -> str:
        """`broken`, `pending`, or nothing if all is well."""
        if self.findings:
            return "broken"
        return "" if self.logs else "pending"

    @property
    def says(self) -> str:
        """The result in a few words."""
        if self.findings:
            return "Not as it was written"
        if self.problem:
            return "Could not be verified"
        return f"Verified, {self.records:,} records" if self.logs else "Verifying…"


def _sentences(name: str, log: Verification) -> Iterator[str]:
    for finding in log.findings[:_TOLD]:
        yield f"Log {name}: {finding}"
    more = len(log.findings) + log.further - _TOLD
    if more > 0:
        yield f"Log {name}: and {more:,} more."


class Watch:
    """Keeps the newest result for every organisation that somebody looks at. `_lock` guards all state.

    :param verify: verifies the logs of an organisation, given by id; returns the result for each by its name
    """

    def __init__(self, verify: Callable[[str], Mapping[str, Verification]]) -> None:
        self._verify = verify
        self._lock = threading.Lock()
        self._known: dict[str, Standing] = {}
        self._rest_until: dict[str, float] = {}
        self._running: threading.Thread | None = None

    def standing(self, org_id: str, size: int, patience: float = 0.0) -> Standing:
        """Return the newest result, and have the log read again if it is time to.

        :param size: how many records the logs have now; another size than was checked asks for a new check
        :param patience: seconds to wait if there is no result yet
        """
        with self._lock:
            if self._is_due(org_id, size):
                self._running = threading.Thread(
                    target=self._check, args=(org_id, size), name="scriba-verification", daemon=True
                )
                self._running.start()
            running = self._running
        if patience and running is not None and org_id not in self._known:
            running.join(patience)
        with self._lock:
            return self._known.get(org_id, Standing())

    def _is_due(self, org_id: str, size: int) -> bool:
        now = time.monotonic()
        if (self._running is not None and self._running.is_alive()) or now < self._rest_until.get(org_id, 0.0):
            return False
        known = self._known.get(org_id)
        return known is None or known.size != size or now >= self._rest_until[org_id] + _REPEAT_SECONDS

    def _check(self, org_id: str, size: int) -> None:
        started = time.monotonic()
        logs: Mapping[str, Verification] = _NOTHING
        problem = ""
        try:
            logs = self._verify(org_id)
        except ScribaError as error:
            problem = str(error)
        except Exception:  # noqa: BLE001 - a thread ends here; without a result the check would begin again at once
            _log.exception("The logs of %s could not be verified.", org_id)
            problem = "The verification broke off; the server's own log says why."
        found = Standing(logs=logs, problem=problem, size=size, checked_at=time.time_ns() // 1000)
        ended = time.monotonic()
        with self._lock:
            self._known[org_id] = found
            self._rest_until[org_id] = ended + max(_LEAST_REST_SECONDS, (ended - started) * _SHARE)
