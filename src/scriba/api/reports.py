"""`/governance/reports`: what became of the requests of a period."""

import time
from http import HTTPStatus
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from scriba.api.access import Caller, services_of
from scriba.api.described import answers, problems
from scriba.api.query import FilterFields
from scriba.api.report_shapes import ReportAnswer
from scriba.audit.report.forms import ReportForm, parse_form, report_file_name
from scriba.audit.report.page import CONTENT_SECURITY_POLICY
from scriba.audit.report.question import Question, parse_question
from scriba.audit.report.report import Report

__all__ = ["router"]

router = APIRouter()

_Texts: TypeAlias = list[str]
_FORMAT: Any = Field([], description="`json`, `csv` or `html`. Default: `json`.")


class _FormQuery(BaseModel):
    """In which form a report is wanted."""

    model_config = ConfigDict(extra="forbid")

    format: _Texts = _FORMAT


class _ReportQuery(FilterFields):
    """What a report is asked for."""

    period: _Texts = Field(
        [], description="`2025`, `2025-Q1`, `2025-01`, `2025-W03` (ISO week) or `2025-01-10`, instead of the dates."
    )
    group_by: _Texts = Field(
        [],
        alias="groupBy",
        description="`provider`, `model`, `policy`, `apiKey`, `enforcement`, `user` or `tag`: adds `groups`.",
    )
    granularity: _Texts = Field([], description="`hourly`, `daily`, `weekly` or `monthly`: adds `series`.")
    format: _Texts = _FORMAT

    def question(self) -> Question:
        """Read the question.

        :raises InvalidInput: naming the parameter and what it allows
        """
        own = {"period": self.period, "groupBy": self.group_by, "granularity": self.granularity}
        return parse_question({**self.filters_given(), **own}, time.time_ns() // 1000)


ReportQuery: TypeAlias = Annotated[_ReportQuery, Query()]
FormQuery: TypeAlias = Annotated[_FormQuery, Query()]

_ANSWERS = answers(ReportAnswer, "The report.", also=["text/csv", "text/html"]) | problems(
    "There is no such report, or no policy that `policyId` could mean.", HTTPStatus.NOT_FOUND
)


@router.get("/governance/reports", response_class=Response, responses=_ANSWERS)
def make_report(request: Request, caller: Caller, query: ReportQuery) -> Response:
    """Report what became of the requests of a period, and keep what was asked, so that it can be computed again."""
    form, question = parse_form(query.format), query.question()
    return _answer(services_of(request).reports.ask(caller.org_id, question), form)


@router.get("/governance/reports/{id}", response_class=Response, responses=_ANSWERS)
def make_report_again(
    request: Request,
    caller: Caller,
    id: str,  # noqa: A002 - the name in the path
    query: FormQuery,
) -> Response:
    """Compute an earlier report again, from the same records of the log."""
    form = parse_form(query.format)
    return _answer(services_of(request).reports.again(caller.org_id, id), form)


def _answer(report: Report, form: ReportForm) -> Response:
    headers = {"content-security-policy": CONTENT_SECURITY_POLICY, "referrer-policy": "no-referrer"}
    if form.name != "json":
        kind = "inline" if form.name == "html" else "attachment"
        headers["content-disposition"] = f'{kind}; filename="{report_file_name(report, form)}"'
    return Response(form.write(report), headers=headers, media_type=form.media_type)
