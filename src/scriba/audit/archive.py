"""The file that keeps the records of a purge, if the operator wants them kept outside the database.

Each line is one record: its bytes as they were hashed, that hash, and what opens its hidden fields. The file is whole
or not there, is read back before anything is deleted, and only its owner can read it.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import secrets
from contextlib import closing
from typing import IO, TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import select

from scriba.domain.record import Decision, Event
from scriba.errors import IntegrityError, StoreUnreachable
from scriba.ledger.canonical import InvalidRecord
from scriba.ledger.hidden import hidden_values
from scriba.ledger.record import record_bytes
from scriba.merkle.tree import extend_frontier, leaf_hash
from scriba.storage.private_files import sync_folder
from scriba.storage.rows import COLUMNS, stored_of
from scriba.storage.tables import records

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from scriba.domain.record import Stored
    from scriba.storage.purge import Prefix

__all__ = ["Archived", "discard_superseded", "write_archive"]

_CHUNK: Final = 1_000
_SUFFIX: Final = ".ndjson.gz"
_BESIDE: Final = ".new"
_encode: Final = msgspec.json.Encoder().encode


class Archived(msgspec.Struct, frozen=True):
    """A file in the lake: its name from there, and its SHA-256 in hex."""

    name: str
    sha256: str


def write_archive(connection: Connection, prefix: Prefix, lake: Path) -> Archived:
    """Write the records of a prefix into the lake, in constant memory, and read them back.

    :raises IntegrityError: a record is not as it was logged, or what was read back is not what was written
    :raises StoreUnreachable: the folder cannot be written
    """
    folder = _folder(prefix, lake)
    fresh = folder / f"{prefix.first_seq}-{prefix.before}.{secrets.token_hex(8)}{_BESIDE}"
    try:
        for missing in reversed([one for one in (folder, *folder.parents) if not one.exists()]):
            missing.mkdir(mode=0o700, exist_ok=True)
        try:
            _write(fresh, _lines(connection, prefix))
            sha256 = _read_back(fresh, prefix)
            file = folder / f"{prefix.first_seq}-{prefix.before}-{sha256[:16]}{_SUFFIX}"
            fresh.replace(file)
            sync_folder(folder)
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        raise StoreUnreachable(f"The archive {folder} cannot be written: {error}.") from error
    return Archived(file.relative_to(lake).as_posix(), sha256)


def discard_superseded(prefix: Prefix, lake: Path, kept: Archived) -> None:
    """Delete what earlier tries at this purge have left: no event names those files."""
    for file in _folder(prefix, lake).glob(f"{prefix.first_seq}-*"):
        if file != lake / kept.name:
            file.unlink(missing_ok=True)


def _folder(prefix: Prefix, lake: Path) -> Path:
    return lake / "archive" / f"org={prefix.org_id}" / f"log={prefix.log}"


def _write(path: Path, lines: Generator[bytes]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        # Without name and time in it, the same records always make the same file.
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed, closing(lines):
            packed.writelines(lines)
        file.flush()
        os.fsync(file.fileno())


def _lines(connection: Connection, prefix: Prefix) -> Generator[bytes]:
    query = (
        select(*(records.c[name] for name in COLUMNS))
        .where(records.c.log_id == prefix.log_id, records.c.seq >= prefix.first_seq, records.c.seq < prefix.before)
        .order_by(records.c.seq)
    )
    with connection.execute(query, execution_options={"yield_per": _CHUNK}) as found:
        for row in found:
            yield _line(stored_of(row, prefix.org_id), prefix.origin)


def _line(stored: Stored, origin: str) -> bytes:
    try:
        data = record_bytes(stored)
    except InvalidRecord:
        data = b""
    if leaf_hash(data) != stored.leaf_hash:
        raise IntegrityError(
            f"Nothing was purged from the log {origin}: record {stored.seq} is not as it was logged, and cannot be "
            "archived.",
            hint="Run `scriba verify`, and keep the database as it is until it is known what happened.",
        )
    fields: dict[str, Any] = {"leafHash": base64.b64encode(stored.leaf_hash).decode(), "record": data.decode()}
    if stored.salt:
        fields["salt"] = stored.salt.hex()
    if stored.field_keys:
        fields["fieldKeys"] = stored.field_keys
    if isinstance(stored.record, Decision | Event) and (values := hidden_values(stored.record.hidden)):
        fields["values"] = values
    return _encode(fields) + b"\n"


def _read_back(path: Path, prefix: Prefix) -> str:
    """Check that the file leads from the frontier before it to the one after it; returns its SHA-256."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        leaves = _leaves(file)
        frontier = extend_frontier(prefix.first_seq, prefix.first_frontier, leaves)
    if frontier != prefix.frontier:
        raise IntegrityError(f"The archive {path} was read back, and is not what was written.")
    return sha256


def _leaves(file: IO[bytes]) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=file, mode="rb") as packed:
        for line in packed:
            yield leaf_hash(json.loads(line)["record"].encode())
