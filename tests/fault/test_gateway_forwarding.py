"""Whoever fails, the provider, the caller or the way between, is told apart, and the decision stands logged."""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from tests.asking import CHAT, PATH, ask
from tests.dialects import HALF, OPERATIONS, STREAMING
from tests.provider import KEY, Provider, dying, failing, hanging, streamed
from tests.running import Running, Tenant, serving, settings_in

from scriba.domain.record import Ended
from scriba.gateway.forward import CLIENT_CLOSED_REQUEST

if TYPE_CHECKING:
    from pathlib import Path

STREAM = CHAT | {"stream": True}
SECONDS = 20


every_operation = pytest.mark.parametrize("path", OPERATIONS)
every_stream = pytest.mark.parametrize("path", STREAMING)


@pytest.fixture
def server(polyglot: Running) -> Running:
    """Take the server that has the provider in both dialects."""
    return polyglot


@pytest.fixture
def tenant(server: Running) -> Tenant:
    """Make an organisation without any policy."""
    return server.tenant()


def _open(server: Running, tenant: Tenant, body: object = STREAM, path: str = PATH) -> http.client.HTTPConnection:
    """Send a request and leave its answer to the caller."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=SECONDS)
    headers = {"Authorization": f"Bearer {tenant.app}", "Content-Type": "application/json"}
    connection.request("POST", path, json.dumps(body), headers)
    return connection


def _asked(path: str, *, stream: bool = False) -> dict[str, Any]:
    return OPERATIONS[path].asked | ({"stream": True} if stream else {})


def _read_broken(server: Running, tenant: Tenant, body: object, path: str) -> str:
    """Return what came of an answer before its connection broke."""
    with closing(_open(server, tenant, body, path)) as connection, pytest.raises(http.client.IncompleteRead) as caught:
        connection.getresponse().read()
    return caught.value.partial.decode()


def _hang_up(connection: http.client.HTTPConnection) -> None:
    assert connection.sock is not None
    connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()


def test_the_first_chunk_passes_at_once(server: Running, tenant: Tenant, provider: Provider) -> None:
    """The provider sends its second event only when the caller has confirmed the first one."""
    provider.answer = streamed(held=True)
    with closing(_open(server, tenant)) as connection:
        response = connection.getresponse()
        first = response.readline()
        assert json.loads(first.removeprefix(b"data: "))["choices"][0]["delta"]["content"] == "One"
        provider.gate.set()
        assert response.read().endswith(b"data: [DONE]\n\n")
    assert server.outcomes(tenant.id)[0].ended == Ended.COMPLETE


def test_a_slow_caller_slows_the_provider(server: Running, tenant: Tenant, provider: Provider) -> None:
    """An answer that nobody takes is not piled up in the gateway."""
    provider.answer = streamed(times=120, padding=65_536)  # 39 MB, more than the connections hold
    with closing(_open(server, tenant)) as connection:
        response = connection.getresponse()
        assert not provider.finished.wait(0.5)
        assert response.read().endswith(b"data: [DONE]\n\n")
    assert provider.finished.wait(SECONDS)


@every_operation
def test_a_caller_who_leaves_ends_the_call(server: Running, tenant: Tenant, provider: Provider, path: str) -> None:
    """Nobody pays for an answer that nobody waits for; the decision and its end are on record."""
    provider.answer = hanging()
    connection = _open(server, tenant, _asked(path), path)
    assert provider.asked.wait(SECONDS)
    _hang_up(connection)
    assert provider.hung_up.wait(SECONDS)
    (outcome,) = server.outcomes(tenant.id)
    assert (outcome.ended, outcome.status) == (Ended.CLIENT, CLIENT_CLOSED_REQUEST)
    assert len(server.decisions(tenant.id)) == 1


@every_stream
def test_a_caller_who_leaves_in_the_middle_ends_the_call(
    server: Running, tenant: Tenant, provider: Provider, path: str
) -> None:
    """The same while an answer is streaming."""
    provider.answer = streamed(held=True)
    connection = _open(server, tenant, _asked(path, stream=True), path)
    response = connection.getresponse()
    response.readline()
    _hang_up(connection)
    response.close()
    assert provider.hung_up.wait(SECONDS)
    (outcome,) = server.outcomes(tenant.id)
    assert (outcome.ended, outcome.status) == (Ended.CLIENT, 200)


@every_operation
def test_a_provider_that_breaks_off_before_answering(
    server: Running, tenant: Tenant, provider: Provider, path: str
) -> None:
    """The caller gets 502 in its own shape, with the entry."""
    provider.answer = dying(after=-1)
    answer = ask(server.url, tenant.app, _asked(path), path=path)
    kind = "api_error" if OPERATIONS[path].dialect == "anthropic" else "server_error"
    assert (answer.status, answer.error["code"], answer.error["type"]) == (502, "upstream_unreachable", kind)
    (entry,) = server.decisions(tenant.id)
    assert f"'{entry.provider}'" in answer.error["message"]
    assert answer.headers["x-audit-id"] == answer.error["auditId"] == entry.id
    assert answer.error["auditUrl"] == f"{server.url}/entries/{entry.id}"
    assert "x-audit-receipt" in answer.headers
    (outcome,) = server.outcomes(tenant.id)
    assert (outcome.ended, outcome.status) == (Ended.UPSTREAM, 502)


@every_stream
@pytest.mark.parametrize("broken", [(2, 0), (2, 20), (0, 20)], ids=["between", "within", "first"])
def test_half_a_stream_does_not_look_whole(
    server: Running, tenant: Tenant, provider: Provider, path: str, broken: tuple[int, int]
) -> None:
    """The connection breaks; where an event had ended, one more says why."""
    after, cut = broken
    event = not cut
    provider.answer = dying(after, cut=cut)
    text = _read_broken(server, tenant, _asked(path, stream=True), path)
    assert text.count(HALF) == after
    assert ('"code":"upstream_unreachable"' in text) is event
    assert ("event: error\n" in text) is (event and path != PATH)
    (outcome,) = server.outcomes(tenant.id)
    assert (outcome.ended, outcome.status) == (Ended.UPSTREAM, 200)


@every_operation
def test_half_a_document_does_not_look_whole(server: Running, tenant: Tenant, provider: Provider, path: str) -> None:
    """An announced length that does not come is a broken connection for the caller too."""
    provider.answer = dying(1, length=100_000)
    _read_broken(server, tenant, _asked(path), path)
    assert server.outcomes(tenant.id)[0].ended == Ended.UPSTREAM


def test_a_redirect_is_not_passed_on(server: Running, tenant: Tenant, provider: Provider) -> None:
    """Otherwise the caller's client would go to the new place by itself, past every policy."""
    provider.answer = failing(307, "moved", location="http://127.0.0.1:9/v1/chat/completions")
    answer = ask(server.url, tenant.app)
    assert (answer.status, answer.error["code"]) == (502, "upstream_unreachable")
    assert "answered with status 307" in answer.error["message"]
    assert "location" not in answer.headers


