"""The `casedev` client asks for entries in its own way: arrays joined by commas, booleans as words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import casedev
from tests.stores import a_decision

from scriba.storage.hot import pending
from scriba.storage.model import LogId, LogName

if TYPE_CHECKING:
    from tests.running import Running

PATH = "/governance/audit-logs"


def test_filters_of_the_client(server: Running) -> None:
    """Promise: what the public client sends is understood: arrays, booleans, times with an offset, files."""
    tenant = server.tenant()
    store = server.services.store
    providers = ("openai", "anthropic", "xai")
    made = [a_decision(tenant.id, provider=provider, requested_provider=provider) for provider in providers]
    made.append(a_decision(tenant.id, allowed=False, provider="", requested_provider="deepseek"))
    with store.database.write() as connection:
        items = [pending(LogId(tenant.id, LogName.REQUESTS), decision) for decision in made]
        store.hot.append(connection, items)
    with casedev.Casedev(api_key=tenant.auditor, base_url=server.url, max_retries=0, timeout=10) as client:

        def total(**params: Any) -> int:
            page: Any = client.get(PATH, cast_to=object, options={"params": params})
            found: int = page["pagination"]["total"]
            return found

        assert total(provider=["openai", "xai"]) == 2
        assert total(allowed=False) == 1
        assert total(tag=["é", "nothing"], startDate=datetime(2020, 1, 1, tzinfo=UTC).isoformat()) == 4
        text = client.get(PATH, cast_to=str, options={"params": {"format": "csv", "provider": ["openai", "deepseek"]}})
        assert [line.split(",")[0] for line in text.splitlines()] == ["id", made[3].id, made[0].id]
