"""JSON from outside, read strictly: what two readers could read differently is refused."""

from __future__ import annotations

import json
from typing import Final, Never

from scriba.errors import InvalidInput

__all__ = ["load_json"]

_SHOWN: Final = 100


def load_json(raw: bytes | str, what: str = "The request body", param: str | None = "body") -> object:
    """Parse a JSON document in UTF-8. A name that occurs twice and NaN are refused; texts are not looked at.

    :param what: how an error calls the document
    :param param: the field that an error names, where no name inside is at fault
    :raises InvalidInput: saying what is wrong and where
    """
    try:
        text = raw.decode() if isinstance(raw, bytes) else raw
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
    except UnicodeDecodeError:
        raise InvalidInput(f"{what} is not UTF-8.", param=param) from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidInput(f"{what} is not valid JSON: {error.msg} ({place}).", param=param) from None
    except _TwiceError as error:
        name = error.name.encode(errors="replace").decode()[:_SHOWN]
        raise InvalidInput(f"{name!r} occurs more than once in {what[0].lower()}{what[1:]}.", param=name) from None
    except _NoNumberError as error:
        raise InvalidInput(f"{error} is not JSON; a number is written in digits.", param=param) from None
    except (RecursionError, ValueError):
        raise InvalidInput(f"{what} is nested too deeply or has a number too long.", param=param) from None


class _TwiceError(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class _NoNumberError(Exception):
    pass


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _TwiceError(name)
            seen.add(name)
    return members


def _no_number(name: str) -> Never:
    raise _NoNumberError(name)
