"""Opening a store: database, secret and guard belong together, and only their newest state is continued."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text, update
from tests.appending import append_many
from tests.rederive import rederive_all
from tests.stores import OpenStore

from scriba.errors import IntegrityError, SettingsError
from scriba.storage.database import Database
from scriba.storage.guard import Guard
from scriba.storage.private_files import make_secret, read_secret
from scriba.storage.store import open_store
from scriba.storage.tables import logs, metadata

if TYPE_CHECKING:
    from pathlib import Path

TWO_WAYS_OUT = r"Two ways out: put .* or, .*scriba db reset --yes"


def reopen(store: OpenStore) -> OpenStore:
    """Close a store and open what is there now."""
    store.close()
    return OpenStore.open(store.folder, store.url)


def empty_database(store: OpenStore) -> None:
    """Take everything out of the database, as somebody would who deletes it."""
    store.close()
    database = Database(store.url)
    with database.write() as connection:
        metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
    database.close()


def test_a_store_is_continued(store: OpenStore) -> None:
    """Promise: a restart continues every log where it stood."""
    append_many(store, 5)
    store.store.sign_checkpoints()
    again = reopen(store)
    assert again.organisation == store.organisation
    assert [item.seq for item in append_many(again, 1)] == [6]
    rederive_all(again.store.database)
    again.close()


def test_a_deleted_database_is_not_silently_begun_anew(store: OpenStore) -> None:
    """Promise: losing the database is said in words, with the ways out."""
    empty_database(store)
    with pytest.raises(IntegrityError, match=rf"deleted, moved or replaced.*{TWO_WAYS_OUT}"):
        OpenStore.open(store.folder, store.url)


def test_a_missing_secret_is_named(store: OpenStore) -> None:
    """Promise: no other secret ever continues the logs."""
    store.close()
    secret = store.folder / "deployment.secret"
    secret.unlink()
    with (
        closing(Database(store.url)) as database,
        pytest.raises(IntegrityError, match=rf"deployment\.secret is missing.*{TWO_WAYS_OUT}"),
    ):
        open_store(database, Guard(store.folder / "guard"), secret)


def test_another_secret_is_refused(store: OpenStore) -> None:
    """Promise: a secret that does not yield the logs' keys is found before anything is written."""
    store.close()
    (store.folder / "deployment.secret").unlink()
    with pytest.raises(IntegrityError, match=rf"not the secret that belongs to it.*{TWO_WAYS_OUT}"):
        OpenStore.open(store.folder, store.url)


def test_a_missing_guard_is_named(store: OpenStore) -> None:
    """Promise: without the guard a rollback could not be seen, so its loss is a finding."""
    store.close()
    shutil.rmtree(store.folder / "guard")
    with pytest.raises(IntegrityError, match=rf"guard is missing.*{TWO_WAYS_OUT}"):
        OpenStore.open(store.folder, store.url)


def test_one_missing_checkpoint_is_named(store: OpenStore) -> None:
    """Promise: who puts an older database back cannot hide it by removing one file of the guard."""
    append_many(store, 2)
    store.store.sign_checkpoints()
    store.close()
    (store.folder / "guard" / store.organisation.id / "requests-1.checkpoint").unlink()
    with pytest.raises(IntegrityError, match=rf"checkpoint of .*requests/1 is missing.*{TWO_WAYS_OUT}"):
        OpenStore.open(store.folder, store.url)


def test_an_older_database_is_refused(store: OpenStore) -> None:
    """Promise: a database that was put back to an older state does not continue."""
    append_many(store, 2)
    with store.store.database.read() as connection:
        older = connection.execute(text("SELECT * FROM logs")).mappings().all()
    append_many(store, 2)
    store.store.sign_checkpoints()
    with store.store.database.write() as connection:
        for head in older:
            values = {name: head[name] for name in ("size", "last_time", "frontier", "seal")}
            connection.execute(update(logs).where(logs.c.id == head["id"]).values(values))
        connection.execute(text("DELETE FROM records WHERE seq > 2 AND request_id IS NOT NULL"))
    store.close()
    with pytest.raises(IntegrityError, match=rf"has 3 records .* but 5 were signed.*{TWO_WAYS_OUT}"):
        OpenStore.open(store.folder, store.url)


