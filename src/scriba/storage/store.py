"""Opens the store: finds out whether what is here is one whole, and the newest there was.

Three things belong together and are kept apart on purpose: the database, the deployment secret (which signs and
seals, and is never in the database) and the guard (which remembers how far the logs had come). If one of them is
gone or older than the others, nothing is written, and the message says what was found and the ways out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Never

from sqlalchemy import insert, select, update

from scriba.domain.ids import mint_id
from scriba.domain.record import LogStart
from scriba.errors import IntegrityError, SettingsError
from scriba.ledger.keyring import Keyring
from scriba.ledger.origin import Origin
from scriba.ledger.seal import check_seal, load_head
from scriba.storage.hot import HotLogs
from scriba.storage.model import LogId, LogName
from scriba.storage.private_files import make_secret, read_secret
from scriba.storage.schema import migrate, schema_state
from scriba.storage.tables import deployment, logs

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from sqlalchemy import Connection, Row

    from scriba.domain.secret import Secret
    from scriba.merkle.note import Checkpoint
    from scriba.storage.database import Database
    from scriba.storage.guard import Guard
    from scriba.storage.hot import LockedLog

__all__ = ["SignedHead", "Store", "open_store"]

_DEPLOYMENT: Final = 1
_RESET: Final = "or, if you only tried Scriba out, run `scriba db reset --yes`, which clears all three together."


class SignedHead(NamedTuple):
    """The head of a log as it was signed: its origin, size and root hash, and the note that says so."""

    origin: str
    size: int
    root: bytes
    note: str


class Store:
    """A database with its secret and its guard, found whole."""

    def __init__(self, database: Database, keyring: Keyring, guard: Guard, deployment_name: str) -> None:
        self.database = database
        self.keyring = keyring
        self.guard = guard
        self.deployment = deployment_name
        self.hot = HotLogs(database, keyring)

    def sign_checkpoints(self) -> list[SignedHead]:
        """Sign the head of every log that grew since it was last signed, and keep it in the guard.

        Returns what was signed.

        :raises IntegrityError: the guard knows more than the database
        :raises StoreUnreachable: one of the two cannot be written
        """
        grown = select(logs.c.org_id, logs.c.log).where(logs.c.frozen.is_(False), logs.c.size > logs.c.signed_size)
        with self.database.read() as connection:
            found = connection.execute(grown).all()
        grown_logs = [LogId(row.org_id, LogName(row.log)) for row in found]
        return [signed for log in grown_logs for signed in self.sign_heads([log]).values()]

    def sign_heads(self, wanted: Collection[LogId]) -> Mapping[LogId, SignedHead]:
        """Sign the heads of some logs as they stand now, and keep them in the guard.

        They stay locked meanwhile, so nothing can be in flight behind them, and they are of one moment.

        :raises IntegrityError: the guard knows more than the database, or a seal does not fit
        :raises StoreUnreachable: one of the two cannot be written
        """
        with self.database.write() as connection:
            locked = self.hot.lock(connection, wanted)
            return {log: self._sign(connection, head) for log, head in locked.items()}

    def _sign(self, connection: Connection, locked: LockedLog) -> SignedHead:
        size, root = locked.head.size, locked.head.root()
        note = self.keyring.of(locked.origin).sign_checkpoint(size, root)
        self.guard.remember(note)
        connection.execute(update(logs).where(logs.c.id == locked.id).values(signed_size=size))
        return SignedHead(locked.origin, size, root, note)


def open_store(database: Database, guard: Guard, secret_path: Path, name: str = "") -> Store:
    """Open what is there, or found a new deployment if nothing is.

    :param name: of a new deployment; empty for `scriba-<ulid>`
    :raises IntegrityError: database, secret and guard do not belong together, or the database was rolled back
    :raises SettingsError: another name than the deployment has, or a PostgreSQL without a secret
    :raises StoreUnreachable: the database does not answer
    """
    founded = _deployment_name(database)
    secret = read_secret(secret_path)
    if founded is None:
        return _found(database, guard, secret, secret_path, name)
    if secret is None:
        raise IntegrityError(
            f"The deployment secret {secret_path} is missing. The logs in {database.name} are sealed and signed with "
            "it, and no other secret can continue them.",
            hint=f"Two ways out: put the file back from a backup, {_RESET}",
        )
    if name and name != founded:
        raise SettingsError(
            f"This deployment is called {founded!r}, and its logs carry that name for ever.",
            param="deployment",
            hint=f'Set deployment = "{founded}" or leave it empty.',
        )
    migrate(database)
    store = Store(database, Keyring(secret), guard, founded)
    _check_whole(store, secret_path)
    return store


def _found(database: Database, guard: Guard, secret: Secret[bytes] | None, secret_path: Path, name: str) -> Store:
    """Begin a new deployment: schema, secret, name, its own log, guard."""
    if not guard.is_empty() and _deployment_name(database) is None:
        raise IntegrityError(
            f"The database {database.name} is empty, but the guard {guard.folder} remembers logs that were written: "
            "the database was deleted, moved or replaced.",
            hint=f"Two ways out: put the database back where it was, {_RESET}",
        )
    if secret is None and database.dialect == "postgresql":
        raise SettingsError(
            f"There is no deployment secret at {secret_path}.",
            hint="Make one with `scriba init`, and give the same file to every machine that runs Scriba.",
        )
    keyring = Keyring(secret or make_secret(secret_path))
    migrate(database)
    with database.write() as connection:
        if (founded := connection.execute(select(deployment.c.name)).scalar_one_or_none()) is None:
            founded = name or mint_id("scriba").replace("_", "-")
            connection.execute(
                insert(deployment).values(
                    id=_DEPLOYMENT,
                    name=founded,
                    created_at=database.clock(connection),
                    revision=0,
                ),
            )
            origin = Origin(founded, "", LogName.ADMIN.value)
            start = LogStart(origin=str(origin), keys=keyring.of(origin).vkeys)
            HotLogs(database, keyring).create(connection, LogId("", LogName.ADMIN), start)
    store = Store(database, keyring, guard, founded)
    store.sign_checkpoints()
    return store


def _check_whole(store: Store, secret_path: Path) -> None:
    with store.database.read() as connection:
        heads = connection.execute(select(logs).order_by(logs.c.id)).all()
    for row in heads:
        _check_head(store, row, secret_path)
    if not any(row.signed_size for row in heads):
        store.sign_checkpoints()  # the first start was interrupted
        return
    kept = {checkpoint.origin: checkpoint for checkpoint in store.guard.checkpoints(store.keyring)}
    for row in heads:
        if row.signed_size and row.origin not in kept:
            _refuse_without_guard(store, row.origin, whole=not kept)
    known = {row.origin: row for row in heads}
    for checkpoint in kept.values():
        _check_not_older(store, checkpoint, known.get(checkpoint.origin))


def _check_head(store: Store, row: Row[Any], secret_path: Path) -> None:
    keys = store.keyring.of(row.origin)
    try:
        check_seal(load_head(row.size, row.last_time, bytes(row.frontier)), keys.head_key, bytes(row.seal))
    except IntegrityError as error:
        raise IntegrityError(
            f"The head of the log {row.origin} does not carry our seal: either the database was changed from "
            f"outside, or {secret_path} is not the secret that belongs to it.",
            hint=f"Two ways out: put the database and the secret that belong together back, {_RESET}",
        ) from error


def _refuse_without_guard(store: Store, origin: str, *, whole: bool) -> Never:
    missing = (
        f"The guard {store.guard.folder} is missing" if whole else f"The guard's checkpoint of {origin} is missing"
    )
    raise IntegrityError(
        f"{missing}. Without it nobody can tell whether {store.database.name} is the newest state of the log or an "
        "older one that was put back.",
        hint=f"Two ways out: put the folder {store.guard.folder} back from a backup, {_RESET}",
    )


def _check_not_older(store: Store, checkpoint: Checkpoint, row: Row[Any] | None) -> None:
    size = row.size if row else 0
    if row and size > checkpoint.size:
        return  # grown since; the seal vouches for the head
    if (
        row
        and size == checkpoint.size
        and load_head(size, row.last_time, bytes(row.frontier)).root() == checkpoint.root
    ):
        return
    raise IntegrityError(
        f"The log {checkpoint.origin} has {size} records in {store.database.name}, but {checkpoint.size} were signed "
        f"before, as the guard {store.guard.folder} shows: an older or another database was put in its place.",
        hint=f"Two ways out: put the newer database back, {_RESET}",
    )


def _deployment_name(database: Database) -> str | None:
    """Return the name of the deployment that lives in a database; None if it is new."""
    if database.path is not None and not database.path.exists():
        return None
    with database.read() as connection:
        if schema_state(connection)[0] is None:
            return None
        return connection.execute(select(deployment.c.name)).scalar_one_or_none()
