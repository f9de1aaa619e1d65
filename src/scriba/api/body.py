"""The JSON body of a request, read strictly.

What two readers could read differently is refused: a name that occurs twice, half of a surrogate pair, a control
character, NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, NamedTuple, TypeAlias

from fastapi import Depends, Request

from scriba.api.access import services_of
from scriba.domain.filter import check_text
from scriba.domain.strict_json import load_json
from scriba.errors import BodyTooLarge, InvalidInput, UnsupportedMedia

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_BYTES", "JsonBody", "RawJson", "media_type", "parse_json", "read_body"]

MAX_BYTES: Final = 256 * 1024
"""The largest body: room for a policy with thousands of names. Only what the gateway passes on grows beyond."""

_JSON: Final = frozenset({"application/json", "application/merge-patch+json"})


async def read_body(request: Request, limit: int, kinds: frozenset[str] = _JSON) -> bytes:
    """Read the body, as far as the limit.

    :param limit: bytes; the setting `max_body_bytes` counts if it is lower
    :param kinds: the media types that are read
    :raises BodyTooLarge: it is larger
    :raises UnsupportedMedia: it is compressed, or declared as something else
    """
    _check_media(request, kinds)
    limit = min(limit, services_of(request).settings.max_body_bytes)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


async def _read_json_body(request: Request) -> bytes:
    return await read_body(request, MAX_BYTES)


RawJson: TypeAlias = Annotated[bytes, Depends(_read_json_body)]
"""The bytes of a request's JSON body. It is read once, also where a route takes `JsonBody` as well."""


def _read_json(raw: RawJson) -> object:
    """Parse the body; not on the event loop, since it may be large."""
    return parse_json(raw)


JsonBody: TypeAlias = Annotated[object, Depends(_read_json)]
"""The parsed body of a request."""


def parse_json(raw: bytes) -> object:
    """Parse a JSON document.

    :raises InvalidInput: naming the field if one is at fault, else `body`
    """
    if not raw.strip():
        raise InvalidInput("The request body is empty; a JSON object is expected.", param="body")
    document = load_json(raw)
    for where, text in _texts(document):
        if not text.isprintable():  # true of every text that nothing is wrong with, but for a few rare characters
            check_text(text, _path(where))
    return document


class _Place(NamedTuple):
    """Where a value stands: its name or index, and the place of what it is in. Written out only where it is told."""

    key: str | int
    within: _Place | None


def _path(place: _Place | None) -> str:
    """Write a place as a path."""
    parts: list[str] = []
    while place is not None:
        key, place = place
        parts.append(f"[{key}]" if isinstance(key, int) else f".{key}" if place else key)
    return "".join(reversed(parts)) or "body"


def _texts(document: object) -> Iterator[tuple[_Place | None, str]]:
    """Yield every text with its place. Names are texts too, at the place of the object that they are in."""
    waiting: list[tuple[_Place | None, object]] = [(None, document)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, str):
            yield place, value
        elif isinstance(value, list):
            waiting.extend((_Place(index, place), inner) for index, inner in enumerate(value))
        elif isinstance(value, dict):
            for name, inner in value.items():
                yield place, name
                waiting.append((_Place(name, place), inner))


def _check_media(request: Request, kinds: frozenset[str]) -> None:
    if request.headers.get("content-encoding", "identity").lower() not in {"", "identity"}:
        raise UnsupportedMedia("A compressed request body is not read here; send it plain.", param="content-encoding")
    if media_type(request) not in kinds:
        if kinds is _JSON:
            message = "The request body must be JSON; send Content-Type: application/json."
        else:
            message = f"The request body must be of one of these types: {', '.join(sorted(kinds))}."
        raise UnsupportedMedia(message, param="content-type")


def media_type(request: Request) -> str:
    """Return the declared media type of the body in lower case, without its parameters; JSON if none is declared."""
    kind, _, _ = request.headers.get("content-type", "application/json").partition(";")
    return kind.strip().lower()


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"The request body has more than {limit} bytes.", param="body")
