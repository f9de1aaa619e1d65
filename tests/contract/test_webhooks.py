"""What is sent to endpoints, from the log to the receiver, over both databases and with a clock that can be set."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from sqlalchemy import event, func, select, update
from tests.receiver import SECRET, receiving, redirecting, status
from tests.stores import a_decision

from scriba.delivery.attempt import LEASE_MICROS, due_endpoints
from scriba.delivery.backlog import forget_old, read_lag
from scriba.delivery.cursors import behind
from scriba.delivery.deliveries import Deliveries
from scriba.delivery.dispatcher import MAX_UNDER_WAY, Dispatcher
from scriba.delivery.draft import Change, Draft
from scriba.delivery.endpoints import Endpoints
from scriba.delivery.fan_out import fan_out
from scriba.delivery.schedule import STEPS
from scriba.delivery.secret import PURPOSE, SecretBox
from scriba.delivery.sender import Sender
from scriba.domain.record import Event
from scriba.domain.window import Window
from scriba.errors import Conflict, IntegrityError, InvalidInput, NotFound
from scriba.settings import WebhookSettings
from scriba.storage.hot import pending
from scriba.storage.model import COMMAND_LINE, LogId, LogName
from scriba.storage.tables import documents, records, webhook_deliveries, webhook_endpoints

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection
    from tests.receiver import Receiver
    from tests.stores import OpenStore

    from scriba.domain.record import Record
    from scriba.storage.database import Database

RULES: Final = WebhookSettings(allowed_networks=(ip_network("127.0.0.0/8"),), allow_http=True, allowed_ports=())
SECOND: Final = 1_000_000
HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR
WARNED: Final = {"enforcement": "warn", "violation_reasons": ("x",), "violation_codes": ("baa",)}


class Lab:
    """A store, a receiver, and dispatchers whose clock is the test's."""

    def __init__(self, opened: OpenStore, receiver: Receiver) -> None:
        self.opened = opened
        self.receiver = receiver
        self.org_id = opened.organisation.id
        database, hot = opened.store.database, opened.store.hot
        self.box = SecretBox(opened.store.keyring.shared_key(PURPOSE))
        self.endpoints = Endpoints(database, hot, self.box, RULES)
        self.deliveries = Deliveries(database, hot)
        self.skipped = 0
        receiver.now = lambda: self.now() / SECOND
        self.dispatcher = self.new_dispatcher()

    def now(self) -> int:
        """Return the time of the lab."""
        with self.opened.store.database.read() as connection:
            return self.clock(connection)

    def clock(self, connection: Connection) -> int:
        """Return the database's time and what was skipped."""
        return self.opened.store.database.clock(connection) + self.skipped

    def new_dispatcher(self, database: Database | None = None) -> Dispatcher:
        """Make what a new process would have."""
        database = database or self.opened.store.database
        return Dispatcher(database, self.opened.store.hot, self.endpoints, Sender(RULES, seconds=2), self.clock)

    def endpoint(self, *filters: str, path: str = "/hook", secret: str | None = SECRET) -> str:
        """Make an endpoint at a path of the receiver."""
        draft = Draft(url=self.receiver.url.replace("/hook", path), filters=filters or ("*",), secret=secret)
        answer = msgspec.json.decode(self.endpoints.create(self.org_id, draft, actor=COMMAND_LINE))
        return str(answer["endpoint"]["id"])

    def append(self, *items: Record, log: LogName = LogName.REQUESTS) -> None:
        """Append records."""
        with self.opened.store.database.write() as connection:
            batch = [pending(LogId(self.org_id, log), record) for record in items]
            self.opened.store.hot.append(connection, batch)

    def decide(self, **fields: Any) -> str:
        """Append a decision and return its request id."""
        decision = a_decision(self.org_id, **fields)
        self.append(decision)
        return decision.request_id

    def drive(self, dispatcher: Dispatcher | None = None) -> None:
        """Let a dispatcher do all that is due now."""
        one = dispatcher or self.dispatcher

        async def rounds() -> None:
            async with one._sender:
                for _ in range(3):
                    while await one.step():
                        pass
                    await one.finish()

        asyncio.run(rounds())

    def rows(self) -> list[Any]:
        """Return all deliveries, oldest first."""
        with self.opened.store.database.read() as connection:
            return list(connection.execute(select(webhook_deliveries).order_by(webhook_deliveries.c.id)))

    def actions(self) -> list[str]:
        """Return the actions of all events in the logs."""
        with self.opened.store.database.read() as connection:
            details = connection.execute(select(records.c.detail).where(records.c.type == "event"))
            return [msgspec.json.decode(row.detail)["action"] for row in details]


