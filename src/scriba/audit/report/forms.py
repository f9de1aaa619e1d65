"""The forms that a report can be written in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from scriba.audit.report.document import report_json
from scriba.audit.report.page import report_page
from scriba.audit.report.table import report_csv
from scriba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scriba.audit.report.report import Report

__all__ = ["FORMS", "ReportForm", "parse_form", "report_file_name"]


class ReportForm(NamedTuple):
    """A form: its name, the media type, and what writes it."""

    name: str
    media_type: str
    write: Callable[[Report], bytes]


FORMS: Final = {
    form.name: form
    for form in (
        ReportForm("json", "application/json", report_json),
        ReportForm("csv", "text/csv; charset=utf-8", report_csv),
        ReportForm("html", "text/html; charset=utf-8", report_page),
    )
}


def parse_form(given: Sequence[str]) -> ReportForm:
    """Read `format`; JSON if it was not given.

    :raises InvalidInput: it is not one known form
    """
    if not given:
        return FORMS["json"]
    if len(given) > 1 or given[0] not in FORMS:
        *others, last = FORMS
        said = ", ".join(repr(text[:100]) for text in given)
        raise InvalidInput(f"format must be {', '.join(others)} or {last}, not {said}.", param="format")
    return FORMS[given[0]]


def report_file_name(report: Report, form: ReportForm) -> str:
    """Return a name for the file of a report."""
    return f"{report.org_name}-report-{report.id}.{form.name}"
