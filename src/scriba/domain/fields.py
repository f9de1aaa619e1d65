"""The members of a JSON object that a client sent; one that is not known is refused, so that no slip is passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scriba.domain.nearest import did_you_mean
from scriba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["read_fields", "required_text", "text_or_none"]

_SHOWN: Final = 100


def read_fields(body: object, names: Sequence[str]) -> Mapping[str, Any]:
    """Return the members of an object with no other names than these.

    :raises InvalidInput: it is no object, or has another member
    """
    if not isinstance(body, dict):
        raise InvalidInput("The request body must be a JSON object.", param="body")
    unknown = next((name for name in body if name not in names), None)
    if unknown is not None:
        shown = unknown[:_SHOWN]
        raise InvalidInput(f"There is no field {shown!r} here.", param=shown, hint=did_you_mean(unknown, names))
    return body


def required_text(fields: Mapping[str, Any], name: str) -> str:
    """Return a member that has to be there.

    :raises InvalidInput: it is not, or is empty or no text
    """
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidInput(f"{name} is required, as text.", param=name)
    return value


def text_or_none(fields: Mapping[str, Any], name: str) -> str | None:
    """Return a member that may be missing or null.

    :raises InvalidInput: it is something else than text
    """
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidInput(f"{name} must be text.", param=name)
    return value