@pytest.fixture
def lab(store: OpenStore) -> Iterator[Lab]:
    """Make a store with a receiver beside it."""
    with receiving() as receiver:
        yield Lab(store, receiver)


def test_what_happens_from_now_on_is_sent_once(lab: Lab) -> None:
    """Promise: a new endpoint begins at the present head, and gets each matching event once."""
    lab.decide()
    lab.endpoint("governance.request.*")
    told = [lab.decide(), lab.decide(allowed=False, provider=""), lab.decide(**WARNED)]
    lab.drive()
    lab.drive()
    assert {got.json["data"]["requestId"] for got in lab.receiver.came} == set(told)
    assert {got.json["type"].rpartition(".")[2] for got in lab.receiver.came} == {"allowed", "blocked", "warned"}
    assert len(lab.receiver.came) == 3
    assert lab.receiver.refused == []
    assert {(row.status, row.attempts) for row in lab.rows()} == {("delivered", 1)}


def test_filters_decide_what_is_sent_where(lab: Lab) -> None:
    """Promise: each endpoint gets what it asked for and nothing else."""
    lab.endpoint("governance.request.blocked", path="/blocked")
    lab.endpoint("governance.policy.*", path="/policies")
    lab.decide()
    lab.decide(allowed=False, provider="")
    event = Event(id="audit_1", action="policy.updated", target="gpol_1", detail={"changed": ["rules"]})
    lab.append(event, log=LogName.ADMIN)
    lab.drive()
    got = {(got.path, got.json["type"]) for got in lab.receiver.came}
    assert got == {("/blocked", "governance.request.blocked"), ("/policies", "governance.policy.updated")}


def test_other_organisations_hear_nothing(lab: Lab) -> None:
    """Promise: an event goes to endpoints of its own organisation alone."""
    other = lab.opened.control.create_organisation("other", actor=COMMAND_LINE)
    draft = Draft(url=lab.receiver.url, filters=("*",), secret=SECRET)
    lab.endpoints.create(other.id, draft, actor=COMMAND_LINE)
    lab.decide()
    lab.drive()
    assert lab.receiver.came == []
    with pytest.raises(NotFound):
        lab.endpoints.find(other.id, lab.endpoint())


def test_a_failed_delivery_is_tried_again_by_its_own_clock(lab: Lab) -> None:
    """Promise: ten attempts, none before its time, each with its own timestamp and the same bytes; then failed."""
    lab.endpoint()
    lab.receiver.modes["/hook"] = status(500)
    lab.decide()
    for number, step in enumerate((0, *STEPS)):
        lab.skipped += round(step * 0.8)
        lab.drive()
        assert len(lab.receiver.came) == max(number, 1)
        lab.skipped += round(step * 0.31)
        lab.drive()
        assert len(lab.receiver.came) == number + 1
    assert lab.receiver.refused == []
    assert len({got.body for got in lab.receiver.came}) == 1
    assert len({got.headers["webhook-id"] for got in lab.receiver.came}) == 1
    assert len({got.headers["webhook-timestamp"] for got in lab.receiver.came}) == 10
    (row,) = lab.rows()
    assert (row.status, row.attempts, row.last_status_code, row.last_error) == ("failed", 10, 500, "status_500")


def test_a_receiver_that_comes_back_gets_what_it_missed(lab: Lab) -> None:
    """Promise: an outage loses nothing, and a success ends the count of failures."""
    endpoint_id = lab.endpoint()
    lab.receiver.modes["/hook"] = status(401)
    told = {lab.decide() for _ in range(20)}
    lab.drive()
    assert lab.endpoints.find(lab.org_id, endpoint_id).failing.count > 0
    lab.receiver.modes.clear()
    for _ in range(4):
        lab.skipped += 10 * SECOND
        lab.drive()
    assert {got.json["data"]["requestId"] for got in lab.receiver.processed} == told
    assert lab.endpoints.find(lab.org_id, endpoint_id).failing.count == 0


