"""Reports for who has signed in: a page to choose a period, and the report itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from scriba.audit.report.forms import FORMS, report_file_name
from scriba.audit.report.page import CONTENT_SECURITY_POLICY
from scriba.audit.report.question import parse_question
from scriba.console.pages import HEADERS, render
from scriba.domain.timestamp import format_timestamp
from scriba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scriba.audit.report.reports import Reports
    from scriba.console.visitor import Visitor

__all__ = ["report_response"]

_WORDS: Final = {"html": "A page to read or print", "csv": "A table (CSV)", "json": "Data (JSON)"}


def report_response(reports: Reports, visitor: Visitor, asked: Mapping[str, str]) -> Response:
    """Answer with the report of a period; without one, with the page to choose it.

    :param asked: `period` and `format`, as the page sends them
    """
    period, name = asked.get("period", "").strip(), asked.get("format", "html")
    now = time.time_ns() // 1000
    if not period or name not in FORMS:
        return _choose(visitor, period or format_timestamp(now)[:7], "")
    try:
        question = parse_question({"period": [period]}, now)
    except InvalidInput as error:
        return _choose(visitor, period, error.message, error.status)
    report = reports.ask(visitor.principal.org_id, question)
    form = FORMS[name]
    headers = {**HEADERS, "Content-Security-Policy": CONTENT_SECURITY_POLICY}
    if name != "html":
        headers["Content-Disposition"] = f'attachment; filename="{report_file_name(report, form)}"'
    return Response(form.write(report), headers=headers, media_type=form.media_type)


def _choose(visitor: Visitor, period: str, problem: str, status: int = 200) -> Response:
    values = {"visitor": visitor, "period": period, "forms": _WORDS, "problem": problem}
    return render("reports.html", values, status)
