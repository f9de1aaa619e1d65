"""Hidden fields: what stands in a record only as a commitment, and can therefore be erased.

::

    fieldKey   = HMAC-SHA-256(salt, "scriba/v1/field" ‖ 00 ‖ name)
    commitment = HMAC-SHA-256(fieldKey, value)          value: the text; for tags the canonical JSON of the list

Each record has a salt of its own. Who is shown the salt can check every value of the record, who is shown
one field key can check that field and learns nothing about the others.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING, Final, TypeAlias

from scriba.domain.record import HIDDEN_FIELDS, Hidden
from scriba.ledger.canonical import InvalidRecord, check_text, encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "KEY_SIZE",
    "MAX_TAG",
    "MAX_TAGS",
    "MAX_VALUE",
    "SALT_SIZE",
    "Value",
    "check_hidden",
    "commit",
    "commitments",
    "field_key",
    "field_keys",
    "hidden_values",
    "kept_commitments",
    "opens",
]

SALT_SIZE: Final = 16
"""Bytes of a salt."""

KEY_SIZE: Final = 32
"""Bytes of a field key, and of a commitment."""

Value: TypeAlias = str | tuple[str, ...]
"""A hidden value: a text, or the list of tags."""

MAX_VALUE: Final = 1024
"""Bytes of a hidden text."""

MAX_TAGS: Final = 32
"""Tags that a record holds."""

MAX_TAG: Final = 128
"""Bytes of a tag."""

# HMAC pads a key to the 64 bytes of a SHA-256 block and masks it (RFC 2104). Doing that once a record, by
# plain hashes, takes about half the time of `hmac.digest` for each field.
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))
_BLOCK: Final = 64
_LABELS: Final = {name: b"scriba/v1/field\x00" + name.encode() for name in HIDDEN_FIELDS}


def hidden_values(hidden: Hidden) -> dict[str, Value]:
    """Return the values that are present, by their names in the record."""
    return {name: value for name, attribute in HIDDEN_FIELDS.items() if (value := getattr(hidden, attribute))}


def check_hidden(hidden: Hidden, allowed: frozenset[str]) -> None:
    """Check names, lengths and characters of hidden values.

    :raises InvalidRecord: naming the field
    """
    for name, value in hidden_values(hidden).items():
        if name not in allowed:
            raise InvalidRecord(name, "cannot stand in a record of this type")
        if isinstance(value, str):
            check_text(value, name, MAX_VALUE)
            continue
        if len(value) > MAX_TAGS:
            raise InvalidRecord(name, f"has {len(value)} members; the limit is {MAX_TAGS}")
        for tag in value:
            if not tag:
                raise InvalidRecord(name, "has an empty member")
            check_text(tag, name, MAX_TAG)


def commitments(hidden: Hidden, salt: bytes) -> dict[str, str]:
    """Commit to every value that is present; hex, by name.

    :raises InvalidRecord: if there are values and the salt does not have 16 bytes
    """
    values = hidden_values(hidden)
    if not values:
        return {}
    _check_length("salt", salt, SALT_SIZE)
    padded = salt.ljust(_BLOCK, b"\x00")
    inner, outer = padded.translate(_INNER), padded.translate(_OUTER)
    made = {}
    for name, value in values.items():
        key = sha256(outer + sha256(inner + _LABELS[name]).digest()).digest().ljust(_BLOCK, b"\x00")
        digest = sha256(key.translate(_INNER) + _encoded(value, name)).digest()
        made[name] = sha256(key.translate(_OUTER) + digest).hexdigest()
    return made


def field_key(salt: bytes, name: str) -> bytes:
    """Derive the key that opens one field.

    :raises InvalidRecord: if the salt does not have 16 bytes or there is no such field
    """
    _check_length("salt", salt, SALT_SIZE)
    if name not in _LABELS:
        raise InvalidRecord(name, "is not a hidden field")
    return hmac.digest(salt, _LABELS[name], sha256)


def field_keys(salt: bytes, names: Iterable[str]) -> dict[str, str]:
    """Derive the keys of several fields; hex, by name."""
    return {name: field_key(salt, name).hex() for name in names}


def commit(key: bytes, value: Value) -> str:
    """Commit to one value under its field key; hex.

    :raises InvalidRecord: if the key does not have 32 bytes (HMAC would pad a shorter one with zeros)
    """
    _check_length("fieldKey", key, KEY_SIZE)
    return hmac.digest(key, _encoded(value, "value"), sha256).hex()


def opens(commitment: str, key: bytes, value: Value) -> bool:
    """Whether key and value are what the commitment was made from.

    :raises InvalidRecord: if the key does not have 32 bytes
    """
    return hmac.compare_digest(commit(key, value).encode(), commitment.encode())


def kept_commitments(hidden: Hidden, salt: bytes, kept: Mapping[str, str], keys: Mapping[str, str]) -> dict[str, str]:
    """Return the commitments of a stored record: those that were kept, else from the field keys, else the salt.

    :raises InvalidRecord: if there is a value that none of the three covers
    """
    if not kept and not keys:
        return commitments(hidden, salt)
    made = dict(kept)
    for name, value in hidden_values(hidden).items():
        if name not in made:
            made[name] = commit(_key_of(name, salt, keys), value)
    return made


def _key_of(name: str, salt: bytes, keys: Mapping[str, str]) -> bytes:
    if name not in keys:
        return field_key(salt, name)
    try:
        return bytes.fromhex(keys[name])
    except ValueError as error:
        raise InvalidRecord("fieldKey", f"of {name} is not hexadecimal") from error


def _encoded(value: Value, name: str) -> bytes:
    try:
        return value.encode() if isinstance(value, str) else encode(value)
    except UnicodeEncodeError as error:
        raise InvalidRecord(name, "holds half of a surrogate pair") from error


def _check_length(name: str, value: bytes, size: int) -> None:
    if len(value) != size:
        raise InvalidRecord(name, f"has {len(value)} bytes instead of {size}")