@every_operation
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503, 529])
def test_a_providers_error_stays_as_it_was(
    server: Running, tenant: Tenant, provider: Provider, status: int, path: str
) -> None:
    """Status, words and `retry-after` are the provider's own."""
    provider.answer = failing(status, "So it is.", retry_after="9")
    answer = ask(server.url, tenant.app, _asked(path), path=path)
    assert (answer.status, answer.error["message"]) == (status, "So it is.")
    assert answer.headers["retry-after"] == "9"
    assert answer.headers["x-audit-id"] == server.decisions(tenant.id)[0].id


def test_a_provider_that_is_not_there(tmp_path: Path) -> None:
    """No connection is 502."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    toml = f'[providers.openai]\nbase_url = "http://127.0.0.1:{port}/v1"\n'
    with serving(settings_in(tmp_path, toml, {"OPENAI_API_KEY": KEY})) as server:
        answer = ask(server.url, server.tenant().app)
    assert (answer.status, answer.error["code"]) == (502, "upstream_unreachable")


def test_a_provider_that_stays_silent(tmp_path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is 504 before an answer, and a broken connection within one."""
    monkeypatch.setattr("scriba.gateway.upstream.READ_SECONDS", 0.2)
    toml = (
        f'[providers.openai]\nbase_url="{provider.url}"\n[providers.anthropic]\nanthropic_base_url="{provider.host}"\n'
    )
    keys = {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY}
    with serving(settings_in(tmp_path, toml, keys)) as server:
        tenant = server.tenant()
        provider.answer = hanging()
        for path in OPERATIONS:
            answer = ask(server.url, tenant.app, _asked(path), path=path)
            assert (answer.status, answer.error["code"]) == (504, "upstream_timeout")
        provider.answer = streamed(held=True)
        for path in STREAMING:
            text = _read_broken(server, tenant, _asked(path, stream=True), path)
            assert '"code":"upstream_timeout"' in text
        statuses = [outcome.status for outcome in server.outcomes(tenant.id, len(OPERATIONS) + len(STREAMING))]
        assert statuses == [504] * len(OPERATIONS) + [200] * len(STREAMING)
    provider.gate.set()


