"""`/livez`, `/readyz` and `/metrics`: for whoever runs Scriba. They need no key."""

from http import HTTPStatus
from typing import Final

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from scriba.api.access import address_of, peer_of, services_of
from scriba.api.described import answers, problems
from scriba.api.query import NoQuery
from scriba.api.readiness import OK, check_readiness
from scriba.errors import PermissionDenied
from scriba.gateway.caller import is_trusted
from scriba.metrics import CONTENT_TYPE, exposition

__all__ = ["router"]

router = APIRouter()

_FORWARDED: Final = ("forwarded", "via", "x-forwarded-for", "x-real-ip")
_RETRY_SECONDS: Final = "5"


class Readiness(msgspec.Struct):
    """Whether requests can be answered, and what each check found: `ok`, or what is wrong."""

    ready: bool
    checks: dict[str, str]


@router.get(
    "/livez", response_class=PlainTextResponse, responses=answers(None, "The process is there.", also=["text/plain"])
)
async def live(_query: NoQuery) -> str:
    """Say that the process is there. Looks at nothing."""
    return "ok"


@router.get(
    "/readyz",
    response_class=Response,
    responses=answers(Readiness, "Requests can be answered.")
    | answers(Readiness, "Something is missing.", status=HTTPStatus.SERVICE_UNAVAILABLE),
)
def ready(request: Request, _query: NoQuery) -> Response:
    """Say whether requests can be answered: database, schema, clock, the writer of the log, and the guard."""
    checks = check_readiness(services_of(request).store, request.app.state.is_writing)
    is_ready = all(found == OK for found in checks.values())
    body = msgspec.json.encode(Readiness(is_ready, checks))
    if is_ready:
        return Response(body, media_type="application/json")
    headers = {"retry-after": _RETRY_SECONDS}
    return Response(body, HTTPStatus.SERVICE_UNAVAILABLE, headers, media_type="application/json")


@router.get(
    "/metrics",
    response_class=Response,
    responses=answers(None, "Figures in Prometheus' text format.", also=["text/plain"])
    | problems("The address is not in `metrics_networks`.", HTTPStatus.FORBIDDEN),
)
def metrics(request: Request, _query: NoQuery) -> Response:
    """Return the figures of this deployment, to the addresses in the setting `metrics_networks`."""
    if not _may_read(request):
        raise PermissionDenied(
            "The metrics are for the operator's monitoring.", hint="The setting metrics_networks says from where."
        )
    return Response(exposition(request.app.state.collectors), headers={"content-type": CONTENT_TYPE})


def _may_read(request: Request) -> bool:
    """Whether whoever asks is the monitoring: judged by the caller's address, and never by that of a proxy."""
    settings = services_of(request).settings
    peer = peer_of(request)
    address = address_of(request)
    if any(name in request.headers for name in _FORWARDED) and (
        not is_trusted(peer, settings.trusted_proxies) or address == peer
    ):
        return False  # through a proxy, and nobody can say for whom
    return is_trusted(address, settings.metrics_networks)
