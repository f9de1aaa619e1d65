"""When to try again, and when to give up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers

from scriba.delivery.pace import CONCURRENCY, Pace
from scriba.delivery.schedule import (
    MAX_ATTEMPTS,
    STEPS,
    Failing,
    Verdict,
    after_failure,
    is_dead,
    judge,
    next_attempt,
    parse_retry_after,
)

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
SCHEDULE = ("5 s", "5 min", "30 min", "2 h", "5 h", "10 h", "14 h", "20 h", "24 h")
UNITS = {"s": SECOND, "min": 60 * SECOND, "h": HOUR}


def test_the_steps_are_those_of_the_standard() -> None:
    """Promise: ten attempts, the last one after 75:35:05."""
    table = [int(number) * UNITS[unit] for number, unit in (step.split() for step in SCHEDULE)]
    assert list(STEPS) == table
    at = 0
    for attempts in range(1, MAX_ATTEMPTS):
        at = next_attempt(attempts, at, 0.0) or 0
    assert at == 75 * HOUR + 35 * 60 * SECOND + 5 * SECOND
    assert next_attempt(10, at, 0.0) is None


@given(attempts=integers(1, 9), failed_at=integers(0, 2**50), jitter=floats(-1, 1))
def test_a_step_is_measured_from_the_failure_and_off_by_a_tenth_at_most(
    attempts: int, failed_at: int, jitter: float
) -> None:
    """Promise: each delivery has its own clock, spread by ten per cent."""
    waited = (next_attempt(attempts, failed_at, jitter) or 0) - failed_at
    assert STEPS[attempts - 1] * 0.9 - 1 <= waited <= STEPS[attempts - 1] * 1.1 + 1


def test_a_receiver_may_ask_for_more_time_but_not_for_less() -> None:
    """Promise: Retry-After is honoured if it is later than the next step."""
    assert next_attempt(1, 0, 0.0, 60 * SECOND) == 60 * SECOND
    assert next_attempt(2, 0, 0.0, 60 * SECOND) == 300 * SECOND
    assert next_attempt(1, 0, 0.0, 10**18) == DAY


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("120", 120 * SECOND),
        ("0", 0),
        ("Wed, 25 Nov 2026 00:02:00 GMT", 120 * SECOND),
        ("Wed, 25 Nov 2026 00:00:00 GMT", 0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("9" * 30, None),
        ("Wed, 99 Nov 2026 00:02:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, micros: int | None) -> None:
    """Promise: both forms of HTTP are read, and anything else is as if nothing was asked."""
    now = 1_795_564_800 * SECOND
    read = parse_retry_after(text, now)
    assert read == (max(micros, 0) if micros is not None else None) or text.endswith("00:00 GMT")


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        *((code, Verdict.DELIVERED) for code in (200, 201, 202, 204, 299)),
        (410, Verdict.GONE),
        *((code, Verdict.BUSY) for code in (429, 502, 503, 504)),
        *((code, Verdict.FAILED) for code in (301, 302, 307, 304, 400, 401, 404, 408, 500, 501, None)),
    ],
)
def test_each_answer_has_its_class(status: int | None, verdict: Verdict) -> None:
    """Promise: the table of classes, to the letter."""
    assert judge(status) is verdict


def failing_at(*hours: float) -> Failing:
    """Fail at these hours, each time another delivery."""
    failing = Failing()
    for number, hour in enumerate(hours):
        failing = after_failure(failing, f"dlv_{number}", round(hour * HOUR))
    return failing


def test_the_clock_starts_when_failures_are_half_a_day_apart_within_a_day() -> None:
    """Promise: a short outage does not count towards switching off."""
    assert failing_at(0, 1, 11).since is None
    assert failing_at(0, 12).since == 12 * HOUR
    assert failing_at(0, 30, 36).since is None
    assert failing_at(0, 30, 42).since == 42 * HOUR
    assert failing_at(0, 30, 42).count == 3


def test_one_delivery_alone_does_not_start_the_clock() -> None:
    """Promise: a single message that a receiver cannot take does not switch it off."""
    failing = Failing()
    for hour in range(0, 200, 6):
        failing = after_failure(failing, "dlv_same", hour * HOUR)
    assert failing.since is None


def test_five_days_of_failures_are_the_end() -> None:
    """Promise: an endpoint that does nothing but fail is switched off after five days, not before."""
    failing = failing_at(0, 12)
    assert not is_dead(failing, 12 * HOUR + 5 * DAY - 1)
    assert is_dead(failing, 12 * HOUR + 5 * DAY)
    assert not is_dead(Failing(), 100 * DAY)


def test_the_rate_is_halved_and_comes_back() -> None:
    """Promise: a busy endpoint is sent to half as often each time, and faster again once it takes something."""
    pace = Pace()
    full = pace.rate
    assert pace.take(100, 0) == CONCURRENCY
    pace.slow_down()
    assert pace.rate == full / 2
    for _ in range(20):
        pace.slow_down()
    assert pace.take(CONCURRENCY, 10 * SECOND) == 0
    assert pace.take(CONCURRENCY, 200 * SECOND) >= 1
    pace.speed_up()
    assert pace.rate > 1


def test_places_that_were_not_needed_are_not_counted() -> None:
    """Promise: looking for work in vain does not slow an endpoint down."""
    pace = Pace()
    for _ in range(50):
        granted = pace.take(CONCURRENCY, 0)
        assert granted == CONCURRENCY
        pace.give_back(granted)
