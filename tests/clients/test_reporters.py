"""What other gateways report arrives in the log: the files that docs/beside-litellm.md offers, as they are."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from tests.provider import KEY, WORDS, Provider, failing

from scriba.storage.model import COMMAND_LINE, Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running import Running

    from scriba.domain.record import Decision

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SECONDS = 20
PAYLOAD = {
    "id": "chatcmpl-7",
    "trace_id": "trace-1",
    "call_type": "acompletion",
    "status": "success",
    "startTime": 1_735_689_600.25,
    "model": "gpt-4o-2024-08-06",
    "model_group": "our-gpt",
    "custom_llm_provider": "openai",
    "end_user": "u-1",
    "request_tags": ["a", "b"],
    "requester_ip_address": "203.0.113.9",
    "metadata": {"user_api_key_hash": "abc"},
}


class Reported(NamedTuple):
    """An organisation to which a key of role `ingest` reports."""

    server: Running
    org: str
    key: str

    def entries(self, count: int) -> list[Decision]:
        """Wait until there are so many."""
        deadline = time.monotonic() + SECONDS
        while len(found := self.server.decisions(self.org)) < count:
            assert time.monotonic() < deadline, found
            time.sleep(0.01)
        return found


@pytest.fixture(scope="module")
def example() -> Iterator[Any]:
    """Load the callback as LiteLLM's proxy does, from its file; LiteLLM shall fetch no prices."""
    spec = importlib.util.spec_from_file_location("scriba_litellm", EXAMPLES / "scriba_litellm.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        spec.loader.exec_module(module)
        yield module


@pytest.fixture
def reported(server: Running) -> Reported:
    """Make an organisation and the key of a gateway beside this one."""
    tenant = server.tenant()
    _, key = server.services.control.create_key(tenant.id, role=Role.INGEST, actor=COMMAND_LINE)
    return Reported(server, tenant.id, key)


class _Faulty(ThreadingHTTPServer):
    """Answers as it is told, one answer for each request; None hangs up without one."""

    def __init__(self, statuses: list[int | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses = statuses
        self.received: list[tuple[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: _Faulty

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append((self.headers["Idempotency-Key"], body))
        if (status := self.server.statuses.pop(0)) is not None:
            self.send_response(status)
            self.end_headers()
            refused = [{"index": 1, "param": "model", "message": "so it is"}] if len(body) > 1 else []
            self.wfile.write(json.dumps({"entries": [], "refused": refused}).encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _faulty(*statuses: int | None) -> Iterator[_Faulty]:
    server = _Faulty(list(statuses))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join(SECONDS)
    server.server_close()


def test_a_call_of_litellm_becomes_an_entry(example: Any, reported: Reported) -> None:
    """Who called, what was asked, who served it and when: told as LiteLLM tells it, by the key of a gateway."""
    reporter = example.Reporter(reported.server.url, reported.key)
    refused = PAYLOAD | {"status": "failure", "error_information": {"error_class": "BudgetExceededError"}}
    stopped = [{"guardrail_name": "pii", "guardrail_status": "guardrail_intervened"}]
    failed = PAYLOAD | {"status": "failure", "error_information": {"error_class": "InternalServerError"}}
    for payload in (PAYLOAD, refused, failed | {"guardrail_information": stopped}, failed):
        reporter.report(example.entry_of(payload))
    reporter.close()
    entries = reported.entries(4)
    assert reporter.lost == 0
    first = entries[0]
    assert (first.source, first.hidden.source_id, first.request_id) == ("ingest", "chatcmpl-7", "trace-1")
    assert (first.model, first.upstream_model, first.provider) == ("our-gpt", "gpt-4o-2024-08-06", "openai")
    assert (first.operation, first.policy_name, first.allowed) == ("chat", "LiteLLM", True)
    assert (first.hidden.user, first.hidden.tags, first.hidden.api_key_id) == ("u-1", ("a", "b"), "abc")
    assert first.occurred_at == 1_735_689_600_250_000
    assert [entry.allowed for entry in entries] == [True, False, False, True]
    assert [entry.provider for entry in entries] == ["openai", "", "", "openai"]
    assert entries[2].violation_reasons == ("Blocked by guardrail 'pii'",)


def test_a_batch_is_sent_again_under_its_name(example: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Through errors and lost answers, until it is taken; what Scriba refused is told in full."""
    with _faulty(503, None, 201) as server:
        reporter = example.Reporter(server.url, "sk_scriba_x", first_wait=0.02)
        reporter.report({"id": "one"})
        reporter.close()
    assert reporter.lost == 0
    assert len({name for name, _ in server.received}) == 1
    assert [body for _, body in server.received] == [[{"id": "one"}]] * 3
    with _faulty(503, 201, 201) as server:
        reporter = example.Reporter(server.url, "sk_scriba_x", first_wait=0.02)
        for number in range(3):
            reporter.report({"id": f"entry-{number}"})
        reporter.close()
    assert reporter.lost <= 1
    assert caplog.text.count("Scriba refused") == reporter.lost


def test_what_is_lost_is_told(example: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full queue and an end of the process while Scriba is away: each entry is written out, and counted."""
    caplog.set_level(logging.ERROR)
    monkeypatch.setattr(example, "QUEUE", 2)
    monkeypatch.setattr(example, "BATCH", 1)
    with _faulty(*[503] * 1000) as server:
        reporter = example.Reporter(server.url, "sk_scriba_x", first_wait=0.02)
        for number in range(5):
            reporter.report({"id": f"entry-{number}"})
        reporter.close(0.3)
        server.statuses[:] = [201] * 1000
        reporter._thread.join(SECONDS)
    assert reporter.lost >= 4
    assert all(f"entry-{number}" in caplog.text for number in range(1, 5))


def test_portkeys_plugin_lets_through_what_is_in_the_log(reported: Reported, tmp_path: Path) -> None:
    """The entry is there before the request goes out, and a request without an entry does not go out."""
    shutil.copy(EXAMPLES / "portkey" / "scriba" / "report.ts", tmp_path / "report.mjs")
    context = {
        "request": {"json": {"model": "gpt-4o", "messages": []}},
        "provider": "openai",
        "requestType": "chatComplete",
        "metadata": {"_user": "u-2"},
    }
    script = """
    import { handler } from './report.mjs';
    const [context, url, key] = JSON.parse(process.argv[2]);
    const ask = (apiKey, hook) => handler(context, { credentials: { url, apiKey } }, hook);
    const answers = [await ask(key, 'beforeRequestHook'), await ask('sk_scriba_no', 'beforeRequestHook')];
    console.log(JSON.stringify([...answers, await ask(key, 'afterRequestHook')]));
    """
    (tmp_path / "run.mjs").write_text(script, encoding="utf-8")
    argument = json.dumps([context, f"{reported.server.url}/", reported.key])
    command = [str(Path(sys.executable).with_name("node")), "run.mjs", argument]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=SECONDS)
    through, stopped, after = json.loads(done.stdout)
    (entry,) = reported.entries(1)
    assert (through["verdict"], through["data"]["auditId"]) == (True, entry.id)
    assert (entry.model, entry.provider, entry.operation, entry.hidden.user) == ("gpt-4o", "openai", "chat", "u-2")
    assert (stopped["verdict"], stopped["error"]) == (False, None)  # with an error it would count as passed
    assert "401" in stopped["data"]["explanation"]
    assert after["verdict"] is True


@pytest.mark.optional
def test_litellm_itself_reports(
    example: Any, reported: Reported, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real package calls the callback with what it expects, for answers and for failures."""
    litellm = pytest.importorskip(
        "litellm", reason="litellm is not in the lock (it is large): put it on the path to run this"
    )
    reporter = example.Reporter(reported.server.url, reported.key)
    monkeypatch.setattr(litellm, "callbacks", [example.ScribaLogger(reporter)])
    said = [{"role": "user", "content": "How are you?"}]
    common = {
        "api_base": provider.url,
        "api_key": KEY,
        "num_retries": 0,
        "max_retries": 0,
        "metadata": {"tags": ["t-1"]},
    }

    async def call() -> None:
        answer = await litellm.acompletion(model="openai/gpt-4o", messages=said, **common)
        assert answer.choices[0].message.content == "".join(WORDS)
        await litellm.aembedding(model="openai/text-embedding-3-small", input=["a"], **common)
        provider.answer = failing(500, "So it is.")
        with pytest.raises(litellm.InternalServerError):
            await litellm.acompletion(model="openai/gpt-4o", messages=said, **common)
        await asyncio.to_thread(reported.entries, 3)  # LiteLLM reports after the answer, on this loop

    asyncio.run(call())
    reporter.close()
    entries = reported.entries(3)
    assert sorted(entry.operation for entry in entries) == ["chat", "chat", "embeddings"]
    assert {entry.provider for entry in entries} == {"openai"}
    assert {entry.hidden.tags for entry in entries} == {("t-1",)}
    assert all(entry.allowed for entry in entries)  # the one that failed had been let through