def test_a_forged_guard_is_refused(store: OpenStore) -> None:
    """Promise: only who has the secret can write into the guard."""
    store.store.sign_checkpoints()
    store.close()
    for file in (store.folder / "guard").rglob("*.checkpoint"):
        origin, size, rest = file.read_text().split("\n", 2)
        file.write_text(f"{origin}\n{int(size) + 1}\n{rest}")
    with pytest.raises(IntegrityError, match="damaged, or was signed with another"):
        OpenStore.open(store.folder, store.url)


def test_an_interrupted_first_start_is_finished_by_the_next(store: OpenStore) -> None:
    """Promise: a crash between founding and the first checkpoint costs nothing."""
    with store.store.database.write() as connection:
        connection.execute(update(logs).values(signed_size=0))
    shutil.rmtree(store.folder / "guard")
    again = reopen(store)
    assert not again.store.guard.is_empty()
    again.close()


def test_the_guard_never_goes_back(store: OpenStore) -> None:
    """Promise: a checkpoint that is smaller, or another one of the same size, never replaces what is kept."""
    keys = store.store.keyring.of(f"{store.store.deployment}/tlog/{store.organisation.id}/requests/1")
    store.store.guard.remember(keys.sign_checkpoint(9, bytes(32)))
    store.store.guard.remember(keys.sign_checkpoint(9, bytes(32)))
    for other in (keys.sign_checkpoint(8, bytes(32)), keys.sign_checkpoint(9, bytes(31) + b"x")):
        with pytest.raises(IntegrityError, match="rolled back"):
            store.store.guard.remember(other)
    sizes = {one.origin: one.size for one in store.store.guard.checkpoints(store.store.keyring)}
    assert sizes[keys.origin] == 9


def test_the_name_of_a_deployment_is_fixed(store: OpenStore) -> None:
    """Promise: origins carry the deployment's name, so it cannot follow a later change."""
    store.close()
    guard, secret = Guard(store.folder / "guard"), store.folder / "deployment.secret"
    with closing(Database(store.url)) as database, pytest.raises(SettingsError, match="for ever"):
        open_store(database, guard, secret, "other.example")


def test_postgresql_needs_a_secret_that_was_made_on_purpose(database_url: str, tmp_path: Path) -> None:
    """Promise: no start invents a secret beside a database that several machines share."""
    database = Database(database_url)
    secret = tmp_path / "deployment.secret"
    if database.dialect == "sqlite":
        open_store(database, Guard(tmp_path / "guard"), secret)
        assert secret.stat().st_mode & 0o777 == 0o600
    else:
        with pytest.raises(SettingsError, match="scriba init"):
            open_store(database, Guard(tmp_path / "guard"), secret)
    database.close()


def test_the_secret_is_not_in_the_database(store: OpenStore) -> None:
    """Promise: a copied database cannot sign."""
    secret = read_secret(store.folder / "deployment.secret")
    assert secret is not None
    append_many(store, 1)
    with store.store.database.read() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(table.select()):
                for value in row:
                    shown = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
                    assert secret.reveal() not in shown
                    assert secret.reveal().hex().encode() not in shown


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """Promise: a careless file mode is told, with the command that mends it."""
    path = tmp_path / "deployment.secret"
    make_secret(path)
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        read_secret(path)


@pytest.mark.parametrize("content", ["", "00" * 31, "not hex at all", "zz" * 32])
def test_a_file_without_a_secret_is_refused(tmp_path: Path, content: str) -> None:
    """Promise: a damaged secret is told, not used."""
    path = tmp_path / "deployment.secret"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(SettingsError, match="64 hexadecimal digits"):
        read_secret(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_nobody_else_can_read_the_files(sqlite_store: OpenStore) -> None:
    """Promise: addresses and names in the database, and the secret, are for the owner of the files alone."""
    append_many(sqlite_store, 1)
    files = [*sqlite_store.folder.glob("scriba.db*"), sqlite_store.folder / "deployment.secret"]
    assert len(files) == 4
    assert {file.stat().st_mode & 0o077 for file in files} == {0}
