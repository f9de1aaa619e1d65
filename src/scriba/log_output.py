"""The lines on standard error: one form for whatever has something to say, each with the request that it belongs to.

Not to be taken for the logs of decisions. No line holds a key: what looks like one is covered, whoever wrote it.
"""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.stdlib import ProcessorFormatter

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

__all__ = ["REQUEST_ID", "Format", "Level", "covered", "pass_over_cuts", "set_up"]

Format: TypeAlias = Literal["text", "json"]
Level: TypeAlias = Literal["debug", "info", "warning", "error"]

REQUEST_ID: Final[ContextVar[str]] = ContextVar("request_id", default="")
"""The request that is being answered; empty outside of one. Threads that work for a request inherit it."""

_SECRET: Final = re.compile(r"\b(sk_|sk-|whsec_|scriba_session=)[A-Za-z0-9_\-./+=]{6,}|\b(Bearer|Basic)\s+[^\s\"',}]+")
_EXTRA: Final = ("duration_ms", "method", "path", "request_id", "status")
"""What a line may say beside its message: named here, so that nothing else comes along."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_QUIET: Final = ("aiohttp", "alembic", "asyncio", "sqlalchemy", "uvicorn")
"""Libraries: of what they say, only warnings are for an operator."""


def set_up(form: Format, level: Level) -> None:
    """Write whatever this process has to say to standard error, in this form, from this level on. Safe to repeat."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(form))
    root = logging.getLogger()
    for before in [one for one in root.handlers if isinstance(one.formatter, ProcessorFormatter)]:
        root.removeHandler(before)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]))
    logging.captureWarnings(capture=True)


class _NoPurposefulCuts(logging.Filter):
    """Drops what uvicorn says where we break an answer off on purpose, as if that were an error of ours.

    An answer that a provider did not end stays without its end, which the gateway has warned of in its own words; and
    at the end of the time for draining each open call is cancelled, of which uvicorn has told the number.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        is_cancelled = record.msg == "Exception in ASGI application\n" and isinstance(error, asyncio.CancelledError)
        return not is_cancelled and record.msg != "ASGI callable returned without completing response."


_NO_CUTS: Final = _NoPurposefulCuts()


def pass_over_cuts() -> None:
    """Leave out what only looks like an error of the server. Safe to repeat."""
    logging.getLogger("uvicorn.error").addFilter(_NO_CUTS)


def covered(text: str) -> str:
    """Return a text with whatever looks like a key or a token covered."""
    return _SECRET.sub(lambda match: f"{match[1] or match[2]}…", text)


def _formatter(form: Format) -> ProcessorFormatter:
    shared: list[Processor] = [
        structlog.stdlib.ExtraAdder(allow=_EXTRA),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_request,
        structlog.processors.format_exc_info,
    ]
    last: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if form == "json"
        else ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0, exception_formatter=plain_traceback)
    )
    return ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[ProcessorFormatter.remove_processors_meta, _cover, *([_one_line] if form == "text" else []), last],
    )


def _add_request(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if request_id := REQUEST_ID.get():
        event.setdefault("request_id", request_id)
    return event


def _cover(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {name: covered(value) if isinstance(value, str) else value for name, value in event.items()}


def _one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Write control characters out: a caller's words must not look like lines of ours. A traceback keeps its lines."""
    for name, value in event.items():
        if isinstance(value, str) and name != "exception":
            event[name] = _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), value)
    return event
