"""The server says what an operator has to know, and nothing that only looks like an error."""

from __future__ import annotations

import http.client
import json
import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from tests.asking import CHAT, PATH
from tests.hearing import heard
from tests.provider import KEY, Provider, dying, hanging
from tests.running import Running, Tenant, serving, settings_in

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 20


def _send(server: Running, tenant: Tenant) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=SECONDS)
    headers = {"Authorization": f"Bearer {tenant.app}", "Content-Type": "application/json"}
    connection.request("POST", PATH, json.dumps(CHAT | {"stream": True}), headers)
    return connection


def test_an_answer_that_a_provider_broke_off_is_told_once(server: Running, provider: Provider) -> None:
    """The gateway's own warning names the request and the provider; nobody blames the program."""
    provider.answer = dying(after=2)
    with heard("uvicorn.error") as below, heard("scriba.gateway") as ours:
        connection = _send(server, server.tenant())
        response = connection.getresponse()
        with pytest.raises(http.client.IncompleteRead):
            response.read()
        connection.close()
    assert below == []
    assert len(ours) == 1
    assert "'openai'" in ours[0]


def test_calls_that_outlive_the_draining_leave_no_traceback(tmp_path: Path, provider: Provider) -> None:
    """They are ended on purpose: their number is told, and not how the program is built."""
    provider.answer = hanging()
    toml = f'drain_seconds = 0\n[providers.openai]\nbase_url = "{provider.url}"\n'
    with ExitStack() as listening:
        with serving(settings_in(tmp_path, toml, {"OPENAI_API_KEY": KEY})) as server:
            below = listening.enter_context(heard("uvicorn.error"))  # the server has set its logging up by now
            connection = _send(server, server.tenant())
            assert provider.asked.wait(SECONDS)
        connection.close()
    assert [message for message in below if "Traceback" in message or "Exception" in message] == []
    assert any("1 running task" in message for message in below)


def test_other_errors_are_still_told(server: Running) -> None:
    """Only the purposeful cuts are silent."""
    assert server.url
    with heard("uvicorn.error") as below:
        logging.getLogger("uvicorn.error").error("Exception in ASGI application\n", exc_info=ValueError("broken"))
    assert "ValueError: broken" in below[0]
