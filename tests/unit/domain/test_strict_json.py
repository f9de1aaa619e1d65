"""What two readers of JSON could read differently is refused."""

from __future__ import annotations

import pytest

from scriba.domain.strict_json import load_json
from scriba.errors import InvalidInput


def test_plain_documents() -> None:
    """Promise: everything that has one meaning is read."""
    assert load_json(b'{"a": [1, null, "\\u00e9"], "b": {"a": true}}') == {"a": [1, None, "é"], "b": {"a": True}}


@pytest.mark.parametrize(
    ("raw", "says", "param"),
    [
        (b'{"a": {"b": 1, "c": 2, "b": 3}}', "'b' occurs more than once in the line", "b"),
        (b'{"\\ud800": 1, "\\ud800": 2}', "'?' occurs more than once", "?"),
        (b"[NaN]", "NaN is not JSON", "x"),
        (b"[-Infinity]", "-Infinity is not JSON", "x"),
        (b"\xff", "is not UTF-8", "x"),
        (b"[1,]", "is not valid JSON", "x"),
        (b"[" * 100_000, "nested too deeply", "x"),
        (b"1" * 5_000, "a number too long", "x"),
    ],
)
def test_what_is_refused(raw: bytes, says: str, param: str) -> None:
    """Promise: the error says what and where."""
    with pytest.raises(InvalidInput) as caught:
        load_json(raw, "The line", "x")
    assert says in caught.value.message
    assert caught.value.param == param


def test_many_names_cost_little() -> None:
    """Promise: a body of nothing but names is read in one pass, also where the last one occurs twice."""
    names = ",".join(f'"{number}":1' for number in range(200_000))
    with pytest.raises(InvalidInput, match="'199999' occurs"):
        load_json(f'{{{names},"199999":2}}'.encode())