def test_retry_after_is_honoured(lab: Lab) -> None:
    """Promise: a busy receiver is left alone for as long as it asked."""
    lab.endpoint()
    lab.receiver.modes["/hook"] = status(429, {"retry-after": "120"})
    lab.decide()
    lab.drive()
    lab.skipped += 100 * SECOND
    lab.drive()
    assert len(lab.receiver.came) == 1
    lab.skipped += 30 * SECOND
    lab.drive()
    assert len(lab.receiver.came) == 2


def test_a_redirect_is_a_failure_and_leads_nowhere(lab: Lab) -> None:
    """Promise: a receiver cannot send us elsewhere."""
    lab.endpoint()
    lab.receiver.modes["/hook"] = redirecting(lab.receiver.url.replace("/hook", "/elsewhere"))
    lab.decide()
    lab.drive()
    assert [got.path for got in lab.receiver.came] == ["/hook"]
    assert lab.rows()[0].last_error == "status_301"


def test_gone_switches_off_at_once(lab: Lab) -> None:
    """Promise: 410 ends it: the endpoint is off, what waited is given up, and the log says so."""
    endpoint_id = lab.endpoint()
    lab.receiver.modes["/hook"] = status(410)
    for _ in range(20):
        lab.decide()
    lab.drive()
    endpoint = lab.endpoints.find(lab.org_id, endpoint_id)
    assert (endpoint.status, endpoint.disabled_reason) == ("auto_disabled", "gone")
    assert {row.status for row in lab.rows()} == {"failed"}
    assert lab.actions().count("webhook.disabled") == 1
    came = len(lab.receiver.came)
    lab.decide()
    lab.skipped += 3 * HOUR
    lab.drive()
    assert len(lab.receiver.came) == came


def test_five_days_of_failures_switch_off(lab: Lab) -> None:
    """Promise: an endpoint that only fails is switched off after five days; made active again, it begins anew."""
    endpoint_id = lab.endpoint()
    lab.receiver.modes["/hook"] = status(500)
    for _ in range(12):
        lab.decide()
        lab.drive()
        lab.skipped += 12 * HOUR
    endpoint = lab.endpoints.find(lab.org_id, endpoint_id)
    assert (endpoint.status, endpoint.disabled_reason) == ("auto_disabled", "failing")
    lab.receiver.modes.clear()
    lab.decide()
    active = lab.endpoints.update(lab.org_id, endpoint_id, Change(status="active"), actor=COMMAND_LINE)
    assert (active.failing.count, active.disabled_reason) == (0, None)
    told = lab.decide()
    lab.drive()
    assert [got.json["data"]["requestId"] for got in lab.receiver.processed] == [told]


def test_a_paused_endpoint_keeps_what_waited(lab: Lab) -> None:
    """Promise: what an administrator stops is not sent, and goes out when it is started again."""
    endpoint_id = lab.endpoint()
    lab.receiver.modes["/hook"] = status(500)
    told = lab.decide()
    lab.drive()
    lab.endpoints.update(lab.org_id, endpoint_id, Change(status="disabled"), actor=COMMAND_LINE)
    lab.receiver.modes.clear()
    lab.decide()
    lab.skipped += HOUR
    lab.drive()
    assert lab.receiver.processed == []
    lab.endpoints.update(lab.org_id, endpoint_id, Change(status="active"), actor=COMMAND_LINE)
    lab.drive()
    assert [got.json["data"]["requestId"] for got in lab.receiver.processed] == [told]


def test_a_deleted_endpoint_leaves_lists_and_keeps_its_history(lab: Lab) -> None:
    """Promise: deletion is soft: nothing is sent any more, and what was sent can still be read."""
    endpoint_id = lab.endpoint()
    lab.decide()
    lab.drive()
    lab.receiver.modes["/hook"] = status(500)
    lab.decide()
    lab.drive()
    lab.endpoints.delete(lab.org_id, endpoint_id, actor=COMMAND_LINE)
    lab.skipped += HOUR
    lab.drive()
    assert len(lab.receiver.came) == 2
    assert lab.endpoints.list(lab.org_id, Window()).total == 0
    page = lab.deliveries.list(lab.org_id, Window(), endpoint_ids=[endpoint_id])
    assert [each["status"] for each in page.deliveries] == ["failed", "delivered"]
    with pytest.raises(NotFound):
        lab.endpoints.find(lab.org_id, endpoint_id)
    again = str(page.deliveries[0]["id"])
    with pytest.raises(Conflict, match="was deleted"):
        lab.deliveries.replay(lab.org_id, again, msgspec.UNSET, actor=COMMAND_LINE)


