"""Inclusion and consistency proofs (RFC 9162, sections 2.1.3 and 2.1.4).

Maker and checker stand side by side. A maker reads hashes of perfect subtrees through one batched seam,
`ReadNodes`; a checker needs nothing but what it is given, and answers bad input with `InvalidProof` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from scriba.merkle.tree import EMPTY_ROOT, HASH_SIZE, extend_frontier, node_hash, root_hash

__all__ = [
    "InvalidProof",
    "Node",
    "ReadNodes",
    "check_consistency",
    "check_inclusion",
    "prove_consistency",
    "prove_inclusion",
    "read_leaves",
]


class InvalidProof(ValueError):
    """A proof that does not prove what it is shown for."""


class Node(NamedTuple):
    """A perfect subtree of 2^`level` leaves, `number` such subtrees from the left."""

    level: int
    number: int


ReadNodes: TypeAlias = Callable[[Sequence[Node]], Sequence[bytes]]
"""Look up the hashes of subtrees, in the order asked for."""


def read_leaves(leaf_hashes: Sequence[bytes]) -> ReadNodes:
    """Answer from a list of all leaf hashes; time grows with the size of the subtrees asked for."""

    def read(nodes: Sequence[Node]) -> Sequence[bytes]:
        return [
            root_hash(extend_frontier(0, (), leaf_hashes[number << level : (number + 1) << level]))
            for level, number in nodes
        ]

    return read


def prove_inclusion(index: int, size: int, read: ReadNodes) -> tuple[bytes, ...]:
    """Make the path from leaf `index` to the root of the tree with `size` leaves (RFC 9162, 2.1.3.1).

    :raises ValueError: if there is no such leaf
    """
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size} leaves")
    spans = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    return _read_spans(spans[::-1], read)


def check_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf stands at `index` in the tree with this size and root (RFC 9162, 2.1.3.2).

    :raises InvalidProof: if the path does not show it
    """
    if not 0 <= index < size:
        raise InvalidProof(f"there is no leaf {index} in a tree of {size} leaves")
    node = leaf_hash
    for sibling, is_left in _climb(index, size - 1, proof):
        node = node_hash(sibling, node) if is_left else node_hash(node, sibling)
    if node != root:
        raise InvalidProof(f"leaf {index} is not in the tree with this root")


def prove_consistency(old_size: int, size: int, read: ReadNodes) -> tuple[bytes, ...]:
    """Make the proof that the tree of `old_size` leaves begins the tree of `size` leaves (RFC 9162, 2.1.4.1).

    It is empty if the sizes are equal or the old tree is.

    :raises ValueError: if the old tree is larger
    """
    if not 0 <= old_size <= size:
        raise ValueError(f"a tree of {old_size} leaves does not begin one of {size}")
    if old_size in (0, size):
        return ()
    spans = []
    start, end = 0, size
    while old_size != end:
        middle = start + _split(end - start)
        if old_size <= middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    # The last subtree is all of the old tree if it starts at 0; the checker then has its hash already.
    if start:
        spans.append((start, end))
    return _read_spans(spans[::-1], read)


def check_consistency(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree with `old_root` begins the tree with `root` (RFC 9162, 2.1.4.2).

    :raises InvalidProof: if the proof does not show it
    """
    if not 0 <= old_size <= size:
        raise InvalidProof(f"a tree of {old_size} leaves does not begin one of {size}")
    if old_size in (0, size):
        if proof or old_root != (root if old_size else EMPTY_ROOT):
            raise InvalidProof("the trees differ, or the proof is too long")
        return
    # A perfect old tree is itself the first node of the path.
    path = (old_root, *proof) if old_size & (old_size - 1) == 0 else tuple(proof)
    if not path:
        raise InvalidProof("the proof is too short")
    # Up to the largest subtree that ends the old tree: below it the two trees do not differ.
    level = (~(old_size - 1) & old_size).bit_length() - 1
    old_node = node = path[0]
    for sibling, is_left in _climb((old_size - 1) >> level, (size - 1) >> level, path[1:]):
        if is_left:
            old_node, node = node_hash(sibling, old_node), node_hash(sibling, node)
        else:
            node = node_hash(node, sibling)
    if old_node != old_root or node != root:
        raise InvalidProof(f"the tree of {old_size} leaves does not begin the tree of {size}")


def _climb(position: int, last: int, siblings: Sequence[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Go from a node up to the root; yield each sibling and whether it stands on the left.

    `position` and `last` are the numbers of the node and of the last one on its level: fn and sn of RFC 9162.
    """
    for sibling in siblings:
        if last == 0:
            raise InvalidProof("the proof is too long")
        if len(sibling) != HASH_SIZE:
            raise InvalidProof("a hash of the proof does not have 32 bytes")
        is_left = position & 1 == 1 or position == last
        yield sibling, is_left
        # A node without a right sibling moves up unchanged until it is a right child itself.
        while is_left and position and not position & 1:
            position >>= 1
            last >>= 1
        position >>= 1
        last >>= 1
    if last:
        raise InvalidProof("the proof is too short")


def _split(count: int) -> int:
    """Size of the left subtree: the largest power of two below the number of leaves (RFC 9162, 2.1.1)."""
    return 1 << ((count - 1).bit_length() - 1)


def _read_spans(spans: Sequence[tuple[int, int]], read: ReadNodes) -> tuple[bytes, ...]:
    """Hashes of subtrees of any size, with a single read."""
    covers = [_cover(start, end) for start, end in spans]
    hashes = iter(read([node for cover in covers for node in cover]))
    return tuple(root_hash([next(hashes) for _ in cover]) for cover in covers)


def _cover(start: int, end: int) -> list[Node]:
    """Perfect subtrees that make up the subtree over [start, end), left to right."""
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append(Node(level, start >> level))
        start += 1 << level
    return nodes
