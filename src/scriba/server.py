"""Runs the server: listens, says when it is ready and what to try, and stops cleanly."""

from __future__ import annotations

import http.client
import signal
import socket
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec
import uvicorn
from uvicorn.supervisors import Multiprocess

from scriba.bootstrap import Application, asgi_app, keep_documents, open_services, spare_the_collector
from scriba.connection import Connection
from scriba.demo import fill_demo
from scriba.errors import SettingsError
from scriba.first_start import DEMO, make_default, make_demo
from scriba.greeting import greeting
from scriba.log_output import pass_over_cuts, set_up
from scriba.settings import ProviderSettings, pass_on
from scriba.settings.passing import pass_metrics_folder
from scriba.tls import check_tls, password_of, unverified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from scriba.first_start import DemoKeys
    from scriba.services import Services
    from scriba.settings import Settings

    Advance: TypeAlias = Callable[[int, int], None]
    Progress: TypeAlias = Callable[[str], AbstractContextManager[Advance]]

__all__ = ["serve"]

_BACKLOG: Final = 2048
_READY_SECONDS: Final = 60
_LAST_PORT: Final = 65_535
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def _silently(_what: str) -> Iterator[Advance]:
    yield lambda _done, _total: None


def serve(settings: Settings, *, demo: bool = False, progress: Progress = _silently) -> None:
    """Serve until SIGTERM or Ctrl-C.

    :param demo: also make an organisation to try out, and turn the sandbox on
    :param progress: shows, under the given name, how far a longer piece of work has come
    :raises ScribaError: it cannot start; the message says what to do
    """
    if demo:
        sandbox = settings.providers.get("sandbox", ProviderSettings())
        sandbox = msgspec.structs.replace(sandbox, enabled=True)
        settings = msgspec.structs.replace(settings, providers={**settings.providers, "sandbox": sandbox})
    set_up(settings.log_format, settings.log_level)
    check_tls(settings)
    listener = _listen(settings.host, settings.port)
    services = open_services(settings)
    keep_documents(services)
    announce = _announcement(services, listener, progress if demo else None)
    if settings.workers == 1:
        _serve_here(services, listener, announce)
    else:
        _serve_by_workers(settings, listener, announce, demo=demo)


def _make_demo(services: Services, progress: Progress) -> DemoKeys:
    """Make the demo organisation with its keys and its history, as far as they are missing."""
    keys = make_demo(services)
    with progress("Making a month of sample decisions") as advance:
        fill_demo(services, services.control.find_organisation(DEMO).id, advance)
    return keys


def _announcement(services: Services, listener: socket.socket, demo: Progress | None) -> Callable[[], None]:
    """Make what a first start makes, and return what prints the start message.

    :param demo: shows the progress of making the demo; None if there is to be none
    """
    admin_key = make_default(services)
    demo_keys = None if demo is None else _make_demo(services, demo)
    host, port = listener.getsockname()[:2]
    scheme = "https" if services.settings.tls_cert_file else "http"
    address = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
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
    has_tls = settings.tls_cert_file is not None
    threading.Thread(target=_announce_when_ready, args=(listener, announce, has_tls), daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="scriba-metrics-") as folder:
        pass_metrics_folder(folder)
        Multiprocess(_config("scriba.bootstrap:create_app", settings), sockets=[listener]).run()


def _announce_when_ready(listener: socket.socket, announce: Callable[[], None], has_tls: bool) -> None:  # noqa: FBT001 - an argument of a thread
    """Wait until a worker answers, then print the start message."""
    host, port = listener.getsockname()[:2]
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        connection = (
            http.client.HTTPSConnection(host, port, timeout=5, context=unverified())
            if has_tls
            else http.client.HTTPConnection(host, port, timeout=5)
        )
        try:
            connection.request("GET", "/livez")
            if connection.getresponse().status == HTTPStatus.OK:
                announce()
                return
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()


def _config(app: Application | str, settings: Settings) -> uvicorn.Config:
    pass_over_cuts()
    return uvicorn.Config(
        app if isinstance(app, str) else asgi_app(app),
        factory=isinstance(app, str),
        http=Connection,
        # Named, since the default falls back to what is slower without a word.
        loop="asyncio" if sys.platform == "win32" else "uvloop",
        ws="none",
        interface="asgi3",
        lifespan="on",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        proxy_headers=False,  # X-Forwarded-For is read by ourselves, from trusted proxies alone
        workers=settings.workers,
        timeout_graceful_shutdown=settings.drain_seconds,
        ssl_certfile=settings.tls_cert_file,
        ssl_keyfile=settings.tls_key_file,
        ssl_keyfile_password=password_of(settings),
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
