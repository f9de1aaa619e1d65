"""Reports every call of LiteLLM's proxy to Scriba's audit log. Copy it beside the proxy's config.yaml.

Environment: SCRIBA_URL, such as http://localhost:2728, and SCRIBA_INGEST_KEY, an API key of role `ingest`.
How to turn it on, and what can be lost: docs/beside-litellm.md.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import queue
import threading
import time
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime
from typing import Any, Final

try:
    from litellm.integrations.custom_logger import CustomLogger
except ImportError:  # the rest of the file works without it
    CustomLogger = object

__all__ = ["Reporter", "ScribaLogger", "entry_of"]

QUEUE: Final = 10_000
"""Entries that wait in memory at most."""

BATCH: Final = 500
"""Entries of one request to Scriba."""

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds between two attempts; doubled after each one that failed."""

_SECONDS: Final = 10
_OPERATIONS: Final = {
    "completion": "chat",
    "embedding": "embeddings",
    "responses": "responses",
    "anthropic_messages": "messages",
}
_REFUSALS: Final = {"BudgetExceededError", "GuardrailRaisedException", "RejectedRequestError", "BlockedPiiEntityError"}
_log: Final = logging.getLogger("scriba_litellm")


def entry_of(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the entry for a StandardLoggingPayload (https://docs.litellm.ai/docs/proxy/logging_spec).

    A call that a guardrail, a budget or a blocked key stopped was refused; one that failed at the provider was let
    through. Neither prompts nor answers are part of it.
    """
    metadata = payload.get("metadata") or {}
    reason = _reason(payload)
    call_type = payload.get("call_type") or ""
    entry = {
        "id": payload["id"],
        "requestId": payload.get("trace_id") or payload["id"],
        "timestamp": datetime.fromtimestamp(payload["startTime"], UTC).isoformat(),
        "model": payload.get("model_group") or payload["model"],
        "upstreamModel": payload["model"] if not reason else None,
        "provider": None if reason else payload.get("custom_llm_provider"),
        "requestedProvider": payload.get("custom_llm_provider"),
        "policyId": "gpol_litellm",
        "policyName": "LiteLLM",
        "allowed": not reason,
        "enforcement": "hard_block" if reason else "warn",
        "violationReasons": [reason] if reason else None,
        "operation": _OPERATIONS.get(call_type) or _OPERATIONS.get(call_type.removeprefix("a")),
        "apiKeyId": metadata.get("user_api_key_hash"),
        "ipAddress": payload.get("requester_ip_address") or metadata.get("requester_ip_address"),
        "userAgent": payload.get("user_agent") or metadata.get("user_agent"),
        "user": payload.get("end_user") or metadata.get("user_api_key_user_id"),
        "tags": [tag for tag in payload.get("request_tags") or [] if isinstance(tag, str)][:32],
    }
    return {name: value for name, value in entry.items() if value or value is False}


def _reason(payload: dict[str, Any]) -> str:
    """Return why LiteLLM itself refused a call; empty if it did not."""
    if payload.get("status") != "failure":
        return ""
    for guardrail in payload.get("guardrail_information") or []:
        if guardrail.get("guardrail_status") in {"guardrail_intervened", "blocked"}:
            return f"Blocked by guardrail '{guardrail.get('guardrail_name')}'"
    error = payload.get("error_information") or {}
    name = error.get("error_class") or ""
    return f"Refused by LiteLLM: {name}" if name in _REFUSALS else ""


class Reporter:
    """Sends entries to Scriba from a thread of its own, so that no call waits for it.

    :param url: where Scriba answers
    :param key: an API key of role `ingest`
    :ivar lost: entries that were given up; each was written to the log
    """

    def __init__(self, url: str, key: str, *, first_wait: float = FIRST_WAIT) -> None:
        self.lost = 0
        self._address = f"{url.rstrip('/')}/governance/audit-logs"
        self._key = key
        self._first_wait = first_wait
        self._entries: queue.Queue[dict[str, Any]] = queue.Queue(QUEUE)
        self._under_way: list[dict[str, Any]] = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scriba-reporter", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def report(self, entry: dict[str, Any]) -> None:
        """Take an entry. It never waits: one that finds no room is given up, loudly."""
        try:
            self._entries.put_nowait(entry)
        except queue.Full:
            self._give_up([entry], f"{QUEUE} entries wait already")

    def close(self, seconds: float = _SECONDS) -> None:
        """Send what waits, for so long at most; what remains is written to the log."""
        atexit.unregister(self.close)
        self._closing.set()
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._give_up(self._under_way, "the process ended while they were being sent")
        while waiting := self._take(0):
            self._give_up(waiting, "the process ended")

    def _run(self) -> None:
        while not (self._closing.is_set() and self._entries.empty()):
            if batch := self._take(0.2):
                self._under_way = batch
                self._deliver(batch)
                self._under_way = []

    def _take(self, seconds: float) -> list[dict[str, Any]]:
        batch: list[dict[str, Any]] = []
        try:
            batch.append(self._entries.get(timeout=seconds) if seconds else self._entries.get_nowait())
            while len(batch) < BATCH:
                batch.append(self._entries.get_nowait())
        except queue.Empty:
            pass
        return batch

    def _deliver(self, batch: list[dict[str, Any]]) -> None:
        """Try until Scriba has it. The key makes it safe to send a batch again whose answer was lost."""
        name, wait = str(uuid.uuid4()), self._first_wait
        while True:
            try:
                refused = self._post(batch, name)
            except (OSError, ValueError) as error:  # unreachable, 5xx, 429, a wrong key: somebody will repair it
                _log.warning("Scriba did not take %d entries, trying again in %.1f s: %s", len(batch), wait, error)
            else:
                self._give_up([batch[one["index"]] | {"refused": one["message"]} for one in refused], "Scriba refused")
                return
            if self._closing.wait(wait):
                time.sleep(0.1)  # `close` waits for this thread, but not for ever
            wait = min(2 * wait, LONGEST_WAIT)

    def _post(self, batch: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
        headers = {
            "Authorization": f"Bearer {self._key}",
            "Content-Type": "application/json",
            "Idempotency-Key": name,
        }
        body = json.dumps(batch).encode()
        request = urllib.request.Request(f"{self._address}?partial=true", body, headers)  # noqa: S310  # the operator's URL
        with urllib.request.urlopen(request, timeout=_SECONDS) as response:  # noqa: S310  # the same
            refused: list[dict[str, Any]] = json.load(response)["refused"]
        return refused

    def _give_up(self, entries: list[dict[str, Any]], why: str) -> None:
        self.lost += len(entries)
        for entry in entries:
            _log.error("Not in Scriba's log, because %s: %s", why, json.dumps(entry))


class ScribaLogger(CustomLogger):  # type: ignore[misc]  # of litellm's own making
    """The callback: hands every call, whether it went well or not, to the reporter."""

    def __init__(self, reporter: Reporter | None = None) -> None:
        super().__init__()
        self.reporter = reporter or Reporter(os.environ["SCRIBA_URL"], os.environ["SCRIBA_INGEST_KEY"])

    async def async_log_success_event(
        self,
        kwargs: dict[str, Any],
        response_obj: object,  # noqa: ARG002  # LiteLLM gives all four by name
        start_time: object,  # noqa: ARG002
        end_time: object,  # noqa: ARG002
    ) -> None:
        """Report a call that was answered."""
        self._report(kwargs)

    async def async_log_failure_event(
        self,
        kwargs: dict[str, Any],
        response_obj: object,  # noqa: ARG002  # LiteLLM gives all four by name
        start_time: object,  # noqa: ARG002
        end_time: object,  # noqa: ARG002
    ) -> None:
        """Report a call that failed or was refused."""
        self._report(kwargs)

    def _report(self, kwargs: dict[str, Any]) -> None:
        payload = kwargs.get("standard_logging_object")
        if payload is None:
            _log.error("LiteLLM told nothing of a call of %s; it is not in Scriba's log.", kwargs.get("model"))
            return
        self.reporter.report(entry_of(payload))


def __getattr__(name: str) -> ScribaLogger:
    """Make the instance that config.yaml names when the proxy asks for it, and not when a test imports the file."""
    if name != "scriba_logger":
        raise AttributeError(name)
    logger = ScribaLogger()
    globals()[name] = logger
    return logger
