"""The filters as options of a command: one for each of `scriba.domain.filter.FILTERS`, called as over HTTP."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from scriba.domain.filter import FILTERS
from scriba.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["as_options", "filter_options", "given_filters"]

_CommandT = TypeVar("_CommandT", bound="Callable[..., Any]")
_CAPITAL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NAME: Final = re.compile(rf"(?<!['\w-])({'|'.join(form.name for form in FILTERS)})\b")


def filter_options(command: _CommandT) -> _CommandT:
    """Give a command an option for each filter; it gets their values as tuples of texts."""
    for form in reversed(FILTERS):
        kind = click.Choice(form.choices) if form.choices and form.name != "policySlot" else None
        value = None if kind else form.value
        option = click.option(_option(form.name), multiple=True, type=kind, metavar=value, help=form.meaning)
        command = option(command)
    return command


def given_filters(options: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return what was given, under the names of the HTTP API."""
    return {_camel(name): values for name, values in options.items() if values}


@contextmanager
def as_options() -> Iterator[None]:
    """Tell who mistypes a filter of the option instead of the parameter."""
    try:
        yield
    except RequestError as error:
        if error.param and error.message.startswith(error.param):
            error.message = _option(error.param) + error.message.removeprefix(error.param)
        error.message = _NAME.sub(lambda found: _option(found[0]), error.message)
        error.param = _option(error.param) if error.param else None
        raise


def _option(name: str) -> str:
    return "--" + _CAPITAL.sub("-", name).lower()


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)
