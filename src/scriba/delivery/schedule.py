"""When to try again, and when to give up: pure functions of what happened so far.

The ten steps are those that Standard Webhooks recommends; the rule for switching an endpoint off is that of Svix
(https://docs.svix.com/retries). All times are in microseconds.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

import msgspec

__all__ = [
    "MAX_ATTEMPTS",
    "STEPS",
    "Failing",
    "Verdict",
    "after_failure",
    "is_dead",
    "judge",
    "next_attempt",
    "parse_retry_after",
]

_SECOND: Final = 1_000_000
_HOUR: Final = 3600 * _SECOND
STEPS: Final = tuple(seconds * _SECOND for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400))
"""From each failed attempt to the next one; the first attempt is made at once."""

MAX_ATTEMPTS: Final = len(STEPS) + 1
JITTER: Final = 0.1
"""A step is up to this part shorter or longer, so that what failed together does not come back together."""

_LONGEST_WAIT: Final = 24 * _HOUR
_WINDOW: Final = 24 * _HOUR
_APART: Final = 12 * _HOUR
_PATIENCE: Final = 5 * 24 * _HOUR
_BUSY: Final = frozenset({429, 502, 503, 504})
_GONE: Final = 410


class Verdict(StrEnum):
    """What an attempt means for what follows."""

    DELIVERED = "delivered"
    GONE = "gone"
    BUSY = "busy"
    FAILED = "failed"


def judge(status: int | None) -> Verdict:
    """Return what the status of an answer means; None if none came."""
    if status is not None and 200 <= status < 300:
        return Verdict.DELIVERED
    if status == _GONE:
        return Verdict.GONE
    return Verdict.BUSY if status in _BUSY else Verdict.FAILED


def next_attempt(attempts: int, failed_at: int, jitter: float, retry_after: int | None = None) -> int | None:
    """Return when to try again after so many attempts; None if that was the last one.

    :param jitter: from -1 to 1
    :param retry_after: how long the receiver asked to be left alone, which counts if it is longer
    """
    if attempts >= MAX_ATTEMPTS:
        return None
    step = round(STEPS[attempts - 1] * (1 + JITTER * jitter))
    return failed_at + max(step, min(retry_after or 0, _LONGEST_WAIT))


def parse_retry_after(text: str, now: int) -> int | None:
    """Read a `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date; None if it is neither."""
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return int(text) * _SECOND
    try:
        moment = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(round(moment * _SECOND) - now, 0)


class Failing(msgspec.Struct, frozen=True, kw_only=True):
    """How an endpoint has failed since its last success.

    :ivar first_at: the first failure of the day that is looked at, of the delivery `first_delivery`
    :ivar since: from when all counts as failing
    """

    count: int = 0
    first_at: int | None = None
    first_delivery: str | None = None
    last_at: int | None = None
    since: int | None = None


def after_failure(failing: Failing, delivery: str, now: int) -> Failing:
    """Count one more failure. The clock starts once two deliveries have failed within a day, half a day apart."""
    first_at, first_delivery = failing.first_at, failing.first_delivery
    if first_at is None or now - first_at > _WINDOW:
        first_at, first_delivery = now, delivery
    since = failing.since
    if since is None and now - first_at >= _APART and delivery != first_delivery:
        since = now
    return Failing(count=failing.count + 1, first_at=first_at, first_delivery=first_delivery, last_at=now, since=since)


def is_dead(failing: Failing, now: int) -> bool:
    """Whether an endpoint has done nothing but fail for five days."""
    return failing.since is not None and now - failing.since >= _PATIENCE
