"""The demo has a month of decisions that the real engine made, once, however often it starts."""

from __future__ import annotations

import itertools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

import pytest
from tests.rederive import read_log, rederive_all
from tests.running import settings_in

from scriba.audit.imports import Importer
from scriba.bootstrap import open_services
from scriba.demo import ENTRIES, fill_demo
from scriba.demo import history as history_module
from scriba.domain.record import Decision
from scriba.first_start import DEMO, make_demo
from scriba.storage.model import COMMAND_LINE, LogId, LogName

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scriba.services import Services

FEW = 3_000
DOCUMENTATION = [ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]


def nothing(_done: int, _total: int) -> None:
    """Take no notice of progress."""


def demo_of(services: Services) -> str:
    """Make the demo's keys and return the id of its organisation."""
    make_demo(services)
    return services.control.find_organisation(DEMO).id


def decisions_of(services: Services, org_id: str) -> list[Decision]:
    """Return the history of an organisation."""
    records = (stored.record for stored in read_log(services.store.database, LogId(org_id, LogName.IMPORTS)))
    return [record for record in records if isinstance(record, Decision)]


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Open the services of one process."""
    opened = open_services(settings_in(tmp_path))
    yield opened
    opened.store.database.close()


def test_the_sample_is_what_is_promised(services: Services) -> None:
    """Promise: 20 000 decisions, some 4 % blocked and 6 % warned, of five keys, four users and three tags."""
    org_id = demo_of(services)
    steps: list[tuple[int, int]] = []
    assert fill_demo(services, org_id, lambda done, total: steps.append((done, total))) == ENTRIES == 20_000
    assert steps[-1] == (ENTRIES, ENTRIES)
    decisions = decisions_of(services, org_id)
    assert len(decisions) == len({decision.id for decision in decisions}) == ENTRIES
    blocked = sum(not decision.allowed for decision in decisions)
    warned = sum(decision.allowed and bool(decision.violation_codes) for decision in decisions)
    assert 0.03 < blocked / ENTRIES < 0.05
    assert 0.05 < warned / ENTRIES < 0.07
    assert len({decision.hidden.api_key_id for decision in decisions}) == 5
    assert len({decision.hidden.user for decision in decisions}) == 4
    assert len({tag for decision in decisions for tag in decision.hidden.tags}) == 3
    assert len({decision.requested_provider for decision in decisions}) > 8
    assert {decision.policy_name for decision in decisions} == {"Production", "Experiments"}
    addresses = {ip_address(decision.hidden.ip_address) for decision in decisions}
    assert all(any(address in network for network in DOCUMENTATION) for address in addresses)
    assert fill_demo(services, org_id, nothing) == 0
    assert len(decisions_of(services, org_id)) == ENTRIES


def test_an_interrupted_history_is_finished(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: wherever it was killed, the next start adds what is missing, and nothing to other organisations."""
    monkeypatch.setattr(history_module, "ENTRIES", FEW)
    other = services.control.create_organisation("other", actor=COMMAND_LINE)
    org_id = demo_of(services)
    calls = itertools.count(1)
    real = Importer.import_entries

    def killed(*arguments: Any, **named: Any) -> Any:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Importer, "import_entries", killed)
        with pytest.raises(KeyboardInterrupt):
            fill_demo(services, org_id, nothing)
    there = len(decisions_of(services, org_id))
    assert 0 < there < FEW
    assert fill_demo(services, org_id, nothing) == FEW - there
    moments = [decision.timestamp for decision in decisions_of(services, org_id)]
    assert len(moments) == FEW
    assert decisions_of(services, other.id) == []
    rederive_all(services.store.database)


def test_histories_at_the_same_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: several starts together make one history."""
    monkeypatch.setattr(history_module, "ENTRIES", FEW)
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        opened = [open_services(settings_in(tmp_path)) for _ in range(2)]
        for services in opened:
            stack.callback(services.store.database.close)
        org_ids = {demo_of(services) for services in opened}
        (org_id,) = org_ids
        written = pool.map(lambda services: fill_demo(services, org_id, nothing), opened)
        assert sum(written) == FEW
        counts = Counter(decision.id for decision in decisions_of(opened[0], org_id))
        assert set(counts.values()) == {1}
