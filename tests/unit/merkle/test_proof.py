"""The proofs' edges; their rules stand in the property tests."""

from __future__ import annotations

import pytest

from scriba.merkle.proof import (
    InvalidProof,
    Node,
    check_consistency,
    check_inclusion,
    prove_consistency,
    prove_inclusion,
    read_leaves,
)
from scriba.merkle.tree import EMPTY_ROOT, extend_frontier, leaf_hash, root_hash

LEAVES = [leaf_hash(bytes([number])) for number in range(5)]
READ = read_leaves(LEAVES)
ROOT = root_hash(extend_frontier(0, (), LEAVES))


def test_nodes_are_read_by_level_and_number() -> None:
    """A node stands for the perfect subtree that its coordinates name."""
    assert READ([Node(0, 3), Node(1, 1), Node(2, 0)]) == [
        LEAVES[3],
        root_hash(extend_frontier(0, (), LEAVES[2:4])),
        root_hash(extend_frontier(0, (), LEAVES[:4])),
    ]


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5)])
def test_no_proof_of_a_leaf_that_is_not_there(index: int, size: int) -> None:
    """Asking for it is the caller's mistake; being shown one is a bad proof."""
    with pytest.raises(ValueError, match="no leaf"):
        prove_inclusion(index, size, READ)
    with pytest.raises(InvalidProof, match="no leaf"):
        check_inclusion(LEAVES[0], index, size, (), ROOT)


def test_a_larger_tree_does_not_begin_a_smaller_one() -> None:
    """A log never shrinks."""
    with pytest.raises(ValueError, match="does not begin"):
        prove_consistency(5, 4, READ)
    with pytest.raises(InvalidProof, match="does not begin"):
        check_consistency(5, ROOT, 4, ROOT, ())


def test_the_empty_tree_begins_every_tree() -> None:
    """From size 0 no proof is needed, and none may be shown."""
    assert prove_consistency(0, 5, READ) == ()
    check_consistency(0, EMPTY_ROOT, 5, ROOT, ())
    check_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, ())
    with pytest.raises(InvalidProof, match="differ"):
        check_consistency(0, ROOT, 5, ROOT, ())
    with pytest.raises(InvalidProof, match="too long"):
        check_consistency(0, EMPTY_ROOT, 5, ROOT, (ROOT,))


def test_one_size_has_one_root() -> None:
    """Two trees of one size are the same tree or a split view."""
    check_consistency(5, ROOT, 5, ROOT, ())
    with pytest.raises(InvalidProof, match="differ"):
        check_consistency(5, EMPTY_ROOT, 5, ROOT, ())
