"""Text from outside, made safe to look at.

Escaping keeps it from becoming markup. That is not enough for a log: a model named with a zero-width space looks
like the real one, and a right-to-left override turns around what stands beside it. Characters that show nothing or
act on their neighbours are therefore shown by number.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from markupsafe import Markup, escape

__all__ = ["plain", "reveal"]

# Letters and symbols by category, but blank on every screen: Hangul fillers and the empty Braille pattern.
_BLANK: Final = "\u115f\u1160\u2800\u3164\uffa0"
_SUSPECT: Final = re.compile(r"[^\x20-\x7e]")
_CODEPOINT: Final = Markup('<span class="codepoint" title="{}">U+{:04X}</span>')


def reveal(text: str) -> Markup:
    """Escape a text and show its invisible characters as `U+200B`, their names as title. Line feeds stay."""
    # Safe: escaped first, and what replaces a character is made of its number and its name in Unicode.
    return Markup(_SUSPECT.sub(lambda match: _shown(match[0]), str(escape(text))))  # noqa: S704  # escaped first


def plain(text: str) -> str:
    """Return a text with the numbers of its invisible characters, for where no markup can stand: a page's title."""
    return _SUSPECT.sub(lambda match: match[0] if _is_plain(match[0]) else f"U+{ord(match[0]):04X}", text)


def _is_plain(character: str) -> bool:
    return character == "\n" or (character.isprintable() and character not in _BLANK)


def _shown(character: str) -> str:
    if _is_plain(character):
        return character
    return _CODEPOINT.format(unicodedata.name(character, "no name").lower(), ord(character))
