"""Members of JSON objects that clients send."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scriba.domain.fields import read_fields, required_text, text_or_none
from scriba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable


def test_what_is_known_is_read() -> None:
    """Promise: text comes as it was sent, and what may be missing may also be null."""
    fields = read_fields({"name": " é ", "reason": None}, ("name", "reason", "date"))
    assert required_text(fields, "name") == " é "
    assert (text_or_none(fields, "name"), text_or_none(fields, "reason"), text_or_none(fields, "date")) == (
        " é ",
        None,
        None,
    )


@pytest.mark.parametrize(
    ("read", "param"),
    [
        (lambda: read_fields([], ("name",)), "body"),
        (lambda: read_fields({"x" * 200: 1}, ("name",)), "x" * 100),
        (lambda: required_text({}, "name"), "name"),
        (lambda: required_text({"name": ""}, "name"), "name"),
        (lambda: required_text({"name": 4}, "name"), "name"),
        (lambda: text_or_none({"name": 4}, "name"), "name"),
    ],
)
def test_what_is_wrong_is_named(read: Callable[[], object], param: str) -> None:
    """Promise: bad input names the field, however long its name."""
    with pytest.raises(InvalidInput) as caught:
        read()
    assert caught.value.param == param


def test_a_slip_is_told_the_right_name() -> None:
    """Promise: a field that does not exist is refused with the nearest one that does."""
    with pytest.raises(InvalidInput) as caught:
        read_fields({"nam": "x"}, ("name", "reason"))
    assert "name" in str(caught.value.hint)
