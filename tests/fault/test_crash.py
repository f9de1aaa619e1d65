"""A server that is killed at any moment loses nothing that it has answered for."""

from __future__ import annotations

import http.client
import json
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from tests.asking import PATH
from tests.rederive import read_log, rederive_all
from tests.running import Program, program, settings_in

from scriba.bootstrap import open_services
from scriba.domain.record import Decision, Outcome
from scriba.ledger.receipt import check_receipt
from scriba.merkle.note import parse_vkey
from scriba.storage.model import LogId, LogName

if TYPE_CHECKING:
    from pathlib import Path

    from scriba.services import Services

KILLS: Final = 20
THREADS: Final = 6
MODELS: Final = ("sandbox/echo", "deepseek-chat")


class Acknowledged(NamedTuple):
    """What an answer vouched for."""

    audit_id: str
    receipt: str


class Load:
    """Threads that ask until the server is gone, and note every entry that an answer vouched for."""

    def __init__(self, url: str, key: str) -> None:
        self._address = urlsplit(url).netloc
        self._key = key
        self.acknowledged: list[Acknowledged] = []
        self.some = threading.Event()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(THREADS)]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        body = json.dumps({"model": MODELS[number % 2], "messages": [{"role": "user", "content": "hello"}]})
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection(self._address, timeout=20)
        try:
            while not self._stop.is_set():
                connection.request("POST", PATH, body, headers)
                response = connection.getresponse()
                audit_id, receipt = response.headers["X-Audit-Id"], response.headers["X-Audit-Receipt"]
                if audit_id and receipt:
                    self.acknowledged.append(Acknowledged(audit_id, receipt))
                    if len(self.acknowledged) > THREADS:
                        self.some.set()
                response.read()
        except (OSError, http.client.HTTPException):
            pass  # the server is gone
        finally:
            connection.close()

    def stop(self) -> None:
        """Wait until every thread has ended."""
        self._stop.set()
        for thread in self._threads:
            thread.join()


def demo_keys(folder: Path) -> dict[str, str]:
    """Read the keys that `--demo` made."""
    keys: dict[str, str] = json.loads((folder / "data" / "demo.keys").read_text())
    return keys


def reopened(folder: Path) -> tuple[Services, LogId]:
    """Open what a server left behind, with the log of the demo organisation."""
    services = open_services(settings_in(folder))
    return services, LogId(services.control.find_organisation("demo").id, LogName.REQUESTS)


def check_everything(folder: Path, acknowledged: list[Acknowledged]) -> None:
    """Check that every acknowledged entry is there once and every log can be derived again."""
    services, log = reopened(folder)
    database = services.store.database
    rederive_all(database)
    stored = read_log(database, log)
    decisions = {one.record.id: one for one in stored if isinstance(one.record, Decision)}
    counts = Counter(one.record.id for one in stored if isinstance(one.record, Decision))
    assert set(counts.values()) <= {1}
    origin = f"{services.store.deployment}/tlog/{log.org_id}/requests/1"
    verifiers = [parse_vkey(vkey) for vkey in services.store.keyring.of(origin).vkeys]
    for entry in acknowledged:
        receipt = check_receipt(entry.receipt, origin, verifiers)
        assert decisions[entry.audit_id].seq == receipt.seq
        assert decisions[entry.audit_id].leaf_hash == receipt.leaf_hash
    database.close()


def test_kill_at_random_moments_under_load(tmp_path: Path) -> None:
    """Promise: kill -9 at any moment loses no acknowledged entry, leaves no hole and no double."""
    moments = random.Random(2728)
    acknowledged: list[Acknowledged] = []
    for _ in range(KILLS):
        with program(tmp_path, "--demo") as server:
            load = Load(server.url, demo_keys(tmp_path)["app"])
            assert load.some.wait(30)
            threading.Event().wait(moments.uniform(0, 0.2))
            server.process.kill()
            server.process.wait()
            load.stop()
            acknowledged += load.acknowledged
    assert len(acknowledged) > KILLS * THREADS
    check_everything(tmp_path, acknowledged)


