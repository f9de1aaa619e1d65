"""Retention against a plain list: whatever is appended, marked, purged, held and broken off, and in whatever order."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.ageing import Clock, decide

from scriba.audit.query import AuditLog
from scriba.audit.retention import Retention
from scriba.audit.verification import Verifier, verify_logs
from scriba.domain.period import DAY
from scriba.storage.hot import HotLogs
from scriba.storage.marks import write_marks
from scriba.storage.model import COMMAND_LINE, LogName

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest
    from tests.stores import OpenStore

    from scriba.ledger.verifier import Verification


class _Died(BaseException):
    """The process ends here."""


class RetentionMachine(RuleBasedStateMachine):
    """An organisation beside a list of what was logged when, of marks and of holds."""

    def __init__(self, store: OpenStore, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.store = replace(
            store, organisation=store.control.create_organisation(f"acme-{uuid4().hex[:12]}", actor=COMMAND_LINE)
        )
        self.checked = Verifier(self.store.store.database, self.store.store.keyring)
        self.log: list[tuple[str, int]] = [("", clock.now)]  # id of an entry or "mark", and its time
        self.first = 0
        self.days = 7
        self.holds: dict[str, tuple[int, int]] = {}

    @rule(count=st.integers(1, 4))
    def append(self, count: int) -> None:
        """Log some decisions."""
        self.log += [(entry_id, self.clock.now) for entry_id in decide(self.store, count)]

    @rule(days=st.sampled_from([0.5, 1, 3, 8]))
    def let_time_pass(self, days: float) -> None:
        """Let days pass."""
        self.clock.pass_days(days)

    @rule()
    def mark(self) -> None:
        """Write the mark of the day, if one is due."""
        last = max(number for number, (name, _) in enumerate(self.log) if name in {"", "mark"})
        grew = len(self.log) > last + 1
        due = grew and self.log[last][1] // DAY < self.clock.now // DAY
        written = write_marks(self.store.store.database, self.store.store.hot, self.store.organisation.id)
        assert bool(written) is due
        if due:
            self.log.append(("mark", self.clock.now))

    @rule(days=st.sampled_from([1, 5, 7, 30]))
    def change_retention(self, days: int) -> None:
        """Keep entries for another time."""
        self.store.control.update_organisation(self.store.organisation.id, retention_days=days, actor=COMMAND_LINE)
        self.days = days

    @precondition(lambda self: len(self.holds) < 2)
    @rule(back=st.integers(0, 10), length=st.integers(1, 5))
    def hold(self, back: int, length: int) -> None:
        """Hold some days of the past."""
        start = self.clock.now - back * DAY
        made = Retention(self.store.store, None).holds.create(
            self.store.organisation.id,
            name="x",
            reason="y",
            start=start,
            end=start + length * DAY,
            actor=COMMAND_LINE,
        )
        self.holds[made.id] = (start, start + length * DAY)

    @precondition(lambda self: bool(self.holds))
    @rule()
    def release(self) -> None:
        """Release the oldest hold."""
        hold_id = next(iter(self.holds))
        Retention(self.store.store, None).holds.release(self.store.organisation.id, hold_id, actor=COMMAND_LINE)
        del self.holds[hold_id]

    @rule(dies=st.booleans())
    def purge(self, *, dies: bool) -> None:
        """Purge, perhaps by a process that dies while it deletes rows."""

        def rest(_: float) -> None:
            if dies:
                raise _Died

        retention = Retention(self.store.store, None, rest=rest)
        with suppress(_Died):
            retention.purge(self.store.organisation.id, LogName.REQUESTS, actor=COMMAND_LINE)
        self._model_purge()
        self.verify_from_the_beginning()  # also while rows are left that should be gone
        retention = Retention(self.store.store, None, rest=lambda _: None)
        retention.purge(self.store.organisation.id, LogName.REQUESTS, actor=COMMAND_LINE)
        self._model_purge()

    def _model_purge(self) -> None:
        cutoff = self.clock.now - self.days * DAY
        marks = [number for number, (name, time) in enumerate(self.log) if name == "mark" and time < cutoff]
        target = max([mark for mark in marks if mark > self.first], default=None)
        if target is None:
            return
        going = [time for name, time in self.log[self.first : target] if name not in {"", "mark"}]
        if not any(start <= time < end for time in going for start, end in self.holds.values()):
            self.first = target

    @rule()
    def begin_another_process(self) -> None:
        """Forget all that a process remembers."""
        store = self.store.store
        store.hot = HotLogs(store.database, store.keyring)
        self.checked = Verifier(store.database, store.keyring)

    @invariant()
    def the_list_is_what_is_left(self) -> None:
        """Exactly the entries from the minimum on are there."""
        found = AuditLog(self.store.store.database).newest(self.store.organisation.id, limit=1000)
        left = [name for name, _ in self.log[self.first :] if name not in {"", "mark"}]
        assert sorted(entry.id for entry in found) == sorted(left)

    @invariant()
    def everything_verifies(self) -> None:
        """All logs verify for who goes on from an earlier verification."""
        self._assert_intact(self.checked.verify(self.store.organisation.id))

    @rule()
    def verify_from_the_beginning(self) -> None:
        """All logs verify for who reads all of them."""
        database, keyring = self.store.store.database, self.store.store.keyring
        self._assert_intact(
            verify_logs(database, keyring, self.store.organisation.id, list(LogName), lambda _: nullcontext())
        )

    def _assert_intact(self, found: Mapping[str, Verification]) -> None:
        assert {name: result.findings for name, result in found.items()} == {name.value: () for name in LogName}
        assert (found["requests"].records, found["requests"].purged) == (len(self.log), self.first)


def test_retention(sqlite_store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: entries stay as long as they must and go when they may, and everything always verifies."""
    monkeypatch.setattr("scriba.storage.purge.CHUNK", 3)
    clock = Clock(monkeypatch)
    clock.rule(sqlite_store.store.database)
    limits = settings(max_examples=8, stateful_step_count=15, deadline=None)
    machine = partial(RetentionMachine, sqlite_store, clock)
    run_state_machine_as_test(machine, settings=limits)  # type: ignore[arg-type]  # it takes whatever makes one
