"""The headers that a receiver verifies a message by (Standard Webhooks 1.0), under both of their names."""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING, Final

from scriba.delivery.secret import decode_secret

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["REPLAY_HEADER", "sign", "signed_headers"]

REPLAY_HEADER: Final = "webhook-replay"
"""Tells an event that was sent again on request from one that is sent by itself."""

_PREFIXES: Final = ("", "case-")


def sign(secrets: Iterable[str], event_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of the signature header: one signature for each secret."""
    message = b".".join((event_id.encode(), str(timestamp).encode(), body))
    digests = (hmac.digest(decode_secret(secret), message, "sha256") for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def signed_headers(
    secrets: Iterable[str], event_id: str, timestamp: int, body: bytes, *, replay: bool = False
) -> dict[str, str]:
    """Return all headers of one attempt but those that HTTP itself needs.

    :param timestamp: of this attempt, in seconds since 1970
    """
    values = {"id": event_id, "timestamp": str(timestamp), "signature": sign(secrets, event_id, timestamp, body)}
    headers = {f"{prefix}webhook-{name}": value for prefix in _PREFIXES for name, value in values.items()}
    marker = {REPLAY_HEADER: "true"} if replay else {}
    return {"content-type": "application/json", **headers, **marker}
