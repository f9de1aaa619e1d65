"""What a route says of its answers and its body in the OpenAPI document.

Answers are written by the rooms that know them, as bytes; nothing here stands in their way. The schemas are made of
the very structs that are written, or of those in `scriba.api.shapes` where an answer is put together by hand.
"""

from __future__ import annotations

from http import HTTPStatus
from types import UnionType
from typing import TYPE_CHECKING, Any, Final, get_args

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["REFERENCE", "accepts", "answers", "empty", "problems"]

REFERENCE: Final = "#/components/schemas/{name}"
_JSON: Final = "application/json"
_TEXT: Final[dict[str, Any]] = {"schema": {"type": "string"}}


def answers(
    kind: object, says: str, *, status: int = HTTPStatus.OK, also: Sequence[str] = ()
) -> dict[int | str, dict[str, Any]]:
    """Describe the answer of a route that works; give it to the route as `responses`.

    Errors need no description: those that a route can have follow from its access, its path and its method.

    :param kind: the type of the JSON in the answer; None if no JSON is answered
    :param says: what is answered, as a sentence
    :param also: further media types of the same answer, which are text
    """
    content = {} if kind is None else {_JSON: {"schema": _schema(kind)}}
    return {int(status): {"description": says, "content": {**content, **dict.fromkeys(also, _TEXT)}}}


def empty(says: str) -> dict[int | str, dict[str, Any]]:
    """Describe an answer without a body (204)."""
    return {int(HTTPStatus.NO_CONTENT): {"description": says}}


def problems(says: str, *statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe further errors, beside those that follow by themselves; merge it into `responses` with `|`."""
    return {int(status): {"description": says} for status in statuses}


def accepts(kind: object, *, also: Sequence[str] = (), required: bool = True) -> dict[str, Any]:
    """Describe the body that a route reads; give it to the route as `openapi_extra`.

    :param kind: the type of the JSON
    :param also: further media types that are read, which are text
    """
    content = {_JSON: {"schema": _schema(kind)}, **dict.fromkeys(also, _TEXT)}
    return {"requestBody": {"required": required, "content": content}}


def _schema(kind: object) -> dict[str, Any]:
    """Return the schema with all that it refers to in `$defs`, from where the document collects them."""
    if isinstance(kind, UnionType):
        return {"anyOf": [_schema(one) for one in get_args(kind)]}
    return msgspec.json.schema(kind, ref_template=REFERENCE)
