"""What a logger says while a test runs, where its records do not reach the root."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["heard"]


class _Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message, and the traceback with it."""
        self.messages.append(self.format(record))


@contextmanager
def heard(name: str) -> Iterator[list[str]]:
    """Listen to a logger; the list grows while the block runs."""
    logger, listener = logging.getLogger(name), _Listener()
    logger.addHandler(listener)
    try:
        yield listener.messages
    finally:
        logger.removeHandler(listener)
