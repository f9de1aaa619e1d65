"""The state of verification that pages show."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from scriba.console import standing as module
from scriba.console.standing import Standing, Watch
from scriba.errors import StoreUnreachable
from scriba.ledger.verifier import Finding, Verification

if TYPE_CHECKING:
    from collections.abc import Mapping

FOUND = Finding(3, "record", "Record 3 was changed.")
SECONDS = 20.0


def verified(records: int, *findings: Finding, further: int = 0) -> Verification:
    """Make the result for one log."""
    return Verification(records, bytes(32), findings, further)


class Logs:
    """Logs whose verification a test holds in its hands."""

    def __init__(self) -> None:
        self.result: dict[str, Verification] = {"requests": verified(5)}
        self.error: Exception | None = None
        self.asked: list[str] = []
        self.may_end = threading.Event()
        self.may_end.set()

    def verify(self, org_id: str) -> Mapping[str, Verification]:
        """Return the result once it may."""
        self.asked.append(org_id)
        assert self.may_end.wait(SECONDS)
        if self.error is not None:
            raise self.error
        return self.result


@pytest.fixture
def logs() -> Logs:
    """Make logs."""
    return Logs()


@pytest.fixture
def _restless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let checks follow one another at once, but not repeat themselves."""
    monkeypatch.setattr(module, "_LEAST_REST_SECONDS", 0.0)
    monkeypatch.setattr(module, "_SHARE", 0)


def settled(watch: Watch, size: int) -> Standing:
    """Ask until the logs of this size were verified."""
    for _ in range(1_000):
        standing = watch.standing("org_1", size, SECONDS)
        if standing.size == size:
            return standing
        threading.Event().wait(0.005)
    raise AssertionError("the check did not come to an end")


@pytest.mark.parametrize(
    ("standing", "says", "tone"),
    [
        (Standing(), "Verifying…", "pending"),
        (Standing(logs={"requests": verified(20_001), "admin": verified(3)}), "Verified, 20,004 records", ""),
        (Standing(logs={"requests": verified(5, FOUND), "admin": verified(3)}), "Not as it was written", "broken"),
        (Standing(problem="The database does not answer."), "Could not be verified", "pending"),
    ],
)
def test_the_result_is_said_in_a_few_words(standing: Standing, says: str, tone: str) -> None:
    """Only a complete check without findings is called verified."""
    assert (standing.says, standing.tone) == (says, tone)


def test_findings_name_their_log_and_are_counted() -> None:
    """A banner says where and what, and how much more there is."""
    many = tuple(Finding(seq, "record", f"Record {seq} was changed.") for seq in range(7))
    findings = Standing(logs={"admin": verified(9), "requests": verified(9, *many, further=1_000)}).findings
    assert findings[0] == "Log requests: Record 0 was changed."
    assert findings[-1] == "Log requests: and 1,002 more."


def test_the_first_visitor_waits_a_moment_for_the_result(logs: Logs) -> None:
    """A small log is verified before its page is first shown."""
    assert Watch(logs.verify).standing("org_1", 5, SECONDS).says == "Verified, 5 records"


def test_nobody_waits_for_a_long_check(logs: Logs) -> None:
    """A page comes out while its log is still being read, and one check at a time is under way."""
    logs.may_end.clear()
    watch = Watch(logs.verify)
    assert watch.standing("org_1", 5).says == "Verifying…"
    assert watch.standing("org_2", 5, 0.001).says == "Verifying…"
    logs.may_end.set()
    assert settled(watch, 5).says == "Verified, 5 records"
    assert logs.asked == ["org_1"]


@pytest.mark.usefixtures("_restless")
def test_a_log_that_grew_is_verified_again_and_one_that_did_not_is_left_alone(logs: Logs) -> None:
    """New records are verified without being asked for; an unchanged log is not read at every look."""
    watch = Watch(logs.verify)
    settled(watch, 5)
    for _ in range(5):
        watch.standing("org_1", 5)
    assert len(logs.asked) == 1
    logs.result = {"requests": verified(6)}
    assert settled(watch, 6).records == 6
    assert len(logs.asked) == 2


@pytest.mark.usefixtures("_restless")
def test_an_unchanged_log_is_verified_again_after_a_while(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of what is stored is found although nothing was added."""
    watch = Watch(logs.verify)
    settled(watch, 5)
    logs.result = {"requests": verified(5, FOUND)}
    monkeypatch.setattr(module, "_REPEAT_SECONDS", 0.0)
    for _ in range(1_000):
        if watch.standing("org_1", 5).findings:
            break
        threading.Event().wait(0.005)
    assert watch.standing("org_1", 5).says == "Not as it was written"


def test_a_check_takes_a_small_share_of_the_time(logs: Logs) -> None:
    """However fast a log grows, the next check waits until the last one has been paid for."""
    watch = Watch(logs.verify)
    settled(watch, 5)
    for size in range(6, 50):
        watch.standing("org_1", size)
    assert len(logs.asked) == 1


def test_a_database_that_does_not_answer_is_not_called_verified(logs: Logs) -> None:
    """A check that could not be made says so."""
    logs.error = StoreUnreachable("The database does not answer.")
    standing = settled(Watch(logs.verify), 5)
    assert (standing.says, standing.problem) == ("Could not be verified", "The database does not answer.")


def test_a_check_that_breaks_off_is_no_result_and_is_not_repeated_at_once(
    logs: Logs, caplog: pytest.LogCaptureFixture
) -> None:
    """A mistake of ours is told to the operator, and the page does not say verified."""
    logs.error = ZeroDivisionError("a mistake")
    watch = Watch(logs.verify)
    assert settled(watch, 5).says == "Could not be verified"
    watch.standing("org_1", 5)
    assert len(logs.asked) == 1
    assert "a mistake" in caplog.text


def test_organisations_are_verified_apart(logs: Logs) -> None:
    """One organisation's result is never shown to another."""
    watch = Watch(logs.verify)
    settled(watch, 5)
    logs.result = {"requests": verified(7)}
    assert watch.standing("org_2", 7, SECONDS).says == "Verified, 7 records"
    assert watch.standing("org_1", 5).says == "Verified, 5 records"