def test_rotation_signs_with_both_until_the_earlier_one_is_over(lab: Lab) -> None:
    """Promise: during the grace either secret verifies, afterwards the new one alone."""
    endpoint_id = lab.endpoint()
    answer = msgspec.json.decode(lab.endpoints.rotate(lab.org_id, endpoint_id, 600, actor=COMMAND_LINE))
    assert answer["endpoint"]["hasPreviousSigningSecret"] is True
    fresh = answer["signingSecret"]
    lab.decide()
    lab.drive()
    lab.receiver.secrets = [fresh]
    lab.decide()
    lab.drive()
    assert len(lab.receiver.processed) == 2
    lab.skipped += 601 * SECOND
    lab.receiver.secrets = [SECRET]
    lab.decide()
    lab.drive()
    assert lab.receiver.refused == ["no good signature"]


def test_rotation_without_grace_ends_all_earlier_secrets(lab: Lab) -> None:
    """Promise: a secret that leaked is useless from now on, also one that was still in its grace."""
    endpoint_id = lab.endpoint()
    first = msgspec.json.decode(lab.endpoints.rotate(lab.org_id, endpoint_id, 600, actor=COMMAND_LINE))
    last = msgspec.json.decode(lab.endpoints.rotate(lab.org_id, endpoint_id, 0, actor=COMMAND_LINE))
    assert last["endpoint"]["hasPreviousSigningSecret"] is False
    found = lab.endpoints.find(lab.org_id, endpoint_id)
    assert lab.endpoints.signing_secrets(found, lab.now()) == [last["signingSecret"]]
    assert first["signingSecret"] != last["signingSecret"]


def test_a_replay_is_the_same_event_with_a_new_timestamp(lab: Lab) -> None:
    """Promise: same id, same bytes, a marker, a delivery of its own; other content is refused."""
    lab.endpoint()
    lab.decide()
    lab.drive()
    (first,) = lab.rows()
    lab.skipped += 60 * SECOND
    data = lab.receiver.came[0].json["data"]
    with pytest.raises(InvalidInput, match="payload"):
        lab.deliveries.replay(lab.org_id, first.id, data | {"model": "x"}, actor=COMMAND_LINE)
    lab.deliveries.replay(lab.org_id, first.id, data, actor=COMMAND_LINE)
    lab.drive()
    one, two = lab.receiver.came
    assert one.body == two.body
    assert one.headers["webhook-id"] == two.headers["webhook-id"]
    assert one.headers["webhook-timestamp"] != two.headers["webhook-timestamp"]
    assert (one.headers.get("webhook-replay"), two.headers.get("webhook-replay")) == (None, "true")
    assert len(lab.receiver.processed) == 1
    assert len(lab.rows()) == 2


def test_two_processes_share_the_work(lab: Lab) -> None:
    """Promise: several servers on one database send each event once while none of them dies."""
    lab.endpoint()
    told = {lab.decide() for _ in range(30)}
    others = [lab.new_dispatcher() for _ in range(2)]

    async def together() -> None:
        async with others[0]._sender, others[1]._sender:
            for _ in range(12):
                await asyncio.gather(*(one.step() for one in others))
                await asyncio.gather(*(one.finish() for one in others))

    asyncio.run(together())
    assert {got.json["data"]["requestId"] for got in lab.receiver.processed} == told
    assert len(lab.receiver.came) == len(told) == len(lab.rows())


class Killed(Exception):
    """The process dies here."""


