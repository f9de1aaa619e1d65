"""The text form of API keys: `sk_scriba_`, 256 random bits, and a checksum that secret scanners can test."""

from __future__ import annotations

import base64
import hashlib
import secrets
import zlib
from typing import Final

__all__ = ["KEY_PREFIX", "is_api_key", "key_digest", "mint_api_key"]

KEY_PREFIX: Final = "sk_scriba_"
_SECRET_BYTES: Final = 32
_CHECK_CHARACTERS: Final = 6


def mint_api_key() -> str:
    """Make a new key: 52 lower-case base32 characters and the first 6 of its CRC-32."""
    secret = _base32(secrets.token_bytes(_SECRET_BYTES))
    return f"{KEY_PREFIX}{secret}{_checksum(secret)}"


def is_api_key(text: str) -> bool:
    """Whether a text has the form and the checksum of a key; it says nothing about whether the key exists."""
    if not text.startswith(KEY_PREFIX):
        return False
    body = text[len(KEY_PREFIX) :]
    return len(body) == 52 + _CHECK_CHARACTERS and _checksum(body[:52]) == body[52:]


def key_digest(key: str) -> bytes:
    """Return what is stored of a key: the SHA-256 of the whole string. 256 random bits need no slow hash."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _checksum(secret: str) -> str:
    return _base32(zlib.crc32(secret.encode("utf-8", "surrogateescape")).to_bytes(4, "big"))[:_CHECK_CHARACTERS]


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()
