"""Taking documents apart: their code blocks and the commands in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

__all__ = ["DOCUMENTS", "README", "ROOT", "code_blocks", "commands_named"]

ROOT: Final = Path(__file__).resolve().parents[2]
README: Final = ROOT / "README.md"
DOCUMENTS: Final = sorted([README, ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])

_BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE: Final = re.compile(r"`([^`\n]+)`")


def code_blocks(document: Path, language: str) -> list[str]:
    """Return the code blocks of a language, in their order."""
    return [code for found, code in _BLOCK.findall(document.read_text(encoding="utf-8")) if found == language]


def commands_named(document: Path, program: str) -> list[str]:
    """Return every call of a program in shell blocks and between backquotes."""
    text = document.read_text(encoding="utf-8")
    lines = [line for block in code_blocks(document, "sh") for line in block.splitlines()]
    said = [*lines, *_INLINE.findall(_BLOCK.sub("", text))]
    return [line for line in said if re.match(rf"(\S*/)?{program} \S", line)]
