"""Documents have one form and one hash."""

from __future__ import annotations

import hashlib

import msgspec

from scriba.policy.document import canonical_json, document, sha256


class Inner(msgspec.Struct, frozen=True, rename="camel"):
    """A part of a document."""

    some_text: str = ""
    flag: bool = False


class Outer(msgspec.Struct):
    """A document with every kind of emptiness."""

    beta: int = 0
    alpha: str = "ä"
    empty: str = ""
    nothing: str | None = None
    items: tuple[str, ...] = ()
    inner: Inner = Inner()
    by_name: dict[str, Inner] = {}


def test_what_is_empty_is_absent_and_booleans_and_zero_stay() -> None:
    """A meaning has one form: absent, null and empty are the same, false is not."""
    assert document(Outer()) == {"beta": 0, "alpha": "ä", "inner": {"flag": False}}


def test_canonical_json_is_sorted_and_compact_utf8() -> None:
    """The hashed bytes do not depend on the order in which fields are declared."""
    assert canonical_json(document(Outer())) == '{"alpha":"ä","beta":0,"inner":{"flag":false}}'.encode()


def test_the_hash_is_sha256_of_those_bytes() -> None:
    """Anybody can recompute it from the document alone."""
    assert sha256({"a": True}) == hashlib.sha256(b'{"a":true}').hexdigest()
