"""Tree and proofs against the recursive definitions of RFC 9162, on a plain list of leaves."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriba.merkle.proof import (
    InvalidProof,
    Node,
    check_consistency,
    check_inclusion,
    prove_consistency,
    prove_inclusion,
    read_leaves,
)
from scriba.merkle.tree import EMPTY_ROOT, extend_frontier, is_frontier, leaf_hash, root_hash

LEAVES = [leaf_hash(str(number).encode()) for number in range(70)]
READ = read_leaves(LEAVES)


def split(count: int) -> int:
    """Return the largest power of two below `count`."""
    half = 1
    while half * 2 < count:
        half *= 2
    return half


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    half = split(len(leaves))
    return sha256(b"\x01" + naive_root(leaves[:half]) + naive_root(leaves[half:])).digest()


def naive_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 9162, 2.1.3.1."""
    if len(leaves) == 1:
        return []
    half = split(len(leaves))
    if index < half:
        return [*naive_path(index, leaves[:half]), naive_root(leaves[half:])]
    return [*naive_path(index - half, leaves[half:]), naive_root(leaves[:half])]


def naive_subproof(size: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 9162, 2.1.4.1."""
    if size == len(leaves):
        return [] if whole else [naive_root(leaves)]
    half = split(len(leaves))
    if size <= half:
        return [*naive_subproof(size, leaves[:half], whole=whole), naive_root(leaves[half:])]
    return [*naive_subproof(size - half, leaves[half:], whole=False), naive_root(leaves[:half])]


sizes = st.integers(0, len(LEAVES))


@st.composite
def ordered(draw: st.DrawFn, lowest: int = 0) -> tuple[int, int]:
    """Draw two sizes, the smaller one first."""
    old = draw(st.integers(lowest, len(LEAVES)))
    return old, draw(st.integers(old, len(LEAVES)))


@given(ordered())
def test_frontier_extends_to_the_naive_root(pair: tuple[int, int]) -> None:
    """However the leaves are batched, frontier and root are those of the whole list."""
    old, size = pair
    first = extend_frontier(0, (), LEAVES[:old])
    both = extend_frontier(old, first, LEAVES[old:size])
    assert both == extend_frontier(0, (), LEAVES[:size])
    assert root_hash(both) == naive_root(LEAVES[:size])
    assert is_frontier(size, both)


@given(sizes, sizes)
def test_frontier_fits_one_size_only(size: int, other: int) -> None:
    """A frontier with another number of hashes than the size asks for is refused, never extended."""
    frontier = extend_frontier(0, (), LEAVES[:size])
    if size.bit_count() != other.bit_count():
        with pytest.raises(ValueError, match="frontier"):
            extend_frontier(other, frontier, LEAVES[:1])


@given(ordered(lowest=1))
def test_inclusion(pair: tuple[int, int]) -> None:
    """Each leaf's proof is that of the definition, checks, and costs one read."""
    index, size = pair[0] - 1, pair[1]
    reads: list[int] = []

    def read(nodes: list[Node]) -> list[bytes]:
        reads.append(len(nodes))
        return list(READ(nodes))

    proof = prove_inclusion(index, size, read)  # type: ignore[arg-type]  # the seam asks for any sequence
    assert list(proof) == naive_path(index, LEAVES[:size])
    assert len(reads) == 1
    check_inclusion(LEAVES[index], index, size, proof, naive_root(LEAVES[:size]))


@given(ordered())
def test_consistency(pair: tuple[int, int]) -> None:
    """The proof between any two sizes is that of the definition and checks."""
    old, size = pair
    proof = prove_consistency(old, size, READ)
    assert list(proof) == (naive_subproof(old, LEAVES[:size], whole=True) if old else [])
    check_consistency(old, naive_root(LEAVES[:old]), size, naive_root(LEAVES[:size]), proof)


@given(ordered(lowest=1), st.data())
def test_altered_inclusion_proof_is_refused(pair: tuple[int, int], data: st.DataObject) -> None:
    """No other leaf, index, length or hash passes with the proof of a leaf."""
    index, size = pair[0] - 1, pair[1]
    root, proof = naive_root(LEAVES[:size]), list(prove_inclusion(index, size, READ))
    other = data.draw(st.integers(-1, size).filter(lambda number: number != index))
    refused = [
        (LEAVES[index], other, proof),
        (leaf_hash(b"another"), index, proof),
        (LEAVES[index], index, [*proof, EMPTY_ROOT]),
        (LEAVES[index], index, [*proof, b"short"]),
    ]
    if proof:
        place = data.draw(st.integers(0, len(proof) - 1))
        refused += [
            (LEAVES[index], index, proof[:-1]),
            (LEAVES[index], index, [*proof[:place], EMPTY_ROOT, *proof[place + 1 :]]),
            (LEAVES[index], index, [*proof[:place], proof[place][:31], *proof[place + 1 :]]),
        ]
    for leaf, position, path in refused:
        with pytest.raises(InvalidProof):
            check_inclusion(leaf, position, size, path, root)


@given(ordered(), st.data())
def test_altered_consistency_proof_is_refused(pair: tuple[int, int], data: st.DataObject) -> None:
    """A proof joins no other roots than its own, and not with other hashes."""
    old, size = pair
    old_root, root = naive_root(LEAVES[:old]), naive_root(LEAVES[:size])
    proof = list(prove_consistency(old, size, READ))
    another = leaf_hash(b"another")
    refused = [(another, root, proof), (old_root, root, [*proof, another])]
    if old:
        refused.append((old_root, another, proof))
    if proof:
        place = data.draw(st.integers(0, len(proof) - 1))
        refused += [(old_root, root, proof[:-1]), (old_root, root, [*proof[:place], another, *proof[place + 1 :]])]
    for first, last, path in refused:
        with pytest.raises(InvalidProof):
            check_consistency(old, first, size, last, path)


@given(
    st.integers(-2, 80),
    st.integers(-2, 80),
    st.lists(st.binary(max_size=33) | st.sampled_from(LEAVES), max_size=9),
    st.sampled_from(LEAVES),
)
def test_hostile_proofs_raise_only_our_error(first: int, second: int, proof: list[bytes], root: bytes) -> None:
    """Whatever is shown as a proof is refused by name, and does not break the checker."""
    with pytest.raises(InvalidProof):
        check_inclusion(leaf_hash(b"another"), first, second, proof, root)
    with pytest.raises(InvalidProof):
        check_consistency(first, leaf_hash(b"another"), second, root, proof)
