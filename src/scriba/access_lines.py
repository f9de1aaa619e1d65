"""One line for each answered request, if the operator wants them (`access_log`)."""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING, Final

from scriba.log_output import REQUEST_ID

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from scriba.gateway.exchange import Message, Receive, Send

__all__ = ["AccessLines"]

_SHOWN: Final = 256
_SECRET_PATH: Final = re.compile(r"^(/login/).+")
"""A one-time link is a secret until it is used."""

_CLIENT_CLOSED_REQUEST: Final = 499
_log: Final = logging.getLogger("scriba.requests")


class AccessLines:
    """Around the whole application: says what was asked and how it went, without query, headers or body."""

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Have one request answered, then write its line."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), _CLIENT_CLOSED_REQUEST

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            path = _SECRET_PATH.sub(r"\1…", scope["path"])[:_SHOWN]
            took = round((time.perf_counter() - began) * 1000, 3)
            fields = {"method": scope["method"], "path": path, "status": status, "duration_ms": took}
            _log.info("answered", extra={**fields, "request_id": REQUEST_ID.get()})
