"""`/governance/audit-logs`: the entries of the caller's organisation."""

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from scriba.api.access import Caller, actor_of, services_of
from scriba.api.described import answers
from scriba.api.query import AuditLogQuery, NoQuery
from scriba.api.shapes import EntryDetail, EntryList
from scriba.audit.disclosure import record_export
from scriba.audit.export import FileFormat, entry_chunks, export_chunks, file_name, page_json
from scriba.audit.query import Page
from scriba.auth import Principal
from scriba.domain.window import DEFAULT_LIMIT

__all__ = ["router"]

router = APIRouter()

_JSON = "application/json"


@router.get(
    "/governance/audit-logs",
    response_class=Response,
    responses=answers(EntryList, "The entries that match.", also=["text/csv", "application/x-ndjson"]),
)
def list_entries(request: Request, caller: Caller, query: AuditLogQuery) -> Response:
    """List entries, newest first, or export them."""
    filters, limit, offset = query.filters(), query.limit_given(), query.offset_given()
    order, cursor, kind = query.order_given(), query.cursor_given(), query.format_given()
    columns, with_outcomes = query.columns_given(), query.wants_outcomes()
    audit_log = services_of(request).audit_log
    if kind is not None and limit is None:
        export = audit_log.export(caller.org_id, filters, offset, order=order, with_outcomes=with_outcomes)
        headers = _file_headers(request, caller, query, kind, total=export.total, count=max(export.total - offset, 0))
        # If the stream fails half way, the connection breaks, and the file is known to be cut.
        return StreamingResponse(export_chunks(export, kind, columns), headers=headers, media_type=kind.media_type)
    page = audit_log.list(
        caller.org_id,
        filters,
        limit or DEFAULT_LIMIT,
        offset,
        order=order,
        cursor=cursor,
        with_outcomes=with_outcomes,
    )
    if kind is None:
        return Response(page_json(page), headers={"x-total-count": str(page.total)}, media_type=_JSON)
    headers = _file_headers(request, caller, query, kind, total=page.total, count=len(page.entries))
    return Response(_page_file(page, kind, columns), headers=headers | _next(page), media_type=kind.media_type)


@router.get("/governance/audit-logs/{id}", response_class=Response, responses=answers(EntryDetail, "The entry."))
def get_entry(request: Request, caller: Caller, id: str, _query: NoQuery) -> Response:  # noqa: A002 - the name in the path
    """Return one entry with its outcome and its proof status."""
    detail = services_of(request).audit_log.get(caller.org_id, id)
    return Response(msgspec.json.encode(detail.fields()), media_type=_JSON)


def _page_file(page: Page, kind: FileFormat, columns: tuple[str, ...]) -> bytes:
    return page_json(page) if kind.name == "json" else b"".join(entry_chunks([page.entries], kind, columns))


def _next(page: Page) -> dict[str, str]:
    """Return where the list goes on, for files that have no place to say it in."""
    return {} if page.next_cursor is None else {"x-next-cursor": page.next_cursor}


def _file_headers(
    request: Request, caller: Principal, query: AuditLogQuery, kind: FileFormat, *, total: int, count: int
) -> dict[str, str]:
    """Write down that entries leave the house; only then say what the file is called."""
    record_export(
        services_of(request).store,
        caller.org_id,
        actor=actor_of(request, caller),
        filters=query.filters_given(),
        kind=kind.name,
        count=count,
    )
    name = file_name(caller.org_name, query.filters(), kind)
    return {"content-disposition": f'attachment; filename="{name}"', "x-total-count": str(total)}