def test_two_servers_on_one_file_of_which_one_is_killed(tmp_path: Path) -> None:
    """Promise: several server processes may share a SQLite file, and one that dies harms no other."""
    with program(tmp_path, "--demo") as first, program(tmp_path, "--demo") as second:
        key = demo_keys(tmp_path)["app"]
        loads = [Load(first.url, key), Load(second.url, key)]
        assert all(load.some.wait(30) for load in loads)
        first.process.kill()
        loads[0].stop()
        loads[1].some.clear()
        assert loads[1].some.wait(30)
        loads[1].stop()
    check_everything(tmp_path, loads[0].acknowledged + loads[1].acknowledged)


def acknowledge_and_kill(server: Program, key: str) -> list[Acknowledged]:
    """Send requests until some are acknowledged, then kill the server."""
    load = Load(server.url, key)
    assert load.some.wait(30)
    load.stop()
    server.process.kill()
    server.process.wait()
    return load.acknowledged


def test_a_command_beside_a_server_takes_nothing_from_it(tmp_path: Path) -> None:
    """Promise: commands may work on the database of a running server; what it acknowledges after them is durable.

    SQLite drops its locks when a process closes a file that it also has open as a database, and whoever closes the
    database last then deletes the log of what is not yet in the main file.
    """
    with program(tmp_path, "--demo"):
        pass
    with program(tmp_path, "--demo") as server:
        command = [sys.executable, "-m", "scriba", "org", "list"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        acknowledged = acknowledge_and_kill(server, demo_keys(tmp_path)["app"])
    check_everything(tmp_path, acknowledged)


def test_a_server_that_stops_takes_nothing_from_another(tmp_path: Path) -> None:
    """Promise: of two servers on one file, the end of one does not touch what the other acknowledges."""
    with program(tmp_path, "--demo") as first, program(tmp_path, "--demo") as second:
        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(40) == 0
        acknowledged = acknowledge_and_kill(second, demo_keys(tmp_path)["app"])
    check_everything(tmp_path, acknowledged)


def test_sigterm_lets_requests_finish_and_loses_no_outcome(tmp_path: Path) -> None:
    """Promise: SIGTERM drains: what was accepted is answered, every allowed call gets its outcome, exit code 0."""
    with program(tmp_path, "--demo") as server:
        load = Load(server.url, demo_keys(tmp_path)["app"])
        assert load.some.wait(30)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(40) == 0
        load.stop()
    check_everything(tmp_path, load.acknowledged)
    services, log = reopened(tmp_path)
    stored = read_log(services.store.database, log)
    allowed = {one.seq for one in stored if isinstance(one.record, Decision) and one.record.allowed}
    assert allowed
    assert {one.record.decision for one in stored if isinstance(one.record, Outcome)} == allowed
    services.store.database.close()


def test_a_checkpoint_of_the_end_is_kept_outside_the_database(tmp_path: Path) -> None:
    """Promise: after a clean stop the guard knows the last record, so any older database is noticed."""
    with program(tmp_path, "--demo") as server:
        load = Load(server.url, demo_keys(tmp_path)["app"])
        assert load.some.wait(30)
        load.stop()
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(40)
    services, _ = reopened(tmp_path)
    sizes: dict[str, Any] = {one.origin: one.size for one in services.store.guard.checkpoints(services.store.keyring)}
    assert sizes == rederive_all(services.store.database)
    services.store.database.close()


def test_the_database_is_in_the_mode_that_survives_a_power_cut(tmp_path: Path) -> None:
    """Promise: the settings of SQLite that durability rests on are those that connections really have."""
    services = open_services(settings_in(tmp_path))
    with services.store.database.write() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
    services.store.database.close()
    check = sqlite3.connect(tmp_path / "data" / "scriba.db")
    assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    check.close()
