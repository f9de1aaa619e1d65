"""Keys of a log, all derived from the one secret of the deployment.

::

    seed     = HKDF-SHA-256(secret, salt "scriba/v1", info "ed25519" ‖ 00 ‖ name ‖ 00 ‖ decimal number)
    head key = HKDF-SHA-256(secret, salt "scriba/v1", info "head" ‖ 00 ‖ origin)

A log signs checkpoints under its origin and receipts under `<origin>/receipt`. The secret comes from a file
or the environment and never from the database: a copy of the database cannot sign.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from scriba.domain.secret import Secret
from scriba.errors import SettingsError
from scriba.ledger.receipt import Receipt, receipt_name
from scriba.merkle.note import Checkpoint, Signer, sign_note

if TYPE_CHECKING:
    from scriba.ledger.origin import Origin

__all__ = ["MIN_SECRET", "LogKeys", "derive_key", "derive_seed"]

MIN_SECRET: Final = 32
"""Bytes that a secret must have at least."""


def derive_key(secret: Secret[bytes], info: bytes) -> bytes:
    """Derive 32 bytes for one purpose (RFC 5869).

    :raises SettingsError: if the secret is shorter than 32 bytes
    """
    value = secret.reveal()
    if len(value) < MIN_SECRET:
        raise SettingsError(f"The deployment secret has {len(value)} bytes; it needs {MIN_SECRET} at least.")
    return HKDF(algorithm=SHA256(), length=32, salt=b"scriba/v1", info=info).derive(value)


def derive_seed(secret: Secret[bytes], name: str, number: int) -> bytes:
    """Derive the Ed25519 seed of key `number` (counted from 1) under this name."""
    return derive_key(secret, f"ed25519\x00{name}\x00{number}".encode())


class LogKeys:
    """The private keys of one log. Making them takes some 100 µs, so keep them.

    :param number: the number of both signing keys, counted from 1
    :raises SettingsError: if the secret is shorter than 32 bytes
    """

    __slots__ = ("_checkpoints", "_receipts", "head_key", "origin", "vkeys")

    def __init__(self, secret: Secret[bytes], origin: Origin, number: int = 1) -> None:
        name = str(origin.checked())
        self.origin: Final = name
        self._checkpoints = Signer(name, derive_seed(secret, name, number))
        self._receipts = Signer(receipt_name(name), derive_seed(secret, receipt_name(name), number))
        self.head_key: Final = Secret(derive_key(secret, b"head\x00" + name.encode()))
        self.vkeys: Final = (self._checkpoints.verifier.vkey, self._receipts.verifier.vkey)
        """Public keys as the first record of the log lists them: for checkpoints, for receipts."""

    def __repr__(self) -> str:
        return f"LogKeys({self.origin!r})"

    def sign_receipt(self, seq: int, leaf_hash: bytes, log_time: int) -> str:
        """Sign for one durable record; the value of the `X-Audit-Receipt` header."""
        receipt = Receipt(seq, log_time, leaf_hash)
        return receipt.header(self._receipts.sign(receipt.text(self.origin)))

    def sign_checkpoint(self, size: int, root: bytes) -> str:
        """Sign size and root of the log; a checkpoint note."""
        return sign_note(str(Checkpoint(self.origin, size, root)), [self._checkpoints])
