"""Verification of one log: each kind of damage is found at the first record that shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from scriba.domain.record import Decision, Event, Hidden, LogStart, Mark, Outcome, Record, Stored
from scriba.ledger.hidden import commitments, field_keys
from scriba.ledger.origin import Origin
from scriba.ledger.record import prepare
from scriba.ledger.seal import EMPTY_HEAD, Head
from scriba.ledger.verifier import MAX_FINDINGS, Verification, verify_log
from scriba.merkle.tree import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Iterable

ORIGIN = Origin("a", "org_1", "requests")
START = LogStart(origin=str(ORIGIN), keys=("key",), org_id="org_1")
HIDDEN = Hidden(ip_address="203.0.113.42", user="u")
SALT = bytes(16)
DECISION = Decision(
    id="audit_1",
    org_id="org_1",
    request_id="req_1",
    model="gpt-4o",
    allowed=True,
    enforcement="warn",
    policy_id="gpol_1",
    policy_name="Production",
    source="gateway",
    hidden=HIDDEN,
)


def write(*records: Record) -> list[Stored]:
    """Log records, one a second."""
    log = []
    for seq, record in enumerate(records):
        data = prepare(record, SALT).complete(seq, seq * 1_000_000)
        log.append(Stored(seq=seq, log_time=seq * 1_000_000, leaf_hash=leaf_hash(data), record=record, salt=SALT))
    return log


def head_of(log: list[Stored]) -> Head:
    """Make the head that these rows give."""
    return EMPTY_HEAD.append([stored.leaf_hash for stored in log], log[-1].log_time)


def verify(log: Iterable[Stored], head: Head, origin: Origin = ORIGIN, **options: Any) -> Verification:
    """Verify rows against a head."""
    return verify_log(log, head, origin, **options)


LOG = write(START, DECISION, Outcome(decision=1, status=200, duration_ms=5, ended="complete"), DECISION, Mark())
HEAD = head_of(LOG)


def places(result: Verification) -> list[tuple[int | None, str]]:
    """Return what the findings name."""
    return [(finding.seq, finding.field) for finding in result.findings]


def test_a_sound_log_has_no_findings() -> None:
    """Every record is where and what it was, in one pass over an iterator."""
    result = verify(iter(LOG), HEAD)
    assert result.ok
    assert (result.records, result.root, result.first_bad, result.further) == (5, HEAD.root(), None, 0)


@pytest.mark.parametrize("seq", range(1, 5))
def test_each_edited_record_is_named(seq: int) -> None:
    """One changed field is one finding, at its record."""
    log = list(LOG)
    other = (
        replace(DECISION, model="gpt-5")
        if isinstance(log[seq].record, Decision)
        else replace(DECISION, hidden=Hidden())
    )
    log[seq] = replace(log[seq], record=other)
    result = verify(log, HEAD)
    assert places(result) == [(seq, "record")]
    assert str(result.findings[0]).startswith(f"Record {seq} was changed")


def test_an_edited_time_is_named() -> None:
    """A record moved back in time no longer gives its hash either."""
    log = list(LOG)
    log[3] = replace(log[3], log_time=0)
    assert places(verify(log, HEAD)) == [(3, "record"), (3, "timestamp")]


def test_values_that_cannot_be_logged_are_named() -> None:
    """A row that breaks the format is a finding and not a crash."""
    log = list(LOG)
    log[1] = replace(log[1], record=replace(DECISION, model="x" * 300))
    log[3] = replace(log[3], salt=b"short")
    log[4] = replace(log[4], log_time=2**62)
    assert places(verify(log, replace(HEAD, last_time=2**62))) == [(1, "model"), (3, "salt"), (4, "timestamp")]


def test_times_beyond_the_calendar_do_not_break_the_report() -> None:
    """A time that cannot be written is still reported."""
    log = list(LOG)
    log[2] = replace(log[2], log_time=2**62)
    assert (3, "timestamp") in places(verify(log, HEAD))


def test_a_forged_hash_is_found_at_the_root() -> None:
    """An edit that also redoes the row's hash no longer adds up to the head."""
    log = list(LOG)
    log[1] = write(START, replace(DECISION, allowed=False))[1]
    assert places(verify(log, HEAD)) == [(None, "root")]


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_damaged_hash_is_named(size: int) -> None:
    """A stored hash of another length does not break the report."""
    log = list(LOG)
    log[1] = replace(log[1], leaf_hash=bytes(size))
    assert places(verify(log, HEAD)) == [(1, "record"), (None, "root")]


