"""`/governance/holds`: the legal holds of the caller's organisation."""

from http import HTTPStatus

import msgspec
from fastapi import APIRouter, Request, Response

from scriba.api.access import Caller, actor_of, services_of
from scriba.api.body import JsonBody
from scriba.api.described import accepts, answers
from scriba.api.json_answer import json_answer
from scriba.api.query import NoQuery, WindowQuery
from scriba.audit.export import Pagination, pagination_of
from scriba.audit.kept import HoldDocument, hold_document
from scriba.domain.fields import read_fields, required_text, text_or_none
from scriba.domain.period import parse_end, parse_start
from scriba.errors import InvalidInput
from scriba.storage.holds import Hold
from scriba.storage.marks import MARKED
from scriba.storage.model import LogName

__all__ = ["router"]

router = APIRouter()

_FIELDS = ("name", "reason", "logs", "startDate", "endDate")


class HoldDraft(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """A legal hold to be made. Without `logs` it counts for all, without dates for every entry."""

    name: str
    reason: str
    logs: list[str] = []
    start_date: str = ""
    end_date: str = ""


class HoldList(msgspec.Struct):
    """A part of the holds, oldest first."""

    holds: list[HoldDocument]
    pagination: Pagination


@router.post(
    "/governance/holds",
    response_class=Response,
    status_code=HTTPStatus.CREATED,
    responses=answers(HoldDocument, "The hold.", status=HTTPStatus.CREATED),
    openapi_extra=accepts(HoldDraft),
)
def create_hold(request: Request, caller: Caller, _query: NoQuery, body: JsonBody) -> Response:
    """Keep entries from being purged, until the hold is released."""
    fields = read_fields(body, _FIELDS)
    start, end = text_or_none(fields, "startDate"), text_or_none(fields, "endDate")
    hold = services_of(request).housekeeping.retention.holds.create(
        caller.org_id,
        name=required_text(fields, "name"),
        reason=required_text(fields, "reason"),
        logs=_logs(fields.get("logs", [])),
        start=None if start is None else parse_start(start, "startDate"),
        end=None if end is None else parse_end(end, "endDate"),
        actor=actor_of(request, caller),
    )
    return _answer(hold, HTTPStatus.CREATED)


@router.get("/governance/holds", response_class=Response, responses=answers(HoldList, "The holds."))
def list_holds(request: Request, caller: Caller, query: WindowQuery) -> Response:
    """List holds, oldest first, also those that were released."""
    window = query.window()
    found = services_of(request).housekeeping.retention.holds.list(caller.org_id)
    part = window.part_of(found)
    pagination = pagination_of(window, len(found), len(part))
    return json_answer(HoldList(holds=[hold_document(hold) for hold in part], pagination=pagination))


@router.get("/governance/holds/{id}", response_class=Response, responses=answers(HoldDocument, "The hold."))
def get_hold(request: Request, caller: Caller, id: str, _query: NoQuery) -> Response:  # noqa: A002 - the name in the path
    """Return one hold."""
    return _answer(services_of(request).housekeeping.retention.holds.find(caller.org_id, id))


@router.post(
    "/governance/holds/{id}/release", response_class=Response, responses=answers(HoldDocument, "The released hold.")
)
def release_hold(request: Request, caller: Caller, id: str, _query: NoQuery) -> Response:  # noqa: A002 - the name in the path
    """End a hold. It stays readable; to release it again changes nothing."""
    holds = services_of(request).housekeeping.retention.holds
    return _answer(holds.release(caller.org_id, id, actor=actor_of(request, caller)))


def _answer(hold: Hold, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return json_answer(hold_document(hold), status)


def _logs(value: object) -> list[LogName]:
    if not isinstance(value, list) or any(name not in list(MARKED) for name in value):
        raise InvalidInput(f"logs must be a list of {' and '.join(MARKED)}.", param="logs")
    return [LogName(name) for name in value]
