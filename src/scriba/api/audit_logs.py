"""`/governance/audit-logs`: the entries of the caller's organisation."""

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from scriba.api.access import Caller, services_of
from scriba.api.described import answers
from scriba.api.query import AuditLogQuery, NoQuery
from scriba.api.shapes import EntryDetail, EntryList
from scriba.audit.export import csv_chunks, json_chunks, page_json
from scriba.audit.query import AuditLog, Page
from scriba.domain.filter import Filters
from scriba.domain.window import DEFAULT_LIMIT

__all__ = ["router"]

router = APIRouter()

_JSON = "application/json"
_MEDIA_TYPES = {"csv": "text/csv", "json": _JSON}


@router.get(
    "/governance/audit-logs",
    response_class=Response,
    responses=answers(EntryList, "The entries that match.", also=["text/csv"]),
)
def list_entries(request: Request, caller: Caller, query: AuditLogQuery) -> Response:
    """List entries, newest first, or export them."""
    audit_log = services_of(request).audit_log
    filters, limit, offset = query.filters(), query.limit_given(), query.offset_given()
    kind = query.format_given()
    if kind is not None and limit is None:
        return _whole_file(audit_log, caller.org_id, filters, offset, kind)
    page = audit_log.list(caller.org_id, filters, limit or DEFAULT_LIMIT, offset)
    return Response(page_json(page), media_type=_JSON) if kind is None else _page_file(page, kind)


@router.get("/governance/audit-logs/{id}", response_class=Response, responses=answers(EntryDetail, "The entry."))
def get_entry(request: Request, caller: Caller, id: str, _query: NoQuery) -> Response:  # noqa: A002 - the name in the path
    """Return one entry with its outcome and its proof status."""
    detail = services_of(request).audit_log.get(caller.org_id, id)
    return Response(msgspec.json.encode(detail.fields()), media_type=_JSON)


def _whole_file(audit_log: AuditLog, org_id: str, filters: Filters, offset: int, kind: str) -> Response:
    """Stream every entry. If that fails half way, the connection breaks and the file is known to be cut."""
    export = audit_log.export(org_id, filters, offset)
    chunks = csv_chunks(export.chunks) if kind == "csv" else json_chunks(export)
    return StreamingResponse(chunks, headers=_file_headers(kind, export.total), media_type=_MEDIA_TYPES[kind])


def _page_file(page: Page, kind: str) -> Response:
    body = b"".join(csv_chunks([page.entries])) if kind == "csv" else page_json(page)
    return Response(body, headers=_file_headers(kind, page.total), media_type=_MEDIA_TYPES[kind])


def _file_headers(kind: str, total: int) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="audit-logs.{kind}"', "x-total-count": str(total)}
