"""What became of a request, as a reader tells it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scriba.audit.entry import Entry

__all__ = ["Verdict", "verdict_of"]


class Verdict(StrEnum):
    """The five ways that a reader tells apart."""

    ALLOWED = "allowed"
    WARNED = "warned"
    REROUTED = "rerouted"
    DEFIED = "defied"
    BLOCKED = "blocked"


def verdict_of(entry: Entry) -> Verdict:
    """Tell what became of a request.

    Reasons beside `allowed` mean that it was let through in spite of them: with a warning, to another provider, or,
    which only another gateway can tell us, although its policy says to refuse.
    """
    if not entry.allowed:
        return Verdict.BLOCKED
    if not entry.violation_reasons:
        return Verdict.ALLOWED
    return {"warn": Verdict.WARNED, "soft_block": Verdict.REROUTED}.get(entry.enforcement, Verdict.DEFIED)