class DyingDatabase:
    """A database whose process dies at one of its transactions, just before or just after the commit."""

    def __init__(self, database: Database, transaction: int, when: str) -> None:
        self._database = database
        self._left = transaction
        self._when = when
        self.read = database.read
        self.clock = database.clock

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Write as the real one does, as long as the process lives."""
        self._left -= 1
        with self._database.write() as connection:
            yield connection
            if self._left == 0 and self._when == "before":
                raise Killed
        if self._left == 0:
            raise Killed


STEPS_OF_A_ROUND: Final = {"forget": 1, "cursor": 2, "lease": 3, "answer": 4}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS_OF_A_ROUND)
def test_dying_between_any_two_steps_loses_nothing(lab: Lab, step: str, when: str) -> None:
    """Promise: wherever a process dies, another one delivers, and no event has two rows."""
    lab.endpoint()
    told = lab.decide()
    database: Any = DyingDatabase(lab.opened.store.database, STEPS_OF_A_ROUND[step], when)
    with pytest.raises(Killed):
        lab.drive(lab.new_dispatcher(database))
    lab.drive(lab.new_dispatcher())
    lab.skipped += LEASE_MICROS + SECOND
    lab.drive(lab.new_dispatcher())
    assert [got.json["data"]["requestId"] for got in lab.receiver.processed] == [told]
    (row,) = lab.rows()
    assert row.status == "delivered"
    sent_twice = step == "answer" and when == "before"
    assert len(lab.receiver.came) == (2 if sent_twice else 1)


def test_a_round_has_the_transactions_of_that_table(lab: Lab) -> None:
    """Promise: the table above is about every transaction that there is."""
    lab.endpoint()
    lab.decide()
    database: Any = DyingDatabase(lab.opened.store.database, -1, "never")
    lab.drive(lab.new_dispatcher(database))
    assert -1 - database._left == max(STEPS_OF_A_ROUND.values())


def test_a_backlog_is_bounded_and_the_log_keeps_the_rest(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: a dead endpoint fills no disk, and still gets everything when it comes back."""
    monkeypatch.setattr("scriba.delivery.backlog.MAX_BACKLOG", 5)
    lab.endpoint()
    lab.receiver.modes["/hook"] = status(500)
    told = {lab.decide() for _ in range(12)}
    lab.drive()
    assert len(lab.rows()) == 5
    lab.receiver.modes.clear()
    for _ in range(6):
        lab.skipped += 10 * SECOND
        lab.drive()
    assert {got.json["data"]["requestId"] for got in lab.receiver.processed} == told


