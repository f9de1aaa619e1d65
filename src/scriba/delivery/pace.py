"""How fast one endpoint is sent to: less and less while it says that it is busy, one by one while it fails."""

from __future__ import annotations

from typing import Final

__all__ = ["CONCURRENCY", "Pace"]

CONCURRENCY: Final = 8
"""Attempts under way to one endpoint, in each process."""

_FULL_RATE: Final = 256.0
_LOWEST_RATE: Final = 1 / 64
_MICROS: Final = 1_000_000


class Pace:
    """Attempts a second that an endpoint may get. Each answer that it is busy halves it, each success adds to it.

    :ivar rate: attempts a second
    :ivar is_failing: whether there was no success since the start, or since a failure of another kind; then attempts
        are made one at a time, so that what never answers holds few connections
    """

    def __init__(self) -> None:
        self.rate = _FULL_RATE
        self.is_failing = True
        self._allowance = float(CONCURRENCY)
        self._counted_at: int | None = None

    @property
    def width(self) -> int:
        """How many attempts may be under way."""
        return 1 if self.is_failing else CONCURRENCY

    def take(self, free: int, now: int) -> int:
        """Return how many of the `free` places may be taken now, and count them as taken.

        :param now: microseconds
        """
        if self._counted_at is not None:
            self._allowance += self.rate * max(now - self._counted_at, 0) / _MICROS
        self._counted_at = now
        self._allowance = min(self._allowance, float(CONCURRENCY))
        granted = min(free, int(self._allowance))
        self._allowance -= granted
        return granted

    def give_back(self, unused: int) -> None:
        """Return places for which there was nothing to do."""
        self._allowance += unused

    def slow_down(self) -> None:
        """Halve the rate: the endpoint is busy."""
        self.rate = max(self.rate / 2, _LOWEST_RATE)
        self._allowance = min(self._allowance, 1.0)

    def fail(self) -> None:
        """Go on one by one, until an attempt succeeds."""
        self.is_failing = True

    def speed_up(self) -> None:
        """Come back towards the full rate after a success."""
        self.is_failing = False
        self.rate = min(self.rate + 1, _FULL_RATE)
