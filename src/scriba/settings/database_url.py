"""What a database URL says, as far as settings depend on it; its form is that of SQLAlchemy's URLs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote_plus

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["complaint", "has_password", "shown", "sqlite_url"]

_PASSWORD: Final = re.compile(r"(?<=://)([^:/@]*):[^@]+@(?:[^@/?]*@)*")
"""Whatever stands between the user and the last @ before the host, which may be a slash that was not quoted."""

_PASSWORD_NAMES: Final = frozenset({"password", "sslpassword"})
"""The parameters of libpq that are passwords."""

_PREFIXES: Final = ("sqlite:///", "postgresql://", "postgresql+psycopg://")


def sqlite_url(path: Path) -> str:
    """Return the URL of a SQLite file, whatever characters its path has."""
    return f"sqlite:///{quote(path.as_posix(), safe='/:')}"


def complaint(url: str) -> str:
    """Return what is wrong with a URL, to complete the sentence "It …"; empty if Scriba may try it."""
    if not url.startswith(_PREFIXES):
        return "must begin with sqlite:/// or postgresql://"
    path = url.removeprefix("sqlite:///")
    if path in {"", ":memory:"}:
        return "names no file, and a database in memory would forget the log: write sqlite:///path/to/scriba.db"
    if path != url and "?" in path:
        return "must be sqlite:/// and a path alone; a question mark in the path is written %3F"
    return ""


def has_password(url: str) -> bool:
    """Whether a URL holds a password, before its host or among its parameters."""
    return shown(url) != url


def shown(url: str) -> str:
    """Return a URL without its passwords."""
    base, mark, query = _PASSWORD.sub(r"\1:***@", url).partition("?")
    return base + mark + "&".join(map(_parameter_shown, query.split("&")))


def _parameter_shown(parameter: str) -> str:
    name, _, value = parameter.partition("=")
    return f"{name}=***" if value and unquote_plus(name).lower() in _PASSWORD_NAMES else parameter