def test_the_end_of_the_server_waits_for_answers(tmp_path: Path, provider: Provider) -> None:
    """Who is being answered when the server is told to stop gets the whole answer, and its outcome is on record."""
    provider.answer = streamed(held=True)
    toml = f'[providers.openai]\nbase_url = "{provider.url}"\n'
    with serving(settings_in(tmp_path, toml, {"OPENAI_API_KEY": KEY})) as server:
        tenant = server.tenant()
        with closing(_open(server, tenant)) as connection:
            response = connection.getresponse()
            response.readline()
            server.stop_soon()
            provider.gate.set()
            assert response.read().endswith(b"data: [DONE]\n\n")
    assert [outcome.ended for outcome in server.outcomes(tenant.id)] == [Ended.COMPLETE]


def test_the_end_of_the_server_is_on_record(tmp_path: Path, provider: Provider) -> None:
    """A call that outlives the time for draining is ended, and that is written before the server stops."""
    provider.answer = hanging()
    toml = f'drain_seconds = 0\n[providers.openai]\nbase_url = "{provider.url}"\n'
    with serving(settings_in(tmp_path, toml, {"OPENAI_API_KEY": KEY})) as server:
        tenant = server.tenant()
        connection = _open(server, tenant, CHAT)
        assert provider.asked.wait(SECONDS)
    connection.close()
    (outcome,) = server.outcomes(tenant.id)
    assert (outcome.ended, outcome.status) == (Ended.CLIENT, CLIENT_CLOSED_REQUEST)


def test_no_words_and_no_keys_are_kept(
    tmp_path: Path, provider: Provider, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither prompts nor answers nor keys are in the database, any other file, the log or what is printed."""
    caplog.set_level("DEBUG")
    toml = f'[providers.openai]\nbase_url = "{provider.url}"\n[providers.sandbox]\nenabled = true\n'
    marker = "xyzzy-prompt-marker"
    said: dict[str, Any] = {"messages": [{"role": "user", "content": marker}]}
    with serving(settings_in(tmp_path, toml, {"OPENAI_API_KEY": KEY})) as server:
        tenant = server.tenant({"blockChinaProviders": True, "enforcement": "hard_block"})
        for model in ("gpt-4o", "deepseek-chat", "no-such-model", "sandbox/echo"):
            ask(server.url, tenant.app, said | {"model": model})
        ask(server.url, tenant.app, said | {"model": 3})
        ask(server.url, tenant.app, f'{{"model": "gpt-4o", "{marker}'.encode())
        provider.answer = failing(400, f"We do not like {marker}")
        ask(server.url, tenant.app, said | {"model": "gpt-4o"})
        provider.answer = dying(after=1)
        broken = _open(server, tenant, said | {"model": "gpt-4o", "stream": True})
        with closing(broken), pytest.raises(http.client.IncompleteRead):
            broken.getresponse().read()
        server.outcomes(tenant.id, 4)
    texts = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert any(path.name == "scriba.db" for path in texts)
    printed = capfd.readouterr()
    texts |= {tmp_path / "log": caplog.text.encode(), tmp_path / "printed": (printed.out + printed.err).encode()}
    for path, text in texts.items():
        for secret in (marker, "One answer of the provider", "Half", "sandbox of Scriba;", KEY, tenant.app):
            assert secret.encode() not in text, f"{secret} stands in {path}"
