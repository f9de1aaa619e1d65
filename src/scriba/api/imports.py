"""`POST /governance/imports`: history with its old ids and times."""

from http import HTTPStatus
from io import BytesIO
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from scriba.api.access import Caller, services_of
from scriba.api.body import media_type, read_body
from scriba.api.described import accepts, answers
from scriba.api.ingest import LINES, MAX_BYTES, check_count
from scriba.api.json_answer import json_answer
from scriba.api.repeats import mark_replayed, repeat_of
from scriba.audit.foreign import Form, form_of
from scriba.audit.imports import MAX_ENTRIES, Imported, Importer
from scriba.audit.source import BOM, Piece, batch_of, csv_pieces, json_pieces, line_pieces
from scriba.audit.told import ToldEntry

__all__ = ["router"]

router = APIRouter()

_CSV = "text/csv"
_KINDS = LINES | {"application/json", _CSV}


class _ImportQuery(BaseModel):
    """What the entries look like."""

    model_config = ConfigDict(extra="forbid")

    format: list[str] = Field([], description="`scriba` (default), `casedev` or `litellm`: what the entries look like.")

    def form(self) -> Form:
        """Read `format`.

        :raises InvalidInput: there is no such form
        """
        return form_of(", ".join(self.format)) if self.format else Form.SCRIBA


async def _read_source(request: Request) -> bytes:
    return await read_body(request, MAX_BYTES, _KINDS)


@router.post(
    "/governance/imports",
    response_class=Response,
    status_code=HTTPStatus.CREATED,
    responses=answers(Imported, "How many entries were imported, and which were not.", status=HTTPStatus.CREATED)
    | answers(Imported, "None was imported; each refusal says why."),
    openapi_extra=accepts(list[ToldEntry], also=sorted({*LINES, _CSV})),
)
def import_entries(
    request: Request,
    caller: Caller,
    query: Annotated[_ImportQuery, Query()],
    raw: Annotated[bytes, Depends(_read_source)],
) -> Response:
    """Bring in up to 10 000 entries with their ids and times; what was imported before is not imported again."""
    pieces = _pieces(raw, media_type(request), query.form())
    check_count(len(pieces))
    batch = batch_of(pieces)
    repeat = repeat_of(request, caller, raw)
    imported = Importer(services_of(request).store).import_entries(
        caller.org_id, batch.entries(), batch.sha256, repeat=repeat
    )
    status = HTTPStatus.CREATED if imported.imported else HTTPStatus.OK
    return mark_replayed(json_answer(imported, status), repeat)


def _pieces(raw: bytes, kind: str, form: Form) -> list[Piece]:
    """Take the body apart, and no more of it than shows that it is too long."""
    raw = raw.removeprefix(BOM)
    if kind == _CSV:
        found = csv_pieces(BytesIO(raw), form)
    elif kind in LINES:
        found = line_pieces(BytesIO(raw), form)
    else:
        found = json_pieces(raw, form)
    return list(islice(found, MAX_ENTRIES + 1))
