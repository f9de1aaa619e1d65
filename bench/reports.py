"""A report over N entries, beside a plain GROUP BY in the same database: `python bench/reports.py [N] [URL]`.

The database is a SQLite file in a temporary folder, or the empty PostgreSQL that URL names.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

from scriba.audit.last_verification import Verifications
from scriba.audit.report.question import parse_question
from scriba.audit.report.reports import Reports
from scriba.domain.ids import mint_id
from scriba.domain.period import DAY
from scriba.domain.record import Decision, Hidden
from scriba.storage.control import Control
from scriba.storage.database import Database
from scriba.storage.guard import Guard
from scriba.storage.hot import pending
from scriba.storage.model import COMMAND_LINE, LogId, LogName
from scriba.storage.private_files import make_secret
from scriba.storage.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Callable

_BATCH = 1_000
_DAYS = 90
_PLAIN = text("SELECT requested_provider, count(*) FROM records WHERE type = 'decision' GROUP BY requested_provider")
_NAMES = [f"user-{number}" for number in range(200)]


def decision(org_id: str, timestamp: int, chance: random.Random) -> Decision:
    """Make a decision; one in 25 is refused."""
    provider = chance.choice(["openai", "anthropic", "mistral"])
    allowed = chance.random() > 0.04
    return Decision(
        id=mint_id("audit"),
        org_id=org_id,
        request_id=mint_id("req"),
        model=chance.choice(["gpt-4o", "claude-sonnet-4-20250514", "mistral-large"]),
        allowed=allowed,
        enforcement="hard_block",
        policy_id="gpol_none",
        policy_name="No policy",
        source="import",
        timestamp=timestamp,
        provider=provider if allowed else "",
        requested_provider=provider,
        violation_reasons=() if allowed else (f"Provider '{provider}' is on the policy's blocklist",),
        hidden=Hidden(ip_address="203.0.113.42", user=chance.choice(_NAMES), tags=("team:billing",)),
    )


def fill(store: Store, org_id: str, count: int, now: int) -> None:
    """Append `count` decisions over 90 days."""
    chance = random.Random(1)
    log = LogId(org_id, LogName.IMPORTS)
    for start in range(0, count, _BATCH):
        times = (
            now - _DAYS * DAY + (start + place) * _DAYS * DAY // count for place in range(min(_BATCH, count - start))
        )
        batch = [pending(log, decision(org_id, moment, chance)) for moment in times]
        with store.database.write() as connection:
            store.hot.append(connection, batch)


def measure(what: str, function: Callable[[], object], plain: float | None = None) -> float:
    """Print the best of three, and how many times the plain query that is."""
    best = min(_seconds(function) for _ in range(3))
    ratio = "" if plain is None else f"{best / plain:8.1f} times"
    print(f"{what:52} {best * 1000:9.0f} ms {ratio}")
    return best


def _seconds(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def main() -> None:
    """Fill a database, measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_secret(folder / "deployment.secret")
        database = Database(sys.argv[2] if len(sys.argv) > 2 else f"sqlite:///{folder}/scriba.db")
        store = open_store(database, Guard(folder / "guard"), folder / "deployment.secret")
        control = Control(database, store.hot, store.keyring, store.deployment)
        control.refresh()
        org_id = control.create_organisation("bench", actor=COMMAND_LINE).id
        now = time.time_ns() // 1000
        fill(store, org_id, count, now)
        reports = Reports(store, Verifications(database, store.keyring), verifies=False)

        def plain() -> None:
            with database.read() as connection:
                connection.execute(_PLAIN).all()

        def ask(**given: str) -> None:
            everything = {"startDate": ["1970-01-01"], **{key: [value] for key, value in given.items()}}
            reports.ask(org_id, parse_question(everything, now))

        print(f"{count:,} entries on {database.dialect}")
        seconds = measure("plain SELECT count(*) … GROUP BY", plain)
        measure("report", ask, seconds)
        measure("report by user", lambda: ask(groupBy="user"), seconds)
        measure("report by user, monthly", lambda: ask(groupBy="user", granularity="monthly"), seconds)
        measure("report by tag, of refused requests", lambda: ask(groupBy="tag", allowed="false"), seconds)
        database.close()


if __name__ == "__main__":
    main()
