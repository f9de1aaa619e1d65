"""The one JSON form of a policy or a catalogue, and its hash.

A document holds objects, lists, strings, booleans and integers. What is empty means absent and is left out, so that a
meaning has one form; names are ASCII, so that sorting them by byte gives the order of RFC 8785.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

__all__ = ["Document", "canonical_json", "document", "sha256"]

Document = dict[str, object]

_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_EMPTY: Final[tuple[object, ...]] = (None, "", [], {})


def document(value: msgspec.Struct) -> Document:
    """Return `value` as a document; booleans stay, whatever they are."""
    pruned = _pruned(msgspec.to_builtins(value))
    assert isinstance(pruned, dict)  # noqa: S101 -- a Struct becomes a dict
    return pruned


def canonical_json(value: Document) -> bytes:
    """Return the bytes that are hashed."""
    return _ENCODER.encode(value)


def sha256(value: Document) -> str:
    """Return the SHA-256 of the canonical JSON, in hex."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _pruned(value: object) -> object:
    """Drop what is empty, innermost first. As deep as our own types are, never as deep as somebody's input."""
    if isinstance(value, dict):
        kept = {name: _pruned(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if inner not in _EMPTY}
    if isinstance(value, list | tuple):
        return [_pruned(inner) for inner in value]
    return value
