"""`/governance/retention`: how long entries of the caller's organisation are kept."""

from typing import Literal

import msgspec
from fastapi import APIRouter, Request, Response

from scriba.api.access import Caller, actor_of, services_of
from scriba.api.body import JsonBody
from scriba.api.described import accepts, answers
from scriba.api.json_answer import json_answer
from scriba.api.query import NoQuery
from scriba.audit.kept import Kept
from scriba.domain.fields import read_fields
from scriba.errors import InvalidInput
from scriba.storage.control import KEEP_DAYS
from scriba.storage.model import TIERS

__all__ = ["router"]

router = APIRouter()

_FIELDS = ("tier", "retentionDays")


class RetentionChange(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """What to change. `retentionDays` of null is the number of the tier."""

    tier: Literal["free", "pro", "enterprise"] = "free"
    retention_days: int | None = None


@router.get("/governance/retention", response_class=Response, responses=answers(Kept, "How long entries are kept."))
def get_retention(request: Request, caller: Caller, _query: NoQuery) -> Response:
    """Return how long entries are kept, what is left of each log, the active legal holds and the next purge."""
    return _kept(request, caller.org_id)


@router.patch(
    "/governance/retention",
    response_class=Response,
    responses=answers(Kept, "How long entries are kept from now on."),
    openapi_extra=accepts(RetentionChange),
)
def update_retention(request: Request, caller: Caller, _query: NoQuery, body: JsonBody) -> Response:
    """Change how long entries are kept. It counts from the next purge on."""
    fields = read_fields(body, _FIELDS)
    tier, days = fields.get("tier"), fields.get("retentionDays", KEEP_DAYS)
    if "tier" in fields and not (isinstance(tier, str) and tier in TIERS):
        raise InvalidInput(f"tier must be one of {', '.join(TIERS)}.", param="tier")
    if days is not None and days is not KEEP_DAYS and (not isinstance(days, int) or isinstance(days, bool)):
        raise InvalidInput("retentionDays must be a whole number, or null for the tier's.", param="retentionDays")
    control = services_of(request).control
    control.update_organisation(caller.org_id, tier=tier, retention_days=days, actor=actor_of(request, caller))
    return _kept(request, caller.org_id)


def _kept(request: Request, org_id: str) -> Response:
    return json_answer(services_of(request).housekeeping.kept(org_id))
