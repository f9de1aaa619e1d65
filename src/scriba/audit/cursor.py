"""Where a list goes on, as a text that its reader keeps and hands back.

A cursor fits the filters and the order that it was made for, and nothing else: with others it would leave out or repeat
entries without anybody noticing.
"""

from __future__ import annotations

import base64
import zlib
from hashlib import sha256
from struct import Struct
from struct import error as StructError  # noqa: N812 - a class, whatever its name looks like
from typing import TYPE_CHECKING, Final

import msgspec

from scriba.audit.entry import Position
from scriba.domain.record import LOGS
from scriba.errors import InvalidInput

if TYPE_CHECKING:
    from scriba.domain.filter import Filters
    from scriba.domain.window import Order

__all__ = ["decode_cursor", "encode_cursor"]

_VERSION: Final = 1
# Version, order, log, timestamp, seq, fingerprint of the filters; then the CRC-32 of all that.
_FIELDS: Final = Struct(">BBBqq8s")
_CHECKED: Final = Struct(f">{_FIELDS.size}sL")
_ORDERS: Final = ("desc", "asc")


def encode_cursor(position: Position, filters: Filters, order: Order) -> str:
    """Return the cursor of a list that goes on after a position."""
    log = LOGS.index(position.log)
    fields = _FIELDS.pack(_VERSION, _ORDERS.index(order), log, position.timestamp, position.seq, _fingerprint(filters))
    return base64.urlsafe_b64encode(_CHECKED.pack(fields, zlib.crc32(fields))).rstrip(b"=").decode()


def decode_cursor(text: str, filters: Filters, order: Order) -> Position:
    """Return the position that a cursor stands for.

    :raises InvalidInput: it is not ours, or was made for other filters or another order
    """
    fields = _fields(text)
    if fields is None:
        raise InvalidInput(
            "cursor must be the `nextCursor` of an earlier answer, whole and unchanged.",
            param="cursor",
            hint="Leave it out to begin anew.",
        )
    _, its_order, log, timestamp, seq, fingerprint = _FIELDS.unpack(fields)
    if _ORDERS[its_order] != order or fingerprint != _fingerprint(filters):
        raise InvalidInput(
            "cursor belongs to a list with other filters or another order.",
            param="cursor",
            hint="Repeat the filters and the order of the first page, or leave it out to begin anew.",
        )
    return Position(timestamp, LOGS[log], seq)


def _fields(text: str) -> bytes | None:
    """Return the fields of a cursor; None if nobody can have made it here."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        fields, checksum = _CHECKED.unpack(data)
    except (ValueError, StructError):  # of Base64, and of another length
        return None
    return fields if zlib.crc32(fields) == checksum and fields[0] == _VERSION else None


def _fingerprint(filters: Filters) -> bytes:
    """Return eight bytes that tell filters apart, whatever the order of their values."""
    asked = {name: value for name, value in msgspec.structs.asdict(filters).items() if value not in ((), None)}
    plain = {name: sorted(value) if isinstance(value, tuple) else value for name, value in asked.items()}
    return sha256(msgspec.json.encode(plain, order="sorted")).digest()[:8]
