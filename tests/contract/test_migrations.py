"""The steps from the first schema to the one that the program speaks, on databases with records in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, insert, select
from tests.stores import OpenStore, a_decision

import scriba.storage.migrations
from scriba.audit.verification import verify_log
from scriba.domain.record import Hidden
from scriba.storage.database import Database
from scriba.storage.hot import pending
from scriba.storage.model import COMMAND_LINE, LogId, LogName, Role
from scriba.storage.schema import migrate
from scriba.storage.tables import metadata, records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection
    from tests.stores import PostgresServer

_FOLDER = Path(scriba.storage.migrations.__file__).parent
_ADDRESSES = ("203.0.113.42", "2001:db8::7", "unknown")


@pytest.fixture
def older_url(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """Make a second empty database of the same kind."""
    if database_url.startswith("sqlite"):
        return f"sqlite:///{tmp_path}/older.db"
    postgres: PostgresServer = request.getfixturevalue("postgres")
    return postgres.new_database()


def test_the_steps_are_numbered_without_a_gap() -> None:
    """Promise: whoever reads the steps sees in which order they came and that none is missing."""
    steps = list(ScriptDirectory(str(_FOLDER)).walk_revisions())[::-1]
    assert [step.revision for step in steps] == [f"{number:04}" for number in range(1, len(steps) + 1)]
    assert [Path(step.path).name.partition("_")[0] for step in steps] == [step.revision for step in steps]


def test_records_of_the_first_schema_come_along(store: OpenStore, older_url: str) -> None:
    """Promise: a database of the first version keeps every record when it is migrated; all verify and are found."""
    made = [a_decision(store.organisation.id, hidden=Hidden(ip_address=address)) for address in _ADDRESSES]
    with store.store.database.write() as connection:
        store.store.hot.append(connection, [pending(store.requests, decision) for decision in made])
    store.control.create_key(store.organisation.id, role=Role.APP, actor=COMMAND_LINE)
    older = Database(older_url)
    _copy_as_of("0001", store.store.database, older)
    assert migrate(older) is True
    older.close()

    migrated = OpenStore.open(store.folder, older_url)
    try:
        with store.store.database.read() as before, migrated.store.database.read() as after:
            assert _rows(after) == _rows(before)
        with migrated.store.database.write() as connection:
            migrated.store.hot.append(connection, [pending(store.requests, a_decision(store.organisation.id))])
        for name, size in {LogName.REQUESTS: 1 + len(made) + 1, LogName.IMPORTS: 1, LogName.ADMIN: 2}.items():
            log = LogId(migrated.organisation.id, name)
            verified = verify_log(migrated.store.database, migrated.store.keyring, log)
            assert (verified.records, verified.findings) == (size, ())
    finally:
        migrated.close()


def _copy_as_of(revision: str, source: Database, target: Database) -> None:
    """Bring an empty database to an earlier schema and copy into it what that schema can hold."""
    with target.write() as connection:
        config = Config()
        config.set_main_option("script_location", str(_FOLDER))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    with source.read() as reading, target.write() as writing:
        earlier = MetaData()
        earlier.reflect(writing)
        for table in earlier.sorted_tables:
            now = metadata.tables.get(table.name)
            if now is None:
                continue
            rows = reading.execute(select(*(now.c[column.name] for column in table.columns))).mappings().all()
            if rows:
                writing.execute(insert(table), [dict(row) for row in rows])


def _rows(connection: Connection) -> Sequence[object]:
    return connection.execute(select(records).order_by(records.c.log_id, records.c.seq)).all()