def test_history_is_bounded_by_days_and_by_number(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: bodies, which may hold personal data, go with the retention of the organisation."""
    monkeypatch.setattr("scriba.delivery.backlog.KEPT_DELIVERIES", 3)
    lab.endpoint()
    for _ in range(5):
        lab.decide()
    lab.drive()
    database = lab.opened.store.database
    with database.write() as connection:
        forget_old(connection, lab.now())
    assert len(lab.rows()) == 3
    lab.receiver.modes["/hook"] = status(500)
    lab.decide()
    lab.drive()
    with database.write() as connection:
        forget_old(connection, lab.now() + 8 * DAY)  # the organisation keeps seven days
    assert [row.status for row in lab.rows()] == ["pending"]


def test_the_lag_is_told_without_names(lab: Lab) -> None:
    """Promise: how much waits and for how long can be watched."""
    database = lab.opened.store.database
    assert (read_lag(database).pending, read_lag(database).oldest_seconds) == (0, 0.0)
    lab.endpoint()
    lab.receiver.modes["/hook"] = status(500)
    lab.decide()
    lab.drive()
    assert read_lag(database).pending == 1
    assert read_lag(database).oldest_seconds >= 0


def test_nothing_is_read_without_endpoints(lab: Lab) -> None:
    """Promise: a deployment without webhooks looks at no log."""
    lab.decide()
    with lab.opened.store.database.read() as connection:
        assert behind(connection) == []


def test_secrets_stand_nowhere_in_the_clear(lab: Lab) -> None:
    """Promise: neither the database nor the log of changes has a secret."""
    endpoint_id = lab.endpoint(secret="whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
    lab.endpoints.rotate(lab.org_id, endpoint_id, 0, actor=COMMAND_LINE)
    with lab.opened.store.database.read() as connection:
        kept = connection.execute(select(webhook_endpoints)).one()
        told = connection.execute(select(documents.c.body).where(documents.c.kind == "webhook")).all()
    assert b"C2FVsBQIhrsc" not in bytes(kept.secrets)
    assert len(told) == 1
    assert all(b"whsec" not in bytes(row.body) for row in told)
    assert lab.actions()[-2:] == ["webhook.created", "webhook.rotated"]
    assert "secrets" not in repr(lab.endpoints.find(lab.org_id, endpoint_id))


def test_an_endpoint_whose_secret_was_changed_fails_alone(lab: Lab) -> None:
    """Promise: tampering with one endpoint stops no other."""
    broken = lab.endpoint(path="/broken")
    lab.endpoint(path="/good")
    with lab.opened.store.database.write() as connection:
        this = webhook_endpoints.c.id == broken
        connection.execute(update(webhook_endpoints).where(this).values(secrets=b"x" * 60))
    lab.decide()
    lab.drive()
    assert [got.path for got in lab.receiver.processed] == ["/good"]
    assert {row.last_error for row in lab.rows()} == {None, "secret_unreadable"}


def test_a_record_that_was_changed_holds_up_its_own_endpoints_alone(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    """Promise: one organisation's damaged log stops no other's webhooks, and is told once, not every second."""
    harmed = lab.endpoint(path="/harmed")
    lab.decide()
    with lab.opened.store.database.write() as connection:
        connection.execute(update(records).where(records.c.type == "decision").values(violation_reasons="{"))
    lab.org_id = lab.opened.control.create_organisation("another", actor=COMMAND_LINE).id
    lab.endpoint(path="/other")
    told = lab.decide()
    lab.drive()
    assert [got.json["data"]["requestId"] for got in lab.receiver.processed] == [told]
    assert [harmed in line.getMessage() for line in caplog.records if line.levelname == "ERROR"] == [True]


def test_an_answer_that_cannot_be_written_down_holds_up_no_other(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: if an organisation's log `admin` refuses an event about an endpoint, the others go on."""
    lab.endpoint(path="/gone")
    lab.endpoint(path="/good")
    lab.receiver.modes["/gone"] = status(410)

    def refuse(*_: object, **__: object) -> None:
        raise IntegrityError("The seal does not fit.")

    monkeypatch.setattr(lab.dispatcher._journal, "write", refuse)
    lab.decide()
    lab.drive()
    assert {row.status for row in lab.rows()} == {"pending", "delivered"}


def test_attempts_under_way_are_few_and_shared_out(lab: Lab) -> None:
    """Promise: however many endpoints never answer, a process holds so many connections, and keeps half for others."""
    dead = {f"dead-{number}": 0 for number in range(500)}
    dispatcher = lab.dispatcher
    placed = dispatcher._places(dead, 0)
    assert set(placed.values()) == {1}
    assert sum(placed.values()) == MAX_UNDER_WAY // 2
    dispatcher._under_way = dict(placed)
    assert dispatcher._places(dead, SECOND) == {}
    well = {f"well-{number}": 1 for number in range(20)}
    for endpoint_id in well:
        dispatcher._places({endpoint_id: 0}, 0)
        dispatcher._paces[endpoint_id].speed_up()
    more = dispatcher._places(dead | well, SECOND)
    assert set(more) == set(well)
    assert sum(more.values()) == MAX_UNDER_WAY // 2
    assert max(more.values()) - min(more.values()) <= 1


def test_an_endpoint_that_fails_is_tried_one_by_one_until_it_answers(lab: Lab) -> None:
    """Promise: what never answered, or fails, gets one attempt at a time; a success opens it to eight."""
    lab.endpoint()
    pace = lab.dispatcher._paces
    told = {lab.decide() for _ in range(3)}
    lab.receiver.modes["/hook"] = status(500)
    lab.drive()
    assert [one.width for one in pace.values()] == [1]
    lab.receiver.modes.clear()
    lab.skipped += 10 * SECOND
    lab.drive()
    assert [one.width for one in pace.values()] == [8]
    lab.drive()
    assert {got.json["data"]["requestId"] for got in lab.receiver.processed} <= told


def test_what_is_due_is_found_by_its_index(lab: Lab) -> None:
    """Promise: a look at what is due costs the same, however many deliveries wait."""
    if lab.opened.store.database.dialect != "sqlite":
        pytest.skip("PostgreSQL plans by the size of a table, which is empty here")
    lab.endpoint()
    lab.decide()
    plans: list[str] = []
    with lab.opened.store.database.read() as connection:

        @event.listens_for(connection, "before_cursor_execute", retval=True)
        def explain(_connection: object, cursor: Any, statement: str, parameters: Any, *_: object) -> tuple[str, Any]:
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend(str(row) for row in cursor.fetchall())
            return statement, parameters

        due_endpoints(connection, lab.now())
    assert any("ix_webhook_deliveries_due" in plan for plan in plans)


def test_a_cursor_that_moved_meanwhile_is_read_again(lab: Lab) -> None:
    """Promise: what another process did since we looked is not done a second time."""
    lab.endpoint()
    lab.decide()
    database = lab.opened.store.database
    with database.read() as connection:
        (found,) = [one for one in behind(connection) if one.size - one.next_seq == 1]
    for _ in range(2):
        with database.write() as connection:
            fan_out(connection, found, lab.now(), {})
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(webhook_deliveries)).scalar_one() == 1
