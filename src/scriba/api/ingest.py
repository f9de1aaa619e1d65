"""`POST /governance/audit-logs`: decisions that other gateways report."""

from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from scriba.api.access import Caller, services_of
from scriba.api.body import media_type, read_body
from scriba.api.described import accepts, answers
from scriba.api.json_answer import json_answer
from scriba.api.repeats import mark_replayed, repeat_of
from scriba.audit.ingest import MAX_ENTRIES, Entered, Ingest, Teller
from scriba.audit.told import Refused, ToldEntry
from scriba.domain.strict_json import load_json
from scriba.errors import InvalidInput

__all__ = ["LINES", "MAX_BYTES", "check_count", "router"]

router = APIRouter()

MAX_BYTES = 32 * 1024 * 1024
"""The largest body of entries; the setting `max_body_bytes` counts if it is lower."""

LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"})
"""Media types of JSON that has a document in each line."""

_KINDS = LINES | {"application/json"}


class _IngestQuery(BaseModel):
    """How a batch is taken."""

    model_config = ConfigDict(extra="forbid")

    partial: list[str] = Field([], description="`true` writes the good entries of a batch and tells which are not.")

    def is_partial(self) -> bool:
        """Read `partial`.

        :raises InvalidInput: it is not one of the two
        """
        if self.partial in ([], ["false"]):
            return False
        if self.partial != ["true"]:
            raise InvalidInput(f"partial must be true or false, not {', '.join(self.partial)!r}.", param="partial")
        return True


class _Batch(msgspec.Struct):
    """Where the entries of a batch stand, and which were not taken."""

    entries: list[Entered]
    refused: list[Refused]


async def _read_entries(request: Request) -> bytes:
    return await read_body(request, MAX_BYTES, _KINDS)


@router.post(
    "/governance/audit-logs",
    response_class=Response,
    status_code=HTTPStatus.CREATED,
    responses=answers(Entered | _Batch, "Where each entry stands, with its receipt.", status=HTTPStatus.CREATED)
    | answers(_Batch, "With `partial`: no entry was good; each refusal says why."),
    openapi_extra=accepts(ToldEntry | list[ToldEntry], also=sorted(LINES)),
)
def report_entries(
    request: Request,
    caller: Caller,
    query: Annotated[_IngestQuery, Query()],
    raw: Annotated[bytes, Depends(_read_entries)],
) -> Response:
    """Append entries that another gateway decided: one object, a list, or one in each line. All or none."""
    documents, alone = _documents(raw, in_lines=media_type(request) in LINES)
    check_count(len(documents))
    repeat = repeat_of(request, caller, raw)
    ingested = Ingest(services_of(request).store).write(
        Teller(caller.org_id, caller.tags), documents, alone=alone, partial=query.is_partial(), repeat=repeat
    )
    status = HTTPStatus.CREATED if ingested.entries else HTTPStatus.OK
    if not (alone and ingested.entries):
        return mark_replayed(json_answer(ingested, status), repeat)
    (entry,) = ingested.entries
    answer = json_answer(entry, status)
    answer.headers["X-Audit-Id"], answer.headers["X-Audit-Receipt"] = entry.id, entry.receipt
    return mark_replayed(answer, repeat)


def check_count(count: int) -> None:
    """Refuse a batch that is empty or too large.

    :raises InvalidInput: saying how many entries there are
    """
    if not count:
        raise InvalidInput("The request body has no entries in it.", param="body")
    if count > MAX_ENTRIES:
        raise InvalidInput(
            f"A batch has at most {MAX_ENTRIES} entries, and this one has more.",
            param="body",
            hint="Send it in several requests.",
        )


def _documents(raw: bytes, *, in_lines: bool) -> tuple[list[Any], bool]:
    """Return the JSON of each entry, or why it cannot be read; and whether it is one entry alone."""
    if in_lines:
        return [_line(line) for line in raw.split(b"\n") if line.strip()], False
    if not raw.strip():
        raise InvalidInput("The request body is empty; an entry or a list of entries is expected.", param="body")
    document = load_json(raw)
    return (document, False) if isinstance(document, list) else ([document], True)


def _line(line: bytes) -> object:
    try:
        return load_json(line, "The line", None)
    except InvalidInput as error:
        return error
