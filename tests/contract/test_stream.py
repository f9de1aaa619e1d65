"""Following the log over a real connection."""

from __future__ import annotations

import http.client
import json
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pytest
from tests.asking import ask
from tests.running import program, serving, settings_in
from tests.stores import a_decision

from scriba.audit.watch import MAX_LISTENERS
from scriba.storage.hot import pending
from scriba.storage.model import COMMAND_LINE, LogId, LogName

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.running import Running, Tenant

PATH: Final = "/governance/audit-logs/stream"
SECONDS: Final = 20


class Stream:
    """An open stream, read as the HTML standard tells a browser to."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response
        self.last_id = ""

    def event(self) -> dict[str, Any]:
        """Wait for the next event and return what it holds."""
        data: list[bytes] = []
        while line := self._response.readline():
            name, _, value = line.rstrip(b"\n").partition(b": ")
            if name == b"data":
                data.append(value)
            elif name == b"id":
                self.last_id = value.decode()
            elif not name and data:
                document: dict[str, Any] = json.loads(b"\n".join(data))
                return document
        raise EOFError

    def ids(self, count: int) -> list[str]:
        """Wait for so many entries."""
        return [self.event()["id"] for _ in range(count)]

    def begin(self) -> str:
        """Read until the stream says where it begins."""
        while not self.last_id:
            self.last_id = self._response.readline().rstrip(b"\n").partition(b"id: ")[2].decode()
        return self.last_id

    def rest(self) -> bytes:
        """Read to the end."""
        return self._response.read()


@contextmanager
def streaming(url: str, key: str, query: str = "", last_id: str = "") -> Iterator[Stream]:
    """Open a stream."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=SECONDS)
    headers = {"Authorization": f"Bearer {key}"} | ({"Last-Event-ID": last_id} if last_id else {})
    try:
        connection.request("GET", PATH + query, headers=headers)
        response = connection.getresponse()
        assert response.status == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Stream(response)
    finally:
        connection.close()


def write(server: Running, tenant: Tenant, count: int, log: LogName = LogName.REQUESTS, **fields: Any) -> list[str]:
    """Append decisions, as another process would; returns their ids."""
    made = [a_decision(tenant.id, **fields) for _ in range(count)]
    store = server.services.store
    with store.database.write() as connection:
        store.hot.append(connection, [pending(LogId(tenant.id, log), decision) for decision in made])
    return [decision.id for decision in made]


def test_each_entry_once_and_in_order(server: Running) -> None:
    """Promise: what is logged is told once, in the order of the logs, an import with an old time as well."""
    tenant = server.tenant()
    write(server, tenant, 3)
    with streaming(server.url, tenant.auditor) as stream:
        stream.begin()
        first = write(server, tenant, 2)
        assert stream.ids(2) == first
        old = write(server, tenant, 2, LogName.IMPORTS, source="import", timestamp=1)
        assert stream.ids(2) == old
        many = write(server, tenant, 250)
        assert stream.ids(250) == many


def test_filters(server: Running) -> None:
    """Promise: a stream takes the filters of a list, and no parameter that it does not know."""
    tenant = server.tenant()
    with streaming(server.url, tenant.auditor, "?model=wanted&allowed=true") as stream:
        stream.begin()
        write(server, tenant, 2)
        wanted = write(server, tenant, 1, model="wanted")
        assert stream.ids(1) == wanted
    answer = ask(server.url, tenant.auditor, b"", method="GET", path=f"{PATH}?limit=5")
    assert (answer.status, answer.error["param"]) == (400, "limit")


def test_it_goes_on_where_it_was_left(server: Running) -> None:
    """Promise: who comes back with the last id misses nothing and gets nothing twice, however long it was away."""
    tenant = server.tenant()
    with streaming(server.url, tenant.auditor) as stream:
        begin = stream.begin()
        ids = write(server, tenant, 3)
        assert stream.ids(2) == ids[:2]
        last_id = stream.last_id
    ids += write(server, tenant, 120)
    with streaming(server.url, tenant.auditor, last_id=last_id) as stream:
        assert stream.ids(121) == ids[2:]
    with streaming(server.url, tenant.auditor, last_id=begin) as stream:
        assert stream.ids(123) == ids


@pytest.mark.parametrize("last_id", ["x", "requests/1=99999999", "admin/1=0", "requests/1=-1", "requests/1=1,"])
def test_an_id_of_no_event_is_refused(server: Running, last_id: str) -> None:
    """Promise: what is no place in these logs is a 400 that names the header."""
    tenant = server.tenant()
    write(server, tenant, 1)
    answer = ask(server.url, tenant.auditor, b"", [("Last-Event-ID", last_id)], method="GET", path=PATH)
    assert (answer.status, answer.error["param"]) == (400, "Last-Event-ID")


def test_a_revoked_key_ends_its_stream(server: Running) -> None:
    """Promise: a key that is good no more is told nothing more."""
    tenant = server.tenant()
    key = server.services.authenticator.identify(tenant.auditor)
    with streaming(server.url, tenant.auditor) as stream:
        stream.begin()
        server.services.control.revoke_key(tenant.id, key.key_id, actor=COMMAND_LINE)
        assert b"data" not in stream.rest()


def test_streams_are_counted(server: Running) -> None:
    """Promise: an organisation can hold so many streams open, and one that is closed makes room."""
    tenant = server.tenant()
    opened = [streaming(server.url, tenant.auditor) for _ in range(MAX_LISTENERS)]
    for each in opened:
        each.__enter__().begin()
    try:
        answer = ask(server.url, tenant.auditor, b"", method="GET", path=PATH)
        assert (answer.status, answer.error["code"]) == (429, "too_many_streams")
    finally:
        for each in opened:
            each.__exit__(None, None, None)
    deadline = time.monotonic() + SECONDS
    while server.services.log_watch._listeners and time.monotonic() < deadline:
        time.sleep(0.02)
    with streaming(server.url, tenant.auditor) as stream:
        assert stream.begin()


def test_a_stream_does_not_hold_up_the_end_of_the_server(tmp_path: Path) -> None:
    """Promise: open streams end with SIGTERM, at once and properly, and the server's exit is clean."""
    with program(tmp_path) as running:
        key = (tmp_path / "data" / "admin.key").read_text(encoding="utf-8").strip()
        with streaming(running.url, key) as stream:
            stream.begin()
            running.process.send_signal(signal.SIGTERM)
            stream.rest()
        assert running.process.wait(SECONDS) == 0


def test_two_servers(tmp_path: Path) -> None:
    """Promise: what one process logs is told by another."""
    settings = settings_in(tmp_path)
    with serving(settings) as writer, serving(settings) as reader:
        tenant = writer.tenant()
        with streaming(reader.url, tenant.auditor) as stream:
            stream.begin()
            ids = write(writer, tenant, 3)
            assert stream.ids(3) == ids
