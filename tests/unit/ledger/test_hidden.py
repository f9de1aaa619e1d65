"""Hidden fields."""

from __future__ import annotations

import pytest

from scriba.domain.record import HIDDEN_FIELDS, Hidden
from scriba.ledger.canonical import InvalidRecord
from scriba.ledger.hidden import (
    check_hidden,
    commit,
    commitments,
    field_key,
    field_keys,
    hidden_values,
    kept_commitments,
    opens,
)

SALT = bytes(range(16))
ALL = frozenset(HIDDEN_FIELDS)
VALUES = Hidden(ip_address="203.0.113.42", user="Zoë", tags=("a", "b"))


def test_absent_values_are_not_committed_to() -> None:
    """Empty text and no tags leave no trace, and need no salt."""
    assert commitments(Hidden(), b"") == {}
    assert hidden_values(VALUES) == {"ipAddress": "203.0.113.42", "tags": ("a", "b"), "user": "Zoë"}


def test_equal_values_are_not_recognised() -> None:
    """The same value under another salt or in another field has another commitment."""
    same = commitments(Hidden(user="x", actor="x"), SALT)
    assert same["user"] != same["actor"]
    assert same["user"] != commitments(Hidden(user="x"), bytes(16))["user"]


def test_tags_are_a_list_and_not_their_joined_text() -> None:
    """Moving a boundary between tags changes the commitment."""
    made = {commitments(Hidden(tags=tags), SALT)["tags"] for tags in [("a", "b"), ("a,b",), ('a","b',), ("b", "a")]}
    assert len(made) == 4


@pytest.mark.parametrize("size", [0, 8, 15, 17, 32])
def test_a_salt_of_another_length_is_refused(size: int) -> None:
    """HMAC would pad a short salt with zeros, and two salts would pass for one."""
    with pytest.raises(InvalidRecord, match="salt"):
        commitments(VALUES, bytes(size))
    with pytest.raises(InvalidRecord, match="salt"):
        field_key(bytes(size), "user")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_length_is_refused(size: int) -> None:
    """The same holds for field keys that somebody shows."""
    with pytest.raises(InvalidRecord, match="fieldKey"):
        opens("00" * 32, bytes(size), "x")


def test_there_is_no_key_of_an_unknown_field() -> None:
    """A misspelt field does not yield a key that opens nothing."""
    with pytest.raises(InvalidRecord, match="not a hidden field"):
        field_key(SALT, "userName")


def test_a_key_opens_its_field_alone() -> None:
    """One field key proves its own value, and no value of another field."""
    committed, key = commitments(VALUES, SALT), field_key(SALT, "user")
    assert opens(committed["user"], key, "Zoë")
    assert not opens(committed["user"], key, "Zoe")
    assert not opens(committed["ipAddress"], key, "203.0.113.42")
    assert not opens("é", key, "Zoë")


def test_commitments_are_found_by_whatever_is_left() -> None:
    """Salt, field keys and kept commitments lead to the same answer."""
    committed = commitments(VALUES, SALT)
    keys = field_keys(SALT, committed)
    assert kept_commitments(VALUES, SALT, {}, {}) == committed
    assert kept_commitments(VALUES, b"", {}, keys) == committed
    assert kept_commitments(Hidden(), b"", committed, {}) == committed
    assert kept_commitments(VALUES, SALT, {"user": committed["user"]}, {}) == committed


def test_a_value_without_salt_or_key_cannot_be_rebuilt() -> None:
    """A row that lost both says so."""
    with pytest.raises(InvalidRecord, match="salt"):
        kept_commitments(VALUES, b"", {}, {"user": "00" * 32})
    with pytest.raises(InvalidRecord, match="hexadecimal"):
        kept_commitments(VALUES, b"", {}, dict.fromkeys(HIDDEN_FIELDS, "xy"))


@pytest.mark.parametrize(
    ("hidden", "field"),
    [
        (Hidden(user="x" * 1025), "user"),
        (Hidden(user="é" * 513), "user"),
        (Hidden(tags=("x",) * 33), "tags"),
        (Hidden(tags=("x" * 129,)), "tags"),
        (Hidden(tags=("",)), "tags"),
        (Hidden(user_agent="a\nb"), "userAgent"),
        (Hidden(source_id="\ud800"), "sourceId"),
    ],
)
def test_values_over_the_limit_are_refused(hidden: Hidden, field: str) -> None:
    """Limits and characters hold for hidden values too, and the field is named."""
    with pytest.raises(InvalidRecord) as caught:
        check_hidden(hidden, ALL)
    assert caught.value.field == field


def test_values_at_the_limit_pass() -> None:
    """The limits are inclusive."""
    check_hidden(Hidden(user="x" * 1024, tags=("é" * 64,) * 32), ALL)


def test_an_actor_is_named_by_events_alone() -> None:
    """A field that a type does not have is refused there."""
    with pytest.raises(InvalidRecord, match="actor"):
        check_hidden(Hidden(actor="key_1"), ALL - {"actor"})


def test_an_unencodable_value_names_its_field() -> None:
    """Half a surrogate pair is refused before anything is hashed."""
    with pytest.raises(InvalidRecord, match=r"^user "):
        commitments(Hidden(user="\udc00"), SALT)
    with pytest.raises(InvalidRecord, match="surrogate"):
        commit(bytes(32), "\udc00")
