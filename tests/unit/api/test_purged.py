"""What the API says of entries that retention has removed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.ageing import Clock
from tests.asking import ask
from tests.running import Running, serving, settings_in

from scriba.storage.marks import write_marks
from scriba.storage.model import COMMAND_LINE, LogName

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CHAT = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "Hello"}]}


def read(server: Running, key: str, path: str) -> tuple[int, Any]:
    """Ask for something, and return status and answer."""
    answer = ask(server.url, key, b"", method="GET", path=f"/governance/audit-logs{path}")
    return answer.status, json.loads(answer.body)


def test_an_entry_that_was_purged_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: a purged entry answers like one that never was, and the others say where their log begins."""
    with serving(settings_in(tmp_path, "[providers.sandbox]\nenabled = true\n")) as server:
        tenant, store = server.tenant(), server.services.store
        clock = Clock(monkeypatch)
        clock.rule(store.database)
        old = ask(server.url, tenant.app, CHAT).headers["X-Audit-Id"]
        server.outcomes(tenant.id)
        assert read(server, tenant.auditor, f"/{old}")[1]["proof"]["firstSeq"] == 0
        clock.pass_days(1)
        write_marks(store.database, store.hot)
        young = ask(server.url, tenant.app, CHAT).headers["X-Audit-Id"]
        server.outcomes(tenant.id, 2)
        clock.pass_days(8)
        retention = server.services.housekeeping.retention
        done = retention.purge(tenant.id, LogName.REQUESTS, actor=COMMAND_LINE)
        assert done.done
        purged, never = (read(server, tenant.auditor, f"/{entry_id}") for entry_id in (old, f"{old[:-1]}0"))
        assert (purged[0], never[0]) == (404, 404)
        assert (purged[1]["error"]["code"], purged[1]["error"]["param"]) == ("not_found", "id")
        assert purged[1]["error"].keys() == never[1]["error"].keys()
        status, entry = read(server, tenant.auditor, f"/{young}")
        proof = entry["proof"]
        assert (status, proof["firstSeq"], proof["intact"]) == (200, done.before, True)
        assert proof["firstSeq"] < proof["seq"] < proof["treeSize"]
        listed = read(server, tenant.auditor, "")[1]
        assert [one["id"] for one in listed["logs"]] == [young]
