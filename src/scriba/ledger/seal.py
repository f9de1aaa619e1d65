"""The head of a log and its seal.

The head row holds size, last log time and frontier, and an HMAC over the three under a key that is not in
the database. Every append checks the seal before and renews it after; without it, whoever can write to the
database could redo the newest records and have us sign them.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

from scriba.domain.timestamp import format_timestamp
from scriba.errors import IntegrityError
from scriba.merkle.note import encode_base64
from scriba.merkle.tree import HASH_SIZE, Frontier, extend_frontier, is_frontier, root_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scriba.domain.secret import Secret

__all__ = ["EMPTY_HEAD", "Head", "check_seal", "load_beginning", "load_head", "seal"]


class Head(msgspec.Struct, frozen=True):
    """Where a log stands: its size, the log time of its last record in microseconds, and its frontier."""

    size: int
    last_time: int
    frontier: Frontier

    def root(self) -> bytes:
        """Root hash of the log."""
        return root_hash(self.frontier)

    def append(self, leaf_hashes: Sequence[bytes], last_time: int) -> Head:
        """Return the head after these leaves, the last of which was logged at `last_time`."""
        if last_time < self.last_time:
            raise AssertionError(f"log time would go back from {self.last_time} to {last_time}")
        frontier = extend_frontier(self.size, self.frontier, leaf_hashes)
        return Head(self.size + len(leaf_hashes), last_time, frontier)

    def packed_frontier(self) -> bytes:
        """Return the hashes of the frontier, one after the other, as `load_head` reads them."""
        return b"".join(self.frontier)


EMPTY_HEAD: Final = Head(0, 0, ())
"""A log before its first record. It is never stored, and has no seal."""


def load_head(size: int, last_time: int, frontier: bytes) -> Head:
    """Rebuild a stored head.

    :raises IntegrityError: if the frontier is not that of a log of this size
    """
    hashes = tuple(frontier[start : start + HASH_SIZE] for start in range(0, len(frontier), HASH_SIZE))
    if size <= 0 or not is_frontier(size, hashes):
        raise IntegrityError("The stored head of the log is damaged: its size and its hashes do not fit together.")
    return Head(size, last_time, hashes)


def load_beginning(first_seq: object, frontier: bytes | None, size: int) -> Head:
    """Rebuild what a purge has left of the records before `first_seq`: the empty head if nothing was purged.

    The seal does not cover it. It is proved by the tree: only the right frontier makes the log's root of what follows.

    :param size: of the log
    :raises IntegrityError: if this cannot be the beginning of such a log
    """
    packed = b"" if frontier is None else bytes(frontier)
    hashes = tuple(packed[start : start + HASH_SIZE] for start in range(0, len(packed), HASH_SIZE))
    if not isinstance(first_seq, int) or not 0 <= first_seq < max(size, 1) or not is_frontier(first_seq, hashes):
        raise IntegrityError("What was kept of the purged records is damaged: number and hashes do not fit together.")
    return Head(first_seq, 0, hashes)


def seal(head: Head, key: Secret[bytes]) -> bytes:
    """Seal a head that has one record at least; 32 bytes."""
    return hmac.digest(key.reveal(), _message(head), sha256)


def check_seal(head: Head, key: Secret[bytes], stored: bytes) -> None:
    """Check the seal that was stored with a head.

    :raises IntegrityError: if another head or another secret made it
    """
    if not hmac.compare_digest(seal(head, key), stored):
        raise IntegrityError(
            "The head of the log was changed from outside, or the deployment secret is not the one it was sealed with."
        )


def _message(head: Head) -> bytes:
    """Lines: size, last log time, then each hash of the frontier in base64."""
    if head.size == 0:
        raise AssertionError("a log is created together with its first record")
    lines = [str(head.size), format_timestamp(head.last_time), *map(encode_base64, head.frontier)]
    return "".join(f"{line}\n" for line in lines).encode()
