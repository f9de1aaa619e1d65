"""Origins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriba.ledger.origin import InvalidOrigin, Origin, parse_origin


@pytest.mark.parametrize(
    ("origin", "text"),
    [
        (Origin("scriba.example.com", "org_1", "requests"), "scriba.example.com/tlog/org_1/requests/1"),
        (Origin("a", "admin", "admin", 12), "a/tlog/admin/admin/12"),
        (Origin("scriba-01jn", "", "admin"), "scriba-01jn/tlog/admin/1"),
        (Origin("a", "", "anchor"), "a/tlog/anchor/1"),
    ],
)
def test_origins_read_back(origin: Origin, text: str) -> None:
    """Text and parts say the same, with and without an organisation."""
    assert str(origin) == text
    assert parse_origin(text) == origin
    assert origin.checked() is origin


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a/tlog/org_1/requests",
        "a/tlog/org_1/requests/0",
        "a/tlog/org_1/requests/01",
        "a/tlog/org_1/requests/1/",
        "a/tlog/org_1/requests/1\n",
        "a/tlog/org_1/anchor/1",
        "a/tlog/org_1/other/1",
        "a/tlog/requests/1",
        "A/tlog/org_1/requests/1",
        "a b/tlog/org_1/requests/1",
        "a+b/tlog/org_1/requests/1",
        "/tlog/org_1/requests/1",
        "a/org_1/requests/1",
        "é/tlog/org_1/requests/1",
        "a" * 240 + "/tlog/org_1/requests/1",
    ],
)
def test_other_texts_are_no_origins(text: str) -> None:
    """A name with other characters, parts or length would not be one to sign under."""
    with pytest.raises(InvalidOrigin):
        parse_origin(text)


@pytest.mark.parametrize(
    "origin",
    [
        Origin("a/tlog/x", "org_1", "requests"),
        Origin("a", "org_1/requests/1", "admin"),
        Origin("a", "", "requests"),
        Origin("a", "org_1", "requests", 0),
        Origin("a", "", "x/admin"),
    ],
)
def test_parts_that_could_be_taken_for_others_are_refused(origin: Origin) -> None:
    """No part can hold a slash and so shift the meaning of the next."""
    with pytest.raises(InvalidOrigin):
        origin.checked()


@given(st.text(alphabet="a/tlog1requsdmin_", max_size=30))
def test_hostile_text_raises_only_our_error(text: str) -> None:
    """Whatever is read writes the same text again."""
    try:
        assert str(parse_origin(text)) == text
    except InvalidOrigin:
        assert text is not None
