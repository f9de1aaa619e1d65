"""What whoever runs Scriba asks: is it there, can it work, and how is it doing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient
from tests.docs.reading import ROOT
from tests.running import settings_in

from scriba import metrics
from scriba.api.app import create_api
from scriba.bootstrap import open_services
from scriba.errors import StoreUnreachable

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.api.conftest import Api

LABELS = {"cause", "decision", "le", "operation", "outcome", "provider", "python", "result", "version"}
ALL_WELL = {"database": "ok", "schema": "ok", "clock": "ok", "log": "ok", "guard": "ok"}


def test_ready(api: Api) -> None:
    """With everything in its place it says so, check by check."""
    answer = api.ask("GET", "/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "checks": ALL_WELL}


@pytest.mark.parametrize("fault", ["database", "schema", "clock", "log", "guard"])
def test_not_ready(api: Api, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fault is a 503 that names it, and tells no place and no secret."""
    store = api.services.store

    def unreachable() -> None:
        raise StoreUnreachable("The database postgresql://db.internal/scriba cannot be used.")

    if fault == "database":
        monkeypatch.setattr(store.database, "read", unreachable)
    elif fault == "schema":
        monkeypatch.setattr("scriba.api.readiness.schema_state", lambda _: ("0000", "0001"))
    elif fault == "clock":
        monkeypatch.setattr(store.database, "clock", lambda _: 0)
    elif fault == "log":
        monkeypatch.setitem(api.app.state._state, "is_writing", lambda: False)
    else:
        monkeypatch.setattr(store.guard, "folder", store.guard.folder / "gone")
    answer = api.ask("GET", "/readyz")
    assert answer.status_code == 503
    assert 0 < int(answer.headers["retry-after"]) <= 60
    body = answer.json()
    assert body["ready"] is False
    assert [name for name, found in body["checks"].items() if found != "ok"] == [fault]
    assert "internal" not in answer.text


LOCAL = ("127.0.0.1", 40_000)
ELSEWHERE = ("192.0.2.7", 40_000)
PROXY = ("10.0.0.1", 40_000)


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        (LOCAL, {}, 200),
        (ELSEWHERE, {}, 403),
        (("::ffff:127.0.0.1", 1), {}, 200),
        (LOCAL, {"x-forwarded-for": "127.0.0.1"}, 403),
        (LOCAL, {"forwarded": "for=127.0.0.1"}, 403),
        (LOCAL, {"x-real-ip": "127.0.0.1"}, 403),
        (PROXY, {"x-forwarded-for": "127.0.0.1"}, 200),
        (PROXY, {"x-forwarded-for": "127.0.0.1, 192.0.2.7"}, 403),
        (PROXY, {"forwarded": "for=127.0.0.1"}, 403),
        (PROXY, {}, 403),
    ],
)
def test_who_may_read_the_metrics(tmp_path: Path, peer: tuple[str, int], headers: dict[str, str], status: int) -> None:
    """The setting's networks alone; through a proxy its client's address counts, never the proxy's own."""
    services = open_services(settings_in(tmp_path, 'trusted_proxies = ["10.0.0.1"]'))
    try:
        answer = TestClient(create_api(services), client=peer).get("/metrics", headers=headers)
    finally:
        services.store.database.close()
    assert answer.status_code == status
    if status == 200:
        assert answer.headers["content-type"] == metrics.CONTENT_TYPE
    else:
        assert answer.json()["error"]["code"] == "permission_denied"


def test_every_metric_is_documented() -> None:
    """The table in docs/observability.md and the program name the same figures, each with type and labels."""
    text = metrics.exposition((metrics.Lag(lambda: (0, 0.0)),)).decode()
    found = dict(re.findall(r"^# TYPE (scriba_\w+) (\w+)$", text, re.MULTILINE))
    rows = re.findall(r"^\| `(scriba_\w+)` \| (\w+) \|", (ROOT / "docs" / "observability.md").read_text(), re.MULTILINE)
    assert dict(rows) == {name: kind for name, kind in found.items() if not name.endswith("_created")}


def test_no_organisation_is_named(api: Api) -> None:
    """No figure tells of one organisation, and labels hold nothing that a caller says."""
    tenant: Any = api.tenant()
    api.ask("GET", "/governance", tenant.keys["app"])
    text = metrics.exposition().decode()
    assert tenant.id not in text
    assert set(re.findall(r'(\w+)="', text)) <= LABELS


def test_figures_without_a_database() -> None:
    """What is counted in memory is told also while the database does not answer."""

    def unreachable() -> tuple[int, float]:
        raise StoreUnreachable("The database cannot be used.")

    text = metrics.exposition((metrics.Lag(unreachable),)).decode()
    assert "scriba_requests_in_flight" in text
    assert "scriba_deliveries_pending" not in text
