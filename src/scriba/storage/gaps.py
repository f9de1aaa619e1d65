"""Requests that were let through unlogged, until a `gap` record about them is durable."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from scriba.domain.record import Gap

if TYPE_CHECKING:
    from scriba.storage.model import LogId

__all__ = ["Gaps"]


class Gaps:
    """One gap for each log at most; further requests are added to it. For one thread at a time."""

    def __init__(self) -> None:
        self._open: dict[LogId, Gap] = {}

    def __bool__(self) -> bool:
        return bool(self._open)

    def note(self, log: LogId, reason: str) -> None:
        """Count one request, now."""
        now = time.time_ns() // 1000
        self.put_back(log, Gap(start=now, end=now, count=1, reason=reason))

    def put_back(self, log: LogId, gap: Gap) -> None:
        """Add a gap to the one that is open. The clock may have been set back between the two."""
        known = self._open.get(log)
        if known is not None:
            gap = Gap(
                start=min(known.start, gap.start),
                end=max(known.end, gap.end),
                count=(known.count or 0) + (gap.count or 0),
                reason=known.reason,
            )
        self._open[log] = gap

    def take(self) -> list[tuple[LogId, Gap]]:
        """Return all gaps, and begin anew."""
        taken = list(self._open.items())
        self._open.clear()
        return taken
