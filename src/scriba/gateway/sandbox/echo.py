"""What the sandbox says, whatever the dialect."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FINGERPRINT", "PREFACE", "Content", "Echo", "Part", "Positive", "Refusal", "text_of"]

FINGERPRINT: Final = "scriba-sandbox"
"""Stands as `system_fingerprint` in every answer."""

PREFACE: Final = "This is the sandbox of Scriba; no provider was asked. You said:"

Positive = Annotated[int, msgspec.Meta(ge=1)]

_WORD: Final = re.compile(r"\s*\S+")


class Refusal(Exception):
    """A request that the sandbox understands and cannot serve."""


class Part(msgspec.Struct):
    """One part of what was said. Parts that hold no text say nothing here."""

    type: str
    text: str | None = None


Content = str | list[Part] | None
"""What was said, at once or in parts."""


def text_of(content: Content) -> str:
    """Return the text of it."""
    if isinstance(content, list):
        return " ".join(part.text for part in content if part.text)
    return content or ""


class Echo:
    """An answer.

    :param said: everything that was said
    :param last: what is repeated
    :param limit: words at most
    :ivar words: the answer; each but the first begins with the space before it
    :ivar is_cut: whether the limit took something off
    :ivar read: tokens that went in
    :ivar written: tokens that came out
    """

    def __init__(self, said: Sequence[str], last: str, limit: int | None) -> None:
        words: list[str] = _WORD.findall(f"{PREFACE} {last}")
        self.words = words[:limit]
        self.is_cut = len(self.words) < len(words)
        self.read = sum(len(text.split()) for text in said)
        self.written = len(self.words)

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(self.words)
