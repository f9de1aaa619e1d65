"""The head and its seal."""

from __future__ import annotations

import pytest

from scriba.domain.secret import Secret
from scriba.errors import IntegrityError
from scriba.ledger.seal import EMPTY_HEAD, Head, check_seal, load_head, seal
from scriba.merkle.tree import extend_frontier, leaf_hash, root_hash

KEY = Secret(bytes(32))
LEAVES = [leaf_hash(bytes([number])) for number in range(11)]
HEAD = EMPTY_HEAD.append(LEAVES, 5_000_000)


def test_a_head_follows_its_log() -> None:
    """Appending in batches gives size, time and root of the whole log."""
    head = EMPTY_HEAD.append(LEAVES[:3], 4).append(LEAVES[3:], 5_000_000)
    assert head == HEAD
    assert head.size == 11
    assert head.root() == root_hash(extend_frontier(0, (), LEAVES))


def test_log_time_never_decreases() -> None:
    """A head that would go back in time is our own mistake, and is never made."""
    assert HEAD.append(LEAVES[:1], 5_000_000).size == 12
    with pytest.raises(AssertionError, match="log time"):
        HEAD.append(LEAVES[:1], 4_999_999)


def test_a_stored_head_is_rebuilt() -> None:
    """The packed frontier reads back."""
    assert load_head(HEAD.size, HEAD.last_time, HEAD.packed_frontier()) == HEAD


@pytest.mark.parametrize(
    ("size", "frontier"),
    [
        (11, b""),
        (12, HEAD.packed_frontier()),
        (11, HEAD.packed_frontier()[:-1]),
        (11, HEAD.packed_frontier() + b"x"),
        (0, b""),
        (-1, b""),
    ],
)
def test_a_damaged_head_is_refused(size: int, frontier: bytes) -> None:
    """Size and hashes that do not fit together are never built upon."""
    with pytest.raises(IntegrityError):
        load_head(size, 0, frontier)


@pytest.mark.parametrize(
    "changed",
    [
        Head(11, 5_000_001, HEAD.frontier),
        Head(13, 5_000_000, HEAD.frontier),
        Head(11, 5_000_000, HEAD.frontier[::-1]),
        EMPTY_HEAD.append(LEAVES[:10], 5_000_000),
        EMPTY_HEAD.append([*LEAVES[:10], LEAVES[0]], 5_000_000),
    ],
)
def test_a_changed_head_breaks_the_seal(changed: Head) -> None:
    """Size, time and each hash are sealed."""
    stored = seal(HEAD, KEY)
    check_seal(HEAD, KEY, stored)
    with pytest.raises(IntegrityError):
        check_seal(changed, KEY, stored)


def test_another_secret_does_not_make_the_seal() -> None:
    """A seal under another key, a cut one and an empty one are refused."""
    for stored in (seal(HEAD, Secret(bytes([1]) * 32)), seal(HEAD, KEY)[:-1], b""):
        with pytest.raises(IntegrityError):
            check_seal(HEAD, KEY, stored)


def test_an_empty_log_has_no_seal() -> None:
    """A log begins with its first record, so that "no records" can never be sealed."""
    with pytest.raises(AssertionError, match="first record"):
        seal(EMPTY_HEAD, KEY)
