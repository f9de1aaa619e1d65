"""Signing secrets, as in Standard Webhooks: `whsec_` and Base64 of 24 to 64 bytes.

What libraries of different languages would decode to different keys is refused when it is given, so that signing
never fails and every receiver can verify (https://github.com/standard-webhooks/standard-webhooks, spec).
"""

from __future__ import annotations

import base64
import os
import re
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from scriba.errors import IntegrityError, InvalidInput

if TYPE_CHECKING:
    from scriba.domain.secret import Secret

__all__ = ["PURPOSE", "WEAK", "KeptSecret", "SecretBox", "check_secret", "decode_secret", "generate_secret", "is_weak"]

PURPOSE: Final = "webhooks"
"""What the shared key of the keyring is for that secrets are encrypted with."""

WEAK: Final = "weak_secret"
"""The warning about a secret that is shorter than the standard asks for."""

_PREFIX: Final = "whsec_"
_FRESH_BYTES: Final = 32
_STRONG_BYTES: Final = 24
_MAX_BYTES: Final = 64
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?", re.ASCII)
_RULE: Final = "It is whsec_ and 24 to 64 random bytes in standard Base64; leave it out to have one made."
_NONCE: Final = 12


class KeptSecret(msgspec.Struct, frozen=True):
    """A secret and until when it signs, in microseconds; None for the current one."""

    text: str
    until: int | None = None

    def __repr__(self) -> str:
        return f"KeptSecret(***, until={self.until})"


def generate_secret() -> str:
    """Make a new secret."""
    return _PREFIX + base64.b64encode(os.urandom(_FRESH_BYTES)).decode()


def decode_secret(text: str) -> bytes:
    """Return the key that a secret stands for; the prefix may be missing, and so may the padding.

    :raises ValueError: it is none, or stands for more than 64 bytes
    """
    bare = text.removeprefix(_PREFIX)
    if not bare or _BASE64.fullmatch(bare) is None:
        raise ValueError("not standard Base64")
    key = base64.b64decode(bare.rstrip("=") + "=" * (-len(bare.rstrip("=")) % 4))
    if len(key) > _MAX_BYTES:
        raise ValueError(f"more than {_MAX_BYTES} bytes")
    return key


def is_weak(text: str) -> bool:
    """Whether a secret has fewer bytes than the standard asks for."""
    return len(decode_secret(text)) < _STRONG_BYTES


def check_secret(text: str, param: str, *, strong: bool) -> None:
    """Check a secret that a client chose.

    :param strong: whether a short one is refused, too
    :raises InvalidInput: naming `param` and the rule
    """
    try:
        weak = is_weak(text)
    except ValueError as error:
        raise InvalidInput(f"{param} is no signing secret: {error}.", param=param, hint=_RULE) from None
    if weak and strong:
        raise InvalidInput(f"{param} has fewer than {_STRONG_BYTES} bytes.", param=param, hint=_RULE)


class SecretBox:
    """Encrypts the secrets of endpoints for the database (AES-256-GCM).

    :param key: 32 bytes that every process of the deployment has
    """

    def __init__(self, key: Secret[bytes]) -> None:
        self._key = key

    def seal(self, endpoint_id: str, secrets: tuple[KeptSecret, ...]) -> bytes:
        """Encrypt the secrets of an endpoint; they can be opened for this endpoint alone."""
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self._key.reveal()).encrypt(nonce, msgspec.json.encode(secrets), endpoint_id.encode())

    def open(self, endpoint_id: str, sealed: bytes) -> tuple[KeptSecret, ...]:
        """Decrypt what `seal` made.

        :raises IntegrityError: it was changed, or is not of this deployment
        """
        try:
            plain = AESGCM(self._key.reveal()).decrypt(sealed[:_NONCE], sealed[_NONCE:], endpoint_id.encode())
        except (InvalidTag, ValueError) as error:
            raise IntegrityError(f"The signing secrets of {endpoint_id} were changed.") from error
        return msgspec.json.decode(plain, type=tuple[KeptSecret, ...])
