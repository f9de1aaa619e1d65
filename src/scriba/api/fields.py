"""The members of a JSON object in a request body; one that is not known is refused, so that no slip is passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scriba.domain.nearest import did_you_mean
from scriba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["read_fields"]

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
