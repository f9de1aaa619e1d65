"""The tree's edges; its rules stand in the property tests."""

from __future__ import annotations

from hashlib import sha256

import pytest

from scriba.merkle.tree import EMPTY_ROOT, extend_frontier, is_frontier, leaf_hash, node_hash, root_hash


def test_a_leaf_never_passes_for_a_node() -> None:
    """A record made of two hashes does not have the hash of the node above them."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)
    assert node_hash(left, right) == sha256(b"\x01" + left + right).digest()


def test_nothing_added_changes_nothing() -> None:
    """No leaves, no change, and the empty tree has the hash of nothing."""
    frontier = extend_frontier(0, (), [leaf_hash(b"a")])
    assert extend_frontier(1, frontier, []) == frontier
    assert root_hash(extend_frontier(0, (), [])) == EMPTY_ROOT


@pytest.mark.parametrize(
    ("size", "frontier"),
    [(-1, ()), (0, (EMPTY_ROOT,)), (1, ()), (1, (b"short",)), (3, (EMPTY_ROOT,)), (2, (EMPTY_ROOT,) * 2)],
)
def test_a_damaged_frontier_is_refused(size: int, frontier: tuple[bytes, ...]) -> None:
    """Hashes that cannot be the frontier of this size are never built upon."""
    assert not is_frontier(size, frontier)
    with pytest.raises(ValueError, match="frontier"):
        extend_frontier(size, frontier, [EMPTY_ROOT])
