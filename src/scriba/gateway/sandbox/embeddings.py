"""Embeddings of the sandbox: vectors that are always the same for the same input, and mean nothing."""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec

from scriba.gateway.configured import SANDBOX_MODEL
from scriba.gateway.sandbox.echo import FINGERPRINT
from scriba.gateway.sandbox.reply import ReadyReply

if TYPE_CHECKING:
    from scriba.gateway.upstream import Reply

__all__ = ["DIMENSIONS", "answer"]

DIMENSIONS: Final = 16
"""Length of a vector if the request does not say."""

_MAX_INPUTS: Final = 2048
"""As many as OpenAI takes."""

_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Token = Annotated[int, msgspec.Meta(ge=0)]
_Tokens = Annotated[list[_Token], msgspec.Meta(min_length=1)]


class _Asked(msgspec.Struct):
    """What the sandbox reads of a request. Clients may send tokens of their own instead of text."""

    input: _Text | Annotated[list[_Text | _Token | _Tokens], msgspec.Meta(min_length=1, max_length=_MAX_INPUTS)]
    dimensions: Annotated[int, msgspec.Meta(ge=1, le=256)] | None = None
    encoding_format: Literal["float", "base64"] | None = None


_ASKED: Final = msgspec.json.Decoder(_Asked)


def answer(body: bytes) -> Reply:
    """Answer a request for embeddings.

    :raises msgspec.DecodeError: it is none
    """
    asked = _ASKED.decode(body)
    inputs = _inputs(asked)
    data = [
        {"object": "embedding", "index": index, "embedding": _embedding(one, asked)} for index, one in enumerate(inputs)
    ]
    read = sum(len(one.split()) if isinstance(one, str) else len(one) for one in inputs)
    document: dict[str, Any] = {
        "object": "list",
        "data": data,
        "model": SANDBOX_MODEL,
        "usage": {"prompt_tokens": read, "total_tokens": read},
        "system_fingerprint": FINGERPRINT,
    }
    return ReadyReply.document(msgspec.json.encode(document))


def _inputs(asked: _Asked) -> list[str | list[int]]:
    if isinstance(asked.input, str):
        return [asked.input]
    tokens = [one for one in asked.input if isinstance(one, int)]
    if len(tokens) == len(asked.input):
        return [tokens]
    return [[one] if isinstance(one, int) else one for one in asked.input]


def _embedding(one: str | list[int], asked: _Asked) -> list[float] | str:
    vector = _vector(msgspec.json.encode(one), asked.dimensions or DIMENSIONS)
    if asked.encoding_format == "base64":
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    return vector


def _vector(text: bytes, dimensions: int) -> list[float]:
    """Return a vector of length 1 that depends on every byte."""
    numbers = struct.unpack(f"<{dimensions}i", hashlib.shake_256(text).digest(4 * dimensions))
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return [number / length for number in numbers]
