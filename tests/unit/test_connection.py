"""No client costs memory or a connection before there is a whole request to judge."""

from __future__ import annotations

import json
import socket
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from tests.asking import CHAT, PATH
from tests.hearing import heard
from tests.provider import streamed

from scriba.connection import MAX_HEAD_BYTES, Connection
from scriba.storage.model import COMMAND_LINE, Role

if TYPE_CHECKING:
    from tests.provider import Provider
    from tests.running import Running

GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
PATIENCE = 0.2
SECONDS = 20


class Reply(NamedTuple):
    """An answer that came on a connection which the server then closed."""

    status: int
    head: str
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The error in it."""
        error: dict[str, Any] = json.loads(self.body)["error"]
        return error


def _connect(server: Running) -> socket.socket:
    address = urlsplit(server.url)
    return socket.create_connection((address.hostname, address.port), timeout=SECONDS)


def _rest(client: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    chunks = []
    while chunk := client.recv(65_536):
        chunks.append(chunk)
    return b"".join(chunks)


def _reply(client: socket.socket) -> Reply:
    head, _, body = _rest(client).partition(b"\r\n\r\n")
    return Reply(int(head.split()[1]), head.decode().lower(), body)


def _head_of(size: int) -> bytes:
    """Return a head without the empty line at its end, padded so that it has `size` bytes with it."""
    return GET + b"X-Pad: %b\r\n" % (b"a" * (size - len(GET) - len(b"X-Pad: \r\n\r\n")))


def _post(key: str, length: int) -> bytes:
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {length}\r\n\r\n".encode()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server lose its patience soon."""
    monkeypatch.setattr(Connection, "patience", PATIENCE)


@pytest.mark.parametrize(
    "sent",
    [
        _head_of(MAX_HEAD_BYTES + 3)[: MAX_HEAD_BYTES + 1],
        b"GET /" + b"a" * (MAX_HEAD_BYTES - 4),
        GET + b"".join(b"X-%d: a\r\n" % number for number in range(10_000))[: MAX_HEAD_BYTES + 1 - len(GET)],
        GET + b"\r\n" + _head_of(MAX_HEAD_BYTES + 3)[: MAX_HEAD_BYTES + 1],
    ],
    ids=["one header", "path", "many headers", "second request"],
)
def test_an_endless_head_is_refused(server: Running, sent: bytes) -> None:
    """At the first byte over the limit, without a key, in the shape of every other error, and that is the end of it."""
    with closing(_connect(server)) as client:
        if sent.startswith(GET + b"\r\n"):
            client.sendall(GET + b"\r\n")
            assert client.recv(65_536).startswith(b"HTTP/1.1 200")
            sent = sent.removeprefix(GET + b"\r\n")
        client.sendall(sent)
        reply = _reply(client)
    assert (reply.status, reply.error["code"]) == (431, "headers_too_large")
    assert str(MAX_HEAD_BYTES) in reply.error["message"]
    assert reply.error["type"] == "invalid_request_error"
    assert f"x-request-id: {reply.error['requestId']}" in reply.head
    assert "connection: close" in reply.head


def test_a_head_up_to_the_limit_is_read(server: Running) -> None:
    """Exactly the limit is allowed, on every request of a connection."""
    with closing(_connect(server)) as client:
        for _ in range(3):
            client.sendall(_head_of(MAX_HEAD_BYTES) + b"\r\n")
            assert client.recv(65_536).startswith(b"HTTP/1.1 200")


def test_endless_trailers_end_the_connection(server: Running) -> None:
    """What may follow a chunked body is bounded like what comes before it."""
    key = server.tenant().app
    head = _post(key, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    with closing(_connect(server)) as client:
        client.sendall(head + b"2\r\n{}\r\n0\r\nX-Pad: ")
        with suppress(ConnectionError):  # the server may close it while we are still sending
            client.sendall(b"a" * (3 * MAX_HEAD_BYTES))
            assert _rest(client) == b""


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("sent", [b"", b"\r\n", b"GET", GET, GET + b"\r\nGET"], ids=repr)
def test_who_never_ends_a_head_is_dropped(server: Running, sent: bytes) -> None:
    """A connection on which no request comes is closed without a word."""
    with closing(_connect(server)) as client:
        client.sendall(sent)
        if sent.startswith(GET + b"\r\n"):
            assert client.recv(65_536).startswith(b"HTTP/1.1 200")
        assert _rest(client) == b""


@pytest.mark.usefixtures("impatient")
def test_a_head_that_trickles_in_is_dropped(server: Running) -> None:
    """Some more of it now and then is no progress."""
    with closing(_connect(server)) as client:
        client.sendall(GET)
        client.settimeout(PATIENCE / 4)
        for _ in range(200):
            try:
                assert client.recv(1) == b""
                break
            except TimeoutError:
                client.sendall(b"X-A: b\r\n")
        else:
            pytest.fail("the connection was not closed")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("path", [PATH, "/governance"])
def test_a_body_that_stalls_is_not_waited_for(server: Running, path: str) -> None:
    """The caller is told, nothing is recorded, and nobody calls it an error of the program."""
    tenant = server.tenant()
    _, admin = server.services.control.create_key(tenant.id, role=Role.ADMIN, actor=COMMAND_LINE)
    with closing(_connect(server)) as client, heard("uvicorn.error") as messages:
        client.sendall(_post(tenant.app if path == PATH else admin, 100).replace(PATH.encode(), path.encode()))
        client.sendall(b'{"model":')
        reply = _reply(client)
    assert (reply.status, reply.error["code"]) == (408, "request_timeout")
    assert "Nothing more of the request body" in reply.error["message"]
    assert server.decisions(tenant.id) == []
    assert messages == []


def test_a_body_that_goes_on_is_waited_for(
    server: Running, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slow is not stalled, though the whole takes longer than a pause may."""
    monkeypatch.setattr(Connection, "patience", PATIENCE * 5)
    body = json.dumps(CHAT).encode()
    with closing(_connect(server)) as client:
        client.sendall(_post(server.tenant().app, len(body)))
        for piece in (body[:20], body[20:40], body[40:60], body[60:]):
            time.sleep(PATIENCE * 1.5)
            client.sendall(piece)
        assert client.recv(65_536).startswith(b"HTTP/1.1 200")
    assert len(provider.received) == 1


@pytest.mark.usefixtures("impatient")
def test_a_slow_answer_is_no_stalled_request(server: Running, provider: Provider) -> None:
    """While we are at work the client need not send anything; and what an old client sends too much does no harm."""
    provider.answer = streamed(held=True)
    body = json.dumps(CHAT | {"stream": True}).encode()
    with closing(_connect(server)) as client:
        client.sendall(_post(server.tenant().app, len(body)) + body)
        got = client.recv(65_536)
        client.sendall(b"\r\n")
        time.sleep(PATIENCE * 3)
        provider.gate.set()
        while not got.endswith(b"0\r\n\r\n"):
            chunk = client.recv(65_536)
            assert chunk
            got += chunk
    assert b"[DONE]" in got
