"""Query strings: each route names its parameters, and another one is an error.

The models say which names there are. Their values stay text and are read by the parsers of `scriba.domain`, which the
command line shares.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias
from urllib.parse import unquote_to_bytes

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field

from scriba.domain.filter import FILTER_NAMES, Filters, parse_filters
from scriba.domain.window import DEFAULT_LIMIT, MAX_LIMIT, parse_limit, parse_offset
from scriba.errors import InvalidInput

__all__ = ["FORMATS", "AuditLogQuery", "NoQuery", "WindowQuery", "check_encoding"]

FORMATS: Final = ("csv", "json")
"""What entries can be exported as."""

_Texts: TypeAlias = list[str]


def check_encoding(request: Request) -> None:
    """Refuse a query string that is not UTF-8: what it asks for would be guessed.

    :raises InvalidInput: naming the parameter
    """
    query: bytes = request.scope["query_string"]
    for part in query.split(b"&"):
        try:
            unquote_to_bytes(part).decode()
        except UnicodeDecodeError:
            name = part.partition(b"=")[0].decode("ascii", "replace")
            raise InvalidInput(f"The parameter {name} is not UTF-8.", param=name) from None


class _NoQuery(BaseModel):
    """No parameters at all."""

    model_config = ConfigDict(extra="forbid")


class _WindowQuery(_NoQuery):
    """Which part of a list is wanted."""

    limit: _Texts = Field([], description=f"How many, 1 to {MAX_LIMIT}. Default: {DEFAULT_LIMIT}.")
    offset: _Texts = Field([], description="How many to pass over first. Default: 0.")

    def limit_given(self) -> int | None:
        """Read `limit`; None if it was not given.

        :raises InvalidInput: if it is not one whole number in its range
        """
        return parse_limit(self.limit)

    def offset_given(self) -> int:
        """Read `offset`.

        :raises InvalidInput: if it is not one whole number in its range
        """
        return parse_offset(self.offset)


class _AuditLogQuery(_WindowQuery):
    """Which entries are wanted, and how."""

    policy_id: _Texts = Field([], alias="policyId", description="The policy that was applied.")
    provider: _Texts = Field(
        [], description="The provider that served the request, or was asked for if it was refused."
    )
    model: _Texts = Field([], description="The model that was asked for; `*` stands for any characters.")
    allowed: _Texts = Field([], description="`true` or `false`.")
    enforcement: _Texts = Field([], description="`hard_block`, `soft_block` or `warn`.")
    start_date: _Texts = Field([], alias="startDate", description="From this UTC day, or this moment, on.")
    end_date: _Texts = Field([], alias="endDate", description="To the end of this UTC day, or before this moment.")
    format: _Texts = Field([], description="`csv` or `json`: a file, with every entry unless a limit is given.")

    def filters(self) -> Filters:
        """Read the filters.

        :raises InvalidInput: naming the parameter and what it allows
        """
        given: dict[str, list[str]] = self.model_dump(by_alias=True, include=_FILTER_FIELDS)
        return parse_filters({name: texts for name, texts in given.items() if texts})

    def format_given(self) -> str | None:
        """Read `format`; None if it was not given.

        :raises InvalidInput: if it is not one known format
        """
        if not self.format:
            return None
        if len(self.format) > 1 or self.format[0] not in FORMATS:
            said = ", ".join(map(repr, self.format))
            raise InvalidInput(f"format must be {' or '.join(FORMATS)}, not {said}.", param="format")
        return self.format[0]


_FILTER_FIELDS: Final = {
    name for name, field in _AuditLogQuery.model_fields.items() if (field.alias or name) in FILTER_NAMES
}

NoQuery: TypeAlias = Annotated[_NoQuery, Query()]
WindowQuery: TypeAlias = Annotated[_WindowQuery, Query()]
AuditLogQuery: TypeAlias = Annotated[_AuditLogQuery, Query()]