@pytest.mark.parametrize("seq", range(5))
def test_each_removed_record_is_named(seq: int) -> None:
    """A hole is found where it is, at the end by the head."""
    result = verify(LOG[:seq] + LOG[seq + 1 :], HEAD)
    assert result.first_bad == min(seq, 4)
    assert not result.ok


def test_an_inserted_record_is_named() -> None:
    """A record twice in the log stands in a place that is not its own."""
    assert verify([*LOG[:3], LOG[2], *LOG[3:]], HEAD).first_bad == 3


def test_a_record_beyond_the_head_is_named() -> None:
    """Rows that the head does not know are not part of the log."""
    result = verify(LOG, head_of(LOG[:4]))
    assert places(result) == [(4, "seq")]
    assert "its head says 4" in str(result.findings[0])


def test_an_empty_log_does_not_verify() -> None:
    """Without its first record there is no log."""
    assert verify([], HEAD).first_bad == 0


def test_the_time_in_the_head_is_checked() -> None:
    """The head's last log time is that of the last record."""
    assert places(verify(LOG, replace(HEAD, last_time=9_000_000))) == [(4, "timestamp")]


@pytest.mark.parametrize(
    ("records", "place"),
    [
        ((DECISION,), (0, "type")),
        ((START, START), (1, "type")),
        ((START, Event(id="audit_2", action="key.created", target="key_1")), (1, "type")),
        ((replace(START, origin="b/tlog/org_1/requests/1"),), (0, "origin")),
        ((replace(START, org_id="org_2"),), (0, "orgId")),
        ((START, replace(DECISION, org_id="org_2")), (1, "orgId")),
        ((START, replace(DECISION, source="import", timestamp=0)), (1, "source")),
    ],
)
def test_records_of_another_log_are_found(records: tuple[Record, ...], place: tuple[int, str]) -> None:
    """A record that is sound in itself but belongs elsewhere is named."""
    log = write(*records)
    assert places(verify(log, head_of(log))) == [place]


def test_each_log_holds_its_own_types() -> None:
    """Imports hold imported decisions, the deployment's own log holds events, without an organisation."""
    imports = ORIGIN._replace(log="imports")
    log = write(replace(START, origin=str(imports)), replace(DECISION, source="import", timestamp=0))
    assert verify(log, head_of(log), imports).ok
    admin = Origin("a", "", "admin")
    log = write(LogStart(origin=str(admin), keys=("key",)), Event(id="audit_2", action="org.created", target="org_1"))
    assert verify(log, head_of(log), admin).ok
    log = write(replace(START, origin=str(imports)), DECISION)
    assert places(verify(log, head_of(log), imports)) == [(1, "source")]


def erased(stored: Stored, *, user: str, keys: bool = True) -> Stored:
    """Erase the address of a row, and set its user."""
    assert isinstance(stored.record, Decision)
    committed = commitments(HIDDEN, SALT)
    return replace(
        stored,
        record=replace(stored.record, hidden=Hidden(user=user)),
        salt=b"",
        commitments=committed,
        field_keys=field_keys(SALT, ["user"]) if keys else {},
    )


def test_an_erasure_on_record_is_no_finding() -> None:
    """What was erased stays provable; what only went missing is named."""
    log = list(LOG)
    log[1] = erased(log[1], user="u")
    assert places(verify(log, HEAD)) == [(1, "ipAddress")]
    assert verify(log, HEAD, erased=lambda seq, field: (seq, field) == (1, "ipAddress")).ok


@pytest.mark.parametrize(("user", "keys"), [("v", True), ("u", False)])
def test_a_value_that_does_not_open_is_named(user: str, *, keys: bool) -> None:
    """Another value beside the kept commitment, or one without its key, was not what was logged."""
    log = list(LOG)
    log[1] = erased(log[1], user=user, keys=keys)
    assert places(verify(log, HEAD, erased=lambda _seq, field: field == "ipAddress")) == [(1, "user")]


def test_findings_are_bounded() -> None:
    """However much is wrong, memory is not: later findings are counted only."""
    log = write(START, *[DECISION] * (MAX_FINDINGS + 20))
    broken = [log[0], *(replace(stored, record=replace(DECISION, model="x")) for stored in log[1:])]
    result = verify(broken, head_of(log))
    assert (len(result.findings), result.further, result.first_bad) == (MAX_FINDINGS, 20, 1)
