"""Signed notes and checkpoints (https://c2sp.org/signed-note, https://c2sp.org/tlog-checkpoint).

A note is a text and lines of signatures below it. Only Ed25519 (type 01) is signed and verified here;
lines of keys that are not asked about are ignored, so that further signature types can be added at any time.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Checkpoint",
    "InvalidNote",
    "Note",
    "Signature",
    "Signer",
    "Verifier",
    "decode_base64",
    "encode_base64",
    "open_note",
    "parse_checkpoint",
    "parse_note",
    "parse_vkey",
    "sign_note",
]

MAX_NOTE: Final = 1_000_000
"""Bytes of the longest note that is read."""

MAX_SIGNATURES: Final = 100
"""Lines of signatures that are read; the specification asks for 16 at least."""

_ED25519: Final = b"\x01"
_KEY_ID_SIZE: Final = 4
_SIGNATURE_SIZE: Final = 64
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_CONTROL: Final = re.compile("[\x00-\x09\x0b-\x1f]")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_ROOT_SIZE: Final = 32
_DASH: Final = "\N{EM DASH} "


class InvalidNote(ValueError):
    """Not a note, key or checkpoint of the specified form, or a signature that does not verify."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line; `value` is what the key made, without the key id in front."""

    name: str
    key_id: bytes
    value: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {encode_base64(self.key_id + self.value)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A note as it was read. Its text means nothing before a signature was verified: see `open_note`."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return self.text + "\n" + "".join(map(str, self.signatures))


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key and the name it signs under."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """Four bytes that, with the name, say which key made a signature."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public_key).digest()[:_KEY_ID_SIZE]

    @property
    def vkey(self) -> str:
        """The key as text, `<name>+<key id>+<base64>`."""
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(_ED25519 + self.public_key)}"

    def verify(self, text: str, signature: bytes) -> None:
        """Check the signature of a text.

        :raises InvalidNote: if this key did not make it
        """
        # RFC 8032, 5.1.7: S must be below the order of the group, or each signature would have a second form.
        if len(signature) != _SIGNATURE_SIZE or int.from_bytes(signature[32:], "little") >= _ORDER:
            raise InvalidNote(f"a signature of {self.name} is malformed")
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text.encode())
        except (InvalidSignature, ValueError) as error:
            raise InvalidNote(f"a signature of {self.name} does not verify") from error


class Signer:
    """A private key and the name it signs under. The key never shows in `repr`."""

    __slots__ = ("_key", "_key_id", "verifier")

    def __init__(self, name: str, seed: bytes) -> None:
        _check_name(name)
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier: Final = Verifier(name, self._key.public_key().public_bytes_raw())
        self._key_id = self.verifier.key_id

    def __repr__(self) -> str:
        return f"Signer({self.verifier.name!r})"

    def sign(self, text: str) -> Signature:
        """Sign a text."""
        return Signature(self.verifier.name, self._key_id, self._key.sign(text.encode()))


def sign_note(text: str, signers: Iterable[Signer]) -> str:
    """Write a note under one or more signatures.

    :raises InvalidNote: if the text does not end in a newline or holds control characters
    """
    note = Note(text, tuple(signer.sign(text) for signer in signers))
    if not text.endswith("\n") or _CONTROL.search(text) or not note.signatures:
        raise InvalidNote("a note needs a signature, and a text that ends in a newline, without control characters")
    return str(note)


def open_note(data: bytes, verifiers: Iterable[Verifier]) -> Note:
    """Read a note and verify every signature of a known key; only verified signatures remain in the answer.

    :raises InvalidNote: if it is malformed, no known key signed it, or the signature of one does not verify
    """
    note = parse_note(data)
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    verified = []
    for signature in note.signatures:
        verifier = known.get((signature.name, signature.key_id))
        if verifier is not None:
            verifier.verify(note.text, signature.value)
            verified.append(signature)
    if not verified:
        raise InvalidNote("the note is not signed by a known key")
    return Note(note.text, tuple(verified))


def parse_note(data: bytes) -> Note:
    """Read a note without verifying anything.

    :raises InvalidNote: if it is malformed
    """
    if len(data) > MAX_NOTE:
        raise InvalidNote(f"the note is longer than {MAX_NOTE} bytes")
    try:
        content = data.decode()
    except UnicodeDecodeError as error:
        raise InvalidNote("the note is not UTF-8") from error
    # The text may contain empty lines; the last one ends it.
    text, separator, lines = content.rpartition("\n\n")
    if _CONTROL.search(content) or not separator or not lines.endswith("\n"):
        raise InvalidNote("the note is not a text, an empty line and lines of signatures")
    signatures = lines[:-1].split("\n")
    if len(signatures) > MAX_SIGNATURES:
        raise InvalidNote(f"the note has more than {MAX_SIGNATURES} signatures")
    return Note(text + "\n", tuple(map(_parse_signature, signatures)))


def parse_vkey(text: str) -> Verifier:
    """Read a public key from its text.

    :raises InvalidNote: if it is malformed, not an Ed25519 key, or its id is another one's
    """
    # The base64 part may contain plus signs, the name may not.
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    _check_name(name)
    key = decode_base64(encoded)
    if key[:1] != _ED25519 or len(key) != 33:
        raise InvalidNote(f"the key {name} is not an Ed25519 key")
    verifier = Verifier(name, key[1:])
    if key_id != verifier.key_id.hex():
        raise InvalidNote(f"the key {name} does not have the id {key_id!r}")
    return verifier


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Size and root hash of a log; its text is what a checkpoint note signs."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a checkpoint. Extension lines are refused: ours never have any.

    :raises InvalidNote: if it is malformed
    """
    lines = text.split("\n")
    if len(lines) != 4 or not lines[0] or lines[3]:
        raise InvalidNote("a checkpoint has three lines: origin, size and root")
    origin, size, root = lines[:3]
    if _SIZE.fullmatch(size) is None:
        raise InvalidNote(f"the size of a checkpoint is not {size[:40]!r}")
    checkpoint = Checkpoint(origin, int(size), decode_base64(root))
    if len(checkpoint.root) != _ROOT_SIZE:
        raise InvalidNote("the root of a checkpoint has 32 bytes")
    return checkpoint


def encode_base64(data: bytes) -> str:
    """Encode by RFC 4648, section 4."""
    return base64.b64encode(data).decode()


def decode_base64(text: str) -> bytes:
    """Decode by RFC 4648, section 4, and only what `encode_base64` writes, unused bits included.

    :raises InvalidNote: for anything else
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise InvalidNote(f"{text[:80]!r} is not base64") from error
    if encode_base64(data) != text:
        raise InvalidNote(f"{text[:80]!r} is not canonical base64")
    return data


def _parse_signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH):
        raise InvalidNote("a signature line begins with an em dash and a space")
    _check_name(name)
    blob = decode_base64(encoded)
    if len(blob) <= _KEY_ID_SIZE:
        raise InvalidNote(f"the signature of {name} is too short")
    return Signature(name, blob[:_KEY_ID_SIZE], blob[_KEY_ID_SIZE:])


def _check_name(name: str) -> None:
    if not name or "+" in name or any(character.isspace() for character in name):
        raise InvalidNote(f"{name[:80]!r} is not a key name: no spaces, no plus signs")
