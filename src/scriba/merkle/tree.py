"""The Merkle tree of RFC 9162, section 2.1, and its frontier.

A tree of n leaves is the row of perfect subtrees whose sizes are the binary digits of n, largest first.
Their roots are the *frontier*: at most 64 hashes, from which the root of the tree follows and to which
leaves can be added without knowing the older ones.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "EMPTY_ROOT",
    "HASH_SIZE",
    "Frontier",
    "extend_frontier",
    "is_frontier",
    "leaf_hash",
    "node_hash",
    "root_hash",
]

HASH_SIZE: Final = 32
"""Bytes of a hash (SHA-256)."""

EMPTY_ROOT: Final = sha256().digest()
"""Root of the tree without leaves: the hash of nothing (RFC 9162, 2.1.1)."""

Frontier: TypeAlias = tuple[bytes, ...]
"""Roots of the perfect subtrees, left to right."""


def leaf_hash(record: bytes) -> bytes:
    """Hash of a leaf. The 00 in front keeps leaves and nodes apart (RFC 9162, 2.1.1)."""
    return sha256(b"\x00" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node (RFC 9162, 2.1.1)."""
    return sha256(b"\x01" + left + right).digest()


def extend_frontier(size: int, frontier: Frontier, leaf_hashes: Iterable[bytes]) -> Frontier:
    """Add leaves to a tree of the given size; one node hash a leaf on average.

    :raises ValueError: if the frontier cannot be that of a tree of this size
    """
    if not is_frontier(size, frontier):
        raise ValueError(f"{len(frontier)} hashes are not the frontier of a tree of {size} leaves")
    roots = list(frontier)
    for leaf in leaf_hashes:
        node = leaf
        # Each 1 at the low end of the size is a perfect subtree that the new leaf completes to a larger one.
        carry = size
        while carry & 1:
            node = node_hash(roots.pop(), node)
            carry >>= 1
        roots.append(node)
        size += 1
    return tuple(roots)


def root_hash(frontier: Sequence[bytes]) -> bytes:
    """Root of the tree with this frontier: its hashes joined from the right."""
    if not frontier:
        return EMPTY_ROOT
    root = frontier[-1]
    for left in reversed(frontier[:-1]):
        root = node_hash(left, root)
    return root


def is_frontier(size: int, frontier: Sequence[bytes]) -> bool:
    """Whether the hashes have the number and the length that the frontier of such a tree has."""
    return size >= 0 and len(frontier) == size.bit_count() and all(len(node) == HASH_SIZE for node in frontier)
