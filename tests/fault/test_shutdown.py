"""A server that is told to stop while nobody lets it: streams, exports and webhooks that would never end."""

from __future__ import annotations

import json
import signal
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from tests.asking import ask
from tests.receiver import receiving, stuck
from tests.running import Program, program

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 60
ENTRIES = 10_000
TOML = """
drain_seconds = 1
[providers.sandbox]
enabled = true
[webhooks]
allowed_networks = ["127.0.0.0/8"]
allow_http = true
allowed_ports = []
"""


def told(number: int) -> dict[str, Any]:
    """Tell of a decision that was made elsewhere, at some length."""
    return {
        "requestId": f"req-{number}",
        "model": "gpt-4o",
        "allowed": False,
        "enforcement": "hard_block",
        "policyId": "gpol_elsewhere",
        "policyName": "Elsewhere",
        "violationReasons": ["x" * 400],
        "provider": None,
    }


def open_request(server: Program, key: str, path: str) -> socket.socket:
    """Ask for something, read the beginning of the answer, and then no more."""
    client = socket.socket()
    client.settimeout(SECONDS)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    host, _, port = urlsplit(server.url).netloc.partition(":")
    client.connect((host, int(port)))
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
    assert client.recv(100).startswith(b"HTTP/1.1 200")
    return client


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_that_does_not_end_keeps_a_server_from_ending(tmp_path: Path, workers: int) -> None:
    """Promise: after SIGTERM no new request is taken, and the server ends by itself, as one that did its work."""
    (tmp_path / "scriba.toml").write_text(TOML, encoding="utf-8")
    with receiving() as receiver, ExitStack() as opened, program(tmp_path, "--workers", str(workers)) as server:
        receiver.modes["/hook"] = stuck()
        admin = (tmp_path / "data" / "admin.key").read_text(encoding="utf-8").strip()
        wanted = {"url": receiver.url, "events": ["governance.request.*"], "secret": receiver.secrets[0]}
        assert ask(server.url, admin, wanted, path="/webhooks").status == 201
        batch = "\n".join(json.dumps(told(number)) for number in range(ENTRIES)).encode()
        headers = [("Content-Type", "application/x-ndjson")]
        answer = ask(server.url, admin, batch, headers, path="/governance/audit-logs")
        assert answer.status == 201, answer.body
        receiver.wait_for_requests(1)
        for path in ("/governance/audit-logs/stream", "/governance/audit-logs?format=ndjson"):
            opened.enter_context(open_request(server, admin, path))
        server.process.send_signal(signal.SIGTERM)
        output, _ = server.process.communicate(timeout=SECONDS)
        assert server.process.returncode == 0, output
        assert "Traceback" not in output
        with pytest.raises(OSError, match="refused"):
            ask(server.url, admin, b"", method="GET", path="/readyz")
