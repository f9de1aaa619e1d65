"""Runs the server: listens, says when it is ready and what to try, and stops cleanly."""

from __future__ import annotations

import asyncio
import http.client
import logging
import signal
import socket
import sys
import threading
import time
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec
import uvicorn
from uvicorn.config import LOGGING_CONFIG
from uvicorn.supervisors import Multiprocess

from scriba.bootstrap import Application, keep_documents, open_services, spare_the_collector
from scriba.connection import Connection
from scriba.errors import SettingsError
from scriba.first_start import make_default, make_demo
from scriba.greeting import greeting
from scriba.settings import ProviderSettings, pass_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scriba.services import Services
    from scriba.settings import Settings

__all__ = ["serve"]

_BACKLOG: Final = 2048
_READY_SECONDS: Final = 60
_LAST_PORT: Final = 65_535
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def serve(settings: Settings, *, demo: bool = False) -> None:
    """Serve until SIGTERM or Ctrl-C.

    :param demo: also make an organisation to try out, and turn the sandbox on
    :raises ScribaError: it cannot start; the message says what to do
    """
    if demo:
        sandbox = settings.providers.get("sandbox", ProviderSettings())
        sandbox = msgspec.structs.replace(sandbox, enabled=True)
        settings = msgspec.structs.replace(settings, providers={**settings.providers, "sandbox": sandbox})
    listener = _listen(settings.host, settings.port)
    services = open_services(settings)
    keep_documents(services)
    announce = _announcement(services, listener, demo=demo)
    if settings.workers == 1:
        _serve_here(services, listener, announce)
    else:
        _serve_by_workers(settings, listener, announce, demo=demo)


def _announcement(services: Services, listener: socket.socket, *, demo: bool) -> Callable[[], None]:
    """Make what a first start makes, and return what prints the start message."""
    admin_key = make_default(services)
    demo_keys = make_demo(services) if demo else None
    host, port = listener.getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    text = greeting(services, address, admin_key, demo_keys)
    return lambda: print(text, flush=True)  # noqa: T201 - this is the program's output


class _Server(uvicorn.Server):
    """A server that says when it answers, and whose end by a signal is a normal end."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let SIGINT and SIGTERM begin the shutdown. Unlike the original they are not raised again: exit code 0."""
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _serve_here(services: Services, listener: socket.socket, announce: Callable[[], None]) -> None:
    server = _Server(_config(Application(services), services.settings), announce)
    spare_the_collector()
    try:
        server.run(sockets=[listener])
    finally:
        listener.close()


def _serve_by_workers(settings: Settings, listener: socket.socket, announce: Callable[[], None], *, demo: bool) -> None:
    pass_on(settings, sandbox=demo)
    threading.Thread(target=_announce_when_ready, args=(listener, announce), daemon=True).start()
    Multiprocess(_config("scriba.bootstrap:create_app", settings), sockets=[listener]).run()


def _announce_when_ready(listener: socket.socket, announce: Callable[[], None]) -> None:
    """Wait until a worker answers, then print the start message."""
    host, port = listener.getsockname()[:2]
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection(host, port, timeout=5)
        try:
            connection.request("GET", "/livez")
            if connection.getresponse().status == HTTPStatus.OK:
                announce()
                return
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()


class _NoPurposefulCuts(logging.Filter):
    """Drops what uvicorn says where we break an answer off on purpose, as if that were an error of ours.

    An answer that a provider did not end stays without its end, which the gateway has warned of in its own words; and
    at the end of the time for draining each open call is cancelled, of which uvicorn has told the number.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        is_cancelled = record.msg == "Exception in ASGI application\n" and isinstance(error, asyncio.CancelledError)
        return not is_cancelled and record.msg != "ASGI callable returned without completing response."


_LOGGING: Final[dict[str, Any]] = {
    **LOGGING_CONFIG,
    "filters": {"cuts": {"()": _NoPurposefulCuts}},
    "loggers": {**LOGGING_CONFIG["loggers"], "uvicorn.error": {"level": "INFO", "filters": ["cuts"]}},
}


def _config(app: Application | str, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        http=Connection,
        # Named, since the default falls back to what is slower without a word.
        loop="asyncio" if sys.platform == "win32" else "uvloop",
        ws="none",
        interface="asgi3",
        lifespan="on",
        access_log=False,
        log_config=_LOGGING,
        log_level="warning",
        server_header=False,
        proxy_headers=False,  # X-Forwarded-For is read by ourselves, from trusted proxies alone
        workers=settings.workers,
        timeout_graceful_shutdown=settings.drain_seconds,
    )


def _listen(host: str, port: int) -> socket.socket:
    """Bind the port before anything else is done, so that a taken one is told at once."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"Scriba cannot listen on {host}:{port}: {error.strerror or error}.",
            param="port",
            hint=f"If another program uses the port: scriba serve --port {port + 1 if port < _LAST_PORT else 2728}",
        ) from error
    listener.set_inheritable(True)
    return listener
