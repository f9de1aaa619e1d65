"""A bare HTTP client, which can send what no well-behaved client would."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence

PATH = "/v1/chat/completions"
CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "How are you?"}]}


Headers: TypeAlias = "Sequence[tuple[str, str | bytes]]"


class Answered(NamedTuple):
    """An answer that has been read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The error in it, which both dialects keep there."""
        error: dict[str, Any] = json.loads(self.body)["error"]
        return error


def ask(
    url: str,
    key: str,
    body: object = CHAT,
    headers: Headers = (),
    *,
    method: str = "POST",
    path: str = PATH,
    chunked: bool = False,
) -> Answered:
    """Send one request; `body` is sent as it is if it is bytes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    usual = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    given = [(name, value) for name, value in usual.items() if (key or name != "Authorization")]
    named = {name.lower() for name, _ in headers}
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    try:
        connection.putrequest(method, path, skip_host="host" in named)
        for name, value in [*(header for header in given if header[0].lower() not in named), *headers]:
            connection.putheader(name, value)
        connection.putheader(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(raw)))))
        connection.endheaders(iter([raw]) if chunked else raw, encode_chunked=chunked)
        response = connection.getresponse()
        return Answered(response.status, response.headers, response.read())
    finally:
        connection.close()
