"""What a purge means for webhooks that are behind, on both databases."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

import msgspec
import pytest
from sqlalchemy import delete, select, update
from tests.ageing import Clock, decide, live
from tests.receiver import SECRET, receiving

from scriba.audit.retention import Purge, Retention
from scriba.delivery.cursors import behind
from scriba.delivery.dispatcher import Dispatcher
from scriba.delivery.draft import Change, Draft
from scriba.delivery.endpoints import Endpoints
from scriba.delivery.secret import PURPOSE, SecretBox
from scriba.delivery.sender import Sender
from scriba.settings import WebhookSettings
from scriba.storage.model import COMMAND_LINE, LogName
from scriba.storage.tables import logs, records, webhook_cursors, webhook_deliveries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.receiver import Receiver
    from tests.stores import OpenStore

RULES: Final = WebhookSettings(allowed_networks=(ip_network("127.0.0.0/8"),), allow_http=True, allowed_ports=())


class Scene:
    """A store whose time is the test's, and a receiver."""

    def __init__(self, store: OpenStore, clock: Clock, receiver: Receiver) -> None:
        self.store, self.clock, self.receiver = store, clock, receiver
        self.org_id = store.organisation.id
        box = SecretBox(store.store.keyring.shared_key(PURPOSE))
        self.endpoints = Endpoints(store.store.database, store.store.hot, box, RULES)

    def endpoint(self, path: str = "/hook") -> str:
        """Make an endpoint that wants everything about requests and purges; returns its id."""
        filters = ("governance.request.*", "governance.retention.*")
        draft = Draft(url=self.receiver.url.replace("/hook", path), filters=filters, secret=SECRET)
        answer = msgspec.json.decode(self.endpoints.create(self.org_id, draft, actor=COMMAND_LINE))
        return str(answer["endpoint"]["id"])

    def purge(self) -> Purge:
        """Purge the log `requests`."""
        retention = Retention(self.store.store, None, rest=lambda _: None)
        return retention.purge(self.org_id, LogName.REQUESTS, actor=COMMAND_LINE)

    def first_seq(self) -> int:
        """Return where the log `requests` begins."""
        this = (logs.c.org_id == self.org_id) & (logs.c.log == "requests")
        with self.store.store.database.read() as connection:
            return int(connection.execute(select(logs.c.first_seq).where(this)).scalar_one())

    def send(self) -> list[str]:
        """Send what is due; returns the types of the events that have come, first ones first."""
        database, hot = self.store.store.database, self.store.store.hot
        dispatcher = Dispatcher(database, hot, self.endpoints, Sender(RULES, seconds=2))

        async def rounds() -> None:
            async with dispatcher._sender:
                for _ in range(3):
                    while await dispatcher.step():
                        pass
                    await dispatcher.finish()

        asyncio.run(rounds())
        return sorted(got.json["type"] for got in self.receiver.came)


@pytest.fixture
def scene(store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Set one up."""
    clock = Clock(monkeypatch)
    clock.rule(store.store.database)
    with receiving() as receiver:
        receiver.now = lambda: clock.now / 1_000_000
        yield Scene(store, clock, receiver)


@pytest.mark.parametrize("is_swept", [True, False])
def test_a_webhook_behind_a_purge_goes_on_after_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, *, is_swept: bool
) -> None:
    """Promise: what was purged before a webhook was told of it is passed over, and the purge says whose loss it is."""
    slow, slower = scene.endpoint("/slow"), scene.endpoint("/slower")
    live(scene.store, scene.clock, 20)
    with scene.store.store.database.write() as connection:
        this = (webhook_cursors.c.endpoint_id == slow) & (webhook_cursors.c.next_seq == 1)
        connection.execute(update(webhook_cursors).where(this).values(next_seq=3))
    if not is_swept:
        monkeypatch.setattr("scriba.audit.retention.delete_purged", lambda *_, **__: iter(()))
    done = scene.purge()
    assert (done.done, done.lost) == (True, tuple(sorted([slow, slower])))
    with scene.store.store.database.read() as connection:
        found = {(one.endpoint_id, one.next_seq) for one in behind(connection) if one.size > 20}
        left = connection.execute(
            select(records.c.seq).where(records.c.seq >= done.before, records.c.type == "decision")
        ).all()
    assert found == {(slow, done.before), (slower, done.before)}
    assert scene.send()
    with scene.store.store.database.read() as connection:
        made = connection.execute(select(webhook_deliveries)).all()
    seqs = sorted(row.seq for row in made if row.event_type == "governance.request.allowed")
    assert seqs == sorted([row.seq for row in left] * 2) != []
    told = [msgspec.json.decode(row.body)["data"] for row in made if row.event_type == "governance.retention.purged"]
    assert [tuple(data["notDelivered"]) for data in told] == [done.lost] * 2


def test_an_endpoint_that_was_off_meanwhile(scene: Scene) -> None:
    """Promise: an endpoint that is switched on again begins at the present, whatever was purged while it was off."""
    endpoint = scene.endpoint()
    scene.endpoints.update(scene.org_id, endpoint, Change(status="disabled"), actor=COMMAND_LINE)
    live(scene.store, scene.clock, 20)
    done = scene.purge()
    assert (done.done, done.waits_for, done.lost) == (True, (), ())
    scene.endpoints.update(scene.org_id, endpoint, Change(status="active"), actor=COMMAND_LINE)
    decide(scene.store, 1)
    assert scene.send() == ["governance.request.allowed"]


def test_an_endpoint_without_a_cursor(scene: Scene) -> None:
    """Promise: a webhook that has not begun with a log is to be told of all of it, so a purge waits for it too."""
    endpoint = scene.endpoint()
    live(scene.store, scene.clock, 10)
    with scene.store.store.database.write() as connection:
        connection.execute(delete(webhook_cursors))
    waiting = scene.purge()
    assert (waiting.before, waiting.waits_for) == (None, (endpoint,))
    imports = Retention(scene.store.store, None).plan(scene.org_id, LogName.IMPORTS)
    assert imports.waits_for == ()
    scene.clock.pass_days(7)
    assert scene.purge().lost == (endpoint,)
    assert scene.first_seq() > 0
