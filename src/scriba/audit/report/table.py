"""A report as CSV: one fact a line, in four columns.

`section` is the part of the report, `item` the member of it (a provider, a group, the start of a bucket, a number),
`field` the fact's name and `value` the fact. The sections stand in the order of the JSON form, under its names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scriba.audit.report.document import report_fields
from scriba.audit.table import csv_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scriba.audit.report.report import Report

__all__ = ["HEADER", "report_csv"]

HEADER = ("section", "item", "field", "value")

_BY = {"groups": "key", "series": "start"}
_NOTHING = "(none)"


def report_csv(report: Report) -> bytes:
    """Write a report."""
    rows = [HEADER, *_rows(report_fields(report))]
    return "".join(",".join(map(csv_cell, row)) + "\n" for row in rows).encode()


def _rows(fields: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    for section, value in fields.items():
        if isinstance(value, dict):
            yield from _object(section, value)
        elif isinstance(value, list | tuple):
            for number, member in enumerate(value, 1):
                yield from _member(section, number, member)
        else:
            yield "report", "", section, value


def _object(section: str, value: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from ((section, name, field, fact) for field, fact in inner.items())
        else:
            yield section, "", name, inner


def _member(section: str, number: int, member: object) -> Iterator[tuple[object, ...]]:
    if not isinstance(member, dict):
        yield section, number, "", member
        return
    by = _BY.get(section)
    item = number if by is None else member[by]
    for field, fact in member.items():
        if field != by:
            yield section, _NOTHING if item is None else item, field, fact
