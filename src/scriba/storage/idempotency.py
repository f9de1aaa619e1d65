"""Repeats of a request, told apart from new ones by the caller's `Idempotency-Key`.

For one API key, the same name and content get the answer of the first time; the same name with other content is a
conflict. The name is claimed, and the answer kept, in the transaction of the change itself: either both are there or
neither, and of several requests at the same moment exactly one writes while the others wait for its answer.

An answer can hold a secret, such as that of a webhook. It is therefore encrypted (AES-256-GCM) under a key that comes
from the deployment secret, which is never in the database.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, select, text, update

from scriba.domain.secret import Secret
from scriba.errors import Conflict, IntegrityError, InvalidInput
from scriba.storage.tables import idempotency_keys

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

__all__ = ["HEADER", "KEEP_MICROS", "MAX_NAME", "PURPOSE", "Repeat", "answer_of", "check_name", "keep_answer"]

HEADER: Final = "Idempotency-Key"

KEEP_MICROS: Final = 48 * 3600 * 1_000_000
"""How long an answer is kept at least, in microseconds."""

MAX_NAME: Final = 255
"""Characters of the caller's key."""

PURPOSE: Final = "idempotency"
"""What the shared key of the keyring is for that answers are encrypted with."""

_NONCE: Final = 12
_CLAIM: Final = text(
    "INSERT INTO idempotency_keys (key_id, name, content_sha256, created_at) "
    "VALUES (:key_id, :name, :content_sha256, 0) ON CONFLICT DO NOTHING",
)


class Repeat(msgspec.Struct, kw_only=True):
    """What a request is told apart by.

    :param key_id: the API key that it was sent with
    :param name: the caller's own key for it
    :param content_sha256: over method, path and body
    :param secret: 32 bytes that answers are encrypted with: `keyring.shared_key(PURPOSE)`
    :param replayed: set by `answer_of` once the answer is that of an earlier request
    """

    key_id: str
    name: str
    content_sha256: bytes
    secret: Secret[bytes]
    replayed: bool = False


def check_name(name: str) -> str:
    """Return the caller's key if it can be one.

    :raises InvalidInput: it is empty, too long or holds characters that are not printable ASCII
    """
    if not 0 < len(name) <= MAX_NAME or not name.isascii() or not name.isprintable():
        raise InvalidInput(f"{HEADER} must be 1 to {MAX_NAME} printable characters of ASCII.", param=HEADER)
    return name


def answer_of(connection: Connection, repeat: Repeat) -> bytes | None:
    """Return the answer to an earlier request, or claim the name for this one.

    Another transaction that has claimed it is waited for. If the caller's transaction fails, the claim goes with it.

    :raises Conflict: the name was used for other content
    :raises IntegrityError: the answer was not written by this deployment
    """
    claimed = connection.execute(
        _CLAIM, {"key_id": repeat.key_id, "name": repeat.name, "content_sha256": repeat.content_sha256}
    )
    if claimed.rowcount:
        return None
    row = connection.execute(
        select(idempotency_keys.c.content_sha256, idempotency_keys.c.answer).where(_this(repeat)),
    ).one()
    if bytes(row.content_sha256) != repeat.content_sha256:
        raise Conflict(
            f"The {HEADER} {repeat.name!r} was used for another request.",
            param=HEADER,
            hint="Take a new one for each request, and the same one only to repeat it unchanged.",
        )
    if row.answer is None:
        return None
    repeat.replayed = True
    return _decrypt(repeat, bytes(row.answer))


def keep_answer(connection: Connection, repeat: Repeat, answer: bytes, now: int) -> None:
    """Keep the answer to a request whose name `answer_of` has claimed in this transaction; forget old ones.

    :param now: microseconds since 1970
    """
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.created_at.between(1, now - KEEP_MICROS)))
    kept = {"answer": _encrypt(repeat, answer), "created_at": now}
    connection.execute(update(idempotency_keys).where(_this(repeat)).values(kept))


def _this(repeat: Repeat) -> ColumnElement[bool]:
    return (idempotency_keys.c.key_id == repeat.key_id) & (idempotency_keys.c.name == repeat.name)


def _encrypt(repeat: Repeat, answer: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(repeat.secret.reveal()).encrypt(nonce, answer, _place(repeat))


def _decrypt(repeat: Repeat, kept: bytes) -> bytes:
    try:
        return AESGCM(repeat.secret.reveal()).decrypt(kept[:_NONCE], kept[_NONCE:], _place(repeat))
    except (InvalidTag, ValueError) as error:
        raise IntegrityError(f"The answer kept for {HEADER} {repeat.name!r} was changed.") from error


def _place(repeat: Repeat) -> bytes:
    """Bind an answer to its row, so that it cannot be moved to another one."""
    return f"{repeat.key_id}\x00{repeat.name}".encode() + repeat.content_sha256
