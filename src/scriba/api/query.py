"""Query strings: each route names its parameters, and another one is an error.

The models say which names there are. Their values stay text and are read by the parsers of `scriba.domain`, which the
command line shares.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeAlias
from urllib.parse import unquote_to_bytes

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field

from scriba.audit.export import FileFormat, parse_format
from scriba.audit.table import DEFAULT_COLUMNS, OUTCOME_COLUMNS, parse_columns
from scriba.domain.filter import FILTERS, Filters, check_text, parse_filters
from scriba.domain.window import DEFAULT_LIMIT, MAX_LIMIT, Order, Window, parse_limit, parse_offset, parse_order
from scriba.errors import InvalidInput, NotFound

__all__ = [
    "AuditLogQuery",
    "FilterFields",
    "FilterQuery",
    "NoQuery",
    "WindowFields",
    "WindowQuery",
    "check_encoding",
    "check_path",
]

_Texts: TypeAlias = list[str]
_MEANINGS: Final = {form.name: form.meaning for form in FILTERS}


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


def check_path(request: Request) -> None:
    """Find nothing under a name that no id can be: PostgreSQL would not even look for some of them.

    :raises NotFound: a parameter of the path has a control character in it
    """
    for name, text in request.path_params.items():
        try:
            check_text(text, name)
        except InvalidInput:
            raise NotFound(f"There is nothing with the id {text[:100]!r}.", param=name) from None


class _NoQuery(BaseModel):
    """No parameters at all."""

    model_config = ConfigDict(extra="forbid")


class WindowFields(_NoQuery):
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

    def window(self) -> Window:
        """Read `limit` and `offset`.

        :raises InvalidInput: if one is not one whole number in its range
        """
        return Window(self.limit_given() or DEFAULT_LIMIT, self.offset_given())


def _filter(name: str) -> Any:  # noqa: ANN401 - what pydantic takes for the default of any field
    return Field([], alias=name, description=_MEANINGS[name])


class FilterFields(_NoQuery):
    """Which entries are wanted: one field for each of `scriba.domain.filter.FILTERS`, which a test compares."""

    policy_id: _Texts = _filter("policyId")
    policy_slot: _Texts = _filter("policySlot")
    provider: _Texts = _filter("provider")
    model: _Texts = _filter("model")
    allowed: _Texts = _filter("allowed")
    enforcement: _Texts = _filter("enforcement")
    api_key_id: _Texts = _filter("apiKeyId")
    request_id: _Texts = _filter("requestId")
    ip_address: _Texts = _filter("ipAddress")
    violation: _Texts = _filter("violation")
    user: _Texts = _filter("user")
    tag: _Texts = _filter("tag")
    source: _Texts = _filter("source")
    start_date: _Texts = _filter("startDate")
    end_date: _Texts = _filter("endDate")

    def filters_given(self) -> dict[str, list[str]]:
        """Return the texts of the filters that were given, by their names."""
        given: dict[str, list[str]] = self.model_dump(by_alias=True, include=_FILTER_FIELDS)
        return {name: texts for name, texts in given.items() if texts}

    def filters(self) -> Filters:
        """Read the filters.

        :raises InvalidInput: naming the parameter and what it allows
        """
        return parse_filters(self.filters_given())


_FILTER_FIELDS: Final = set(FilterFields.model_fields)


class _AuditLogQuery(FilterFields, WindowFields):
    """Which entries are wanted, and how."""

    cursor: _Texts = Field([], description="Where the list goes on: `nextCursor` of the page before.")
    order: _Texts = Field([], description="`desc`, the newest first, or `asc`. Default: `desc`.")
    include: _Texts = Field([], description="`outcome`: how the call of each entry ended.")
    format: _Texts = Field(
        [], description="`csv`, `json` or `ndjson`: a file, with every entry unless a limit is given."
    )
    columns: _Texts = Field([], description="Of a CSV file, joined by commas: names of fields or of its usual header.")

    def order_given(self) -> Order:
        """Read `order`.

        :raises InvalidInput: if there is no such order
        """
        return parse_order(self.order)

    def format_given(self) -> FileFormat | None:
        """Read `format`; None if it was not given.

        :raises InvalidInput: if it is not one known format
        """
        return parse_format(self.format)

    def cursor_given(self) -> str | None:
        """Read `cursor`; None if it was not given.

        :raises InvalidInput: if it was given twice, or with another place to begin at
        """
        if not self.cursor:
            return None
        if len(self.cursor) > 1:
            raise InvalidInput(f"cursor can be given once; {len(self.cursor)} values were given.", param="cursor")
        if self.offset:
            raise InvalidInput("cursor says where the list goes on, so offset must be left out.", param="cursor")
        if self.format and not self.limit:
            hint = "Give a limit, too, or leave the cursor out for every entry."
            raise InvalidInput("cursor is for pages, and a file without limit has none.", param="cursor", hint=hint)
        return self.cursor[0]

    def wants_outcomes(self) -> bool:
        """Read `include`, and whether a column is asked for that needs the same.

        :raises InvalidInput: if anything else is to be included
        """
        for name in (name for text in self.include for name in text.split(",")):
            if name != "outcome":
                raise InvalidInput(f"include must be outcome, not {name!r}.", param="include")
        return bool(self.include) or not set(OUTCOME_COLUMNS).isdisjoint(parse_columns(self.columns))

    def columns_given(self) -> tuple[str, ...]:
        """Read `columns`; if they were not given, the usual ones, and those of outcomes if these are included.

        :raises InvalidInput: if there is no such column, or the answer has none
        """
        if not self.columns:
            return (*DEFAULT_COLUMNS, *(OUTCOME_COLUMNS if self.include else ()))
        if self.format != ["csv"]:
            raise InvalidInput("columns goes with format=csv alone.", param="columns")
        return parse_columns(self.columns)


NoQuery: TypeAlias = Annotated[_NoQuery, Query()]
WindowQuery: TypeAlias = Annotated[WindowFields, Query()]
FilterQuery: TypeAlias = Annotated[FilterFields, Query()]
AuditLogQuery: TypeAlias = Annotated[_AuditLogQuery, Query()]
