"""A real server for tests: the whole application under uvicorn, on a free port of the loopback, with a real database.

`serving` runs it in a thread of the test, where its services can be reached; `program` runs `scriba serve` as a user
would, in a process of its own.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import uvicorn
import uvloop
from sqlalchemy import select

from scriba.bootstrap import Application, keep_documents, open_services
from scriba.domain.record import Decision, Outcome
from scriba.gateway.configured import read_settings
from scriba.server import _config
from scriba.storage.model import COMMAND_LINE, LogName, Role
from scriba.storage.rows import COLUMNS, stored_of
from scriba.storage.tables import logs, records

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from scriba.domain.record import Stored
    from scriba.services import Services
    from scriba.settings import Settings

__all__ = ["Program", "Running", "Tenant", "program", "serving", "settings_in"]

_START_SECONDS: Final = 30
_READY: Final = re.compile(r"Scriba is ready on (https?://\S+)")


class Tenant(NamedTuple):
    """An organisation of a test's own, with a key of role `app` and one of role `auditor`."""

    id: str
    name: str
    app: str
    auditor: str


class Running:
    """A server in a thread of this process.

    :ivar url: where it answers, without a slash at the end
    """

    def __init__(self, application: Application, server: uvicorn.Server, url: str) -> None:
        self.application = application
        self._server = server
        self.services: Services = application.services
        self.url = url
        self._count = 0

    def tenant(self, policy: Mapping[str, Any] | None = None, **key: Any) -> Tenant:
        """Make an organisation with the rules of one default policy (none: no policy), and its keys.

        :param key: further arguments of the `app` key, such as `policy_slot`
        """
        self._count += 1
        control = self.services.control
        org = control.create_organisation(f"tenant-{self._count}", actor=COMMAND_LINE)
        if policy is not None:
            self.policy(org.id, rules=dict(policy), isDefault=True)
        _, app = control.create_key(org.id, role=Role.APP, actor=COMMAND_LINE, **key)
        _, auditor = control.create_key(org.id, role=Role.AUDITOR, actor=COMMAND_LINE)
        return Tenant(org.id, org.name, app, auditor)

    def policy(self, org_id: str, **body: Any) -> str:
        """Make a policy and return its id. It is called `Production` if nothing else is said."""
        given = {"name": "Production", **body}
        vendors = self.services.vendors
        return self.services.control.create_policy(org_id, given, vendors=vendors, actor=COMMAND_LINE).id

    def stop_soon(self) -> None:
        """Tell the server to stop, as SIGTERM does."""
        self._server.should_exit = True

    def records(self, org_id: str) -> list[Stored]:
        """Return all records of an organisation's log `requests` as the database holds them, oldest first."""
        query = (
            select(*(records.c[name] for name in COLUMNS))
            .join(logs, logs.c.id == records.c.log_id)
            .where(logs.c.org_id == org_id, logs.c.log == LogName.REQUESTS.value)
            .order_by(records.c.seq)
        )
        with self.services.store.database.read() as connection:
            return [stored_of(row, org_id) for row in connection.execute(query)]

    def decisions(self, org_id: str) -> list[Decision]:
        """Return the decisions among them."""
        return [stored.record for stored in self.records(org_id) if isinstance(stored.record, Decision)]

    def outcomes(self, org_id: str, count: int = 1) -> list[Outcome]:
        """Wait until there are so many outcomes, for which no answer waits, and return them."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            found = [stored.record for stored in self.records(org_id) if isinstance(stored.record, Outcome)]
            if len(found) >= count:
                return found
            time.sleep(0.005)
        raise AssertionError(f"there are not {count} outcomes")


class Program(NamedTuple):
    """A server in a process of its own, and what it printed when it was ready."""

    process: subprocess.Popen[str]
    url: str
    greeting: str


def settings_in(folder: Path, toml: str = "", environ: Mapping[str, str] | None = None) -> Settings:
    """Load settings as the program does, from a settings file with this text, and with `folder` for all data."""
    file = folder / "scriba.toml"
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(f'data_dir = "{folder / "data"}"\nport = 0\n{toml}', encoding="utf-8")
    return read_settings(file, environ or {})


@contextmanager
def serving(settings: Settings) -> Iterator[Running]:
    """Run a server in a thread until the block ends; then it has drained and closed everything."""
    services = open_services(settings)
    keep_documents(services)
    application = Application(services)
    server = _ThreadServer(_config(application, settings))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run_in_thread, args=(listener,), name="scriba-test-server")
    thread.start()
    try:
        assert server.ready.wait(_START_SECONDS), "the server did not start"
        yield Running(application, server, f"http://127.0.0.1:{listener.getsockname()[1]}")
    finally:
        server.should_exit = True
        thread.join(_START_SECONDS)
        listener.close()
        assert not thread.is_alive(), "the server did not stop"


class _ThreadServer(uvicorn.Server):
    """Says when it is ready; no signal handlers, which only the main thread may set."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    def run_in_thread(self, listener: socket.socket) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self.serve(sockets=[listener]))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@contextmanager
def program(folder: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> Iterator[Program]:
    """Run `scriba serve` with its data in `folder` until the block ends, then by SIGTERM.

    :param arguments: further ones, such as `--demo`
    :param environ: variables beside PATH and HOME; nothing else of the test's environment is passed on
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-m", "scriba", "serve", "--port", "0", *arguments],
        cwd=folder,
        env=kept | dict(environ or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        greeting = _greeting(process)
        match = _READY.search(greeting)
        assert match is not None, greeting
        yield Program(process, match[1], greeting)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=_START_SECONDS)


def _greeting(process: subprocess.Popen[str]) -> str:
    """Read what the server prints until it is ready; it ends with how to stop it."""
    assert process.stdout is not None
    lines: Sequence[str] = []
    for line in process.stdout:
        lines = [*lines, line]
        if line.startswith("Stop with"):
            break
    return "".join(lines)
