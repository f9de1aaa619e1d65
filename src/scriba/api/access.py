"""Who may do what: one row for each route, enforced in one place.

A route without a row cannot be called at all.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

from fastapi import Depends, Request

from scriba.auth import Principal, api_key_of, require
from scriba.gateway.caller import address_of as address_in
from scriba.gateway.caller import read_caller, unmapped
from scriba.gateway.headers import RequestHeaders
from scriba.gateway.routes import ROUTES
from scriba.storage.model import Actor, Role

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scriba.errors import ScribaError
    from scriba.services import Services

__all__ = ["ACCESS", "Caller", "actor_of", "address_of", "admit", "note_refusal", "peer_of", "services_of"]

_READING: Final = frozenset({"GET", "HEAD"})
_PUBLIC: Final = None
_READ: Final = (Role.AUDITOR, Role.ADMIN)
_CHANGE: Final = (Role.ADMIN,)
_TELL: Final = (Role.INGEST, Role.ADMIN)
_CALL: Final = (Role.APP, Role.ADMIN)
_LIST: Final = (Role.APP, Role.AUDITOR, Role.ADMIN)

ACCESS: Final[Mapping[tuple[str, str], Sequence[Role] | None]] = MappingProxyType(
    {
        ("GET", "/livez"): _PUBLIC,
        ("GET", "/readyz"): _PUBLIC,
        ("GET", "/metrics"): _PUBLIC,  # to the addresses of the operator's monitoring
        ("GET", "/openapi.json"): _PUBLIC,
        ("GET", "/docs"): _PUBLIC,
        ("GET", "/governance/audit-logs"): _READ,
        ("GET", "/governance/audit-logs/stream"): _READ,
        ("GET", "/governance/audit-logs/{id}"): _READ,
        ("POST", "/governance/audit-logs"): _TELL,
        ("POST", "/governance/imports"): _CHANGE,
        ("GET", "/governance/reports"): _READ,
        ("GET", "/governance/reports/{id}"): _READ,
        ("GET", "/governance/retention"): _READ,
        ("PATCH", "/governance/retention"): _CHANGE,
        ("POST", "/governance/holds"): _CHANGE,
        ("GET", "/governance/holds"): _READ,
        ("GET", "/governance/holds/{id}"): _READ,
        ("POST", "/governance/holds/{id}/release"): _CHANGE,
        ("GET", "/governance"): _READ,
        ("POST", "/governance"): _CHANGE,
        ("GET", "/governance/{id}"): _READ,
        ("PATCH", "/governance/{id}"): _CHANGE,
        ("DELETE", "/governance/{id}"): _CHANGE,
        ("POST", "/webhooks"): _CHANGE,
        ("POST", "/webhooks/v1/endpoints"): _CHANGE,
        ("GET", "/webhooks/v1/endpoints"): _READ,
        ("GET", "/webhooks/v1/endpoints/{id}"): _READ,
        ("PATCH", "/webhooks/v1/endpoints/{id}"): _CHANGE,
        ("DELETE", "/webhooks/v1/endpoints/{id}"): _CHANGE,
        ("POST", "/webhooks/v1/endpoints/{id}/rotate_secret"): _CHANGE,
        ("POST", "/webhooks/v1/endpoints/{id}/test"): _CHANGE,
        ("GET", "/webhooks/v1/deliveries"): _READ,
        ("GET", "/webhooks/v1/deliveries/{id}"): _READ,
        ("POST", "/webhooks/v1/deliveries/{id}/replay"): _CHANGE,
        ("GET", "/webhooks/v1/event_types"): _READ,
        ("GET", "/v1/models"): _LIST,
        ("GET", "/v1/models/{id}"): _LIST,
        ("GET", "/llm/v1/models"): _LIST,
        ("GET", "/llm/v1/models/{id}"): _LIST,
        ("GET", "/llm/config"): _LIST,
        # What the gateway answers itself; it is enforced there, and a test compares.
        **dict.fromkeys(ROUTES, _CALL),
    }
)
"""The roles that each method and path takes; None for everybody, without a key."""


def admit(request: Request) -> Principal | None:
    """Let a request through, as the principal behind its key; None where no key is needed.

    The key is looked up in the newest state, so a revoked one is refused from the moment it was revoked.

    :raises Unauthenticated: no key, or no good one
    :raises PermissionDenied: the key has another role
    """
    roles = ACCESS[request.method, request.scope["route"].path_format]
    if roles is _PUBLIC:
        return None
    headers = RequestHeaders(request.headers.raw)
    key = api_key_of(headers.text(b"authorization"), headers.text(b"x-api-key"))
    principal = services_of(request).authenticator.identify(key)
    require(principal, roles)
    request.state.principal = principal
    return principal


Caller: TypeAlias = Annotated[Principal, Depends(admit)]
"""The principal of a route that needs a key."""


def services_of(request: Request) -> Services:
    """Return what the application was made with."""
    services: Services = request.app.state.services
    return services


def address_of(request: Request) -> str:
    """Return the address of whoever asks, behind trusted proxies theirs and not the proxy's."""
    return address_in(request.headers.raw, peer_of(request), services_of(request).settings.trusted_proxies)


def note_refusal(request: Request, error: ScribaError) -> None:
    """Count whoever is refused for the key, or for the input of a change."""
    principal = None if request.method in _READING else getattr(request.state, "principal", None)
    services_of(request).access_failures.note(error, address_of(request), principal)


def peer_of(request: Request) -> str:
    """Return the address of the other end of the connection; empty if it has none."""
    return unmapped(request.client.host) if request.client else ""


def actor_of(request: Request, principal: Principal) -> Actor:
    """Return who is changing something, as the event about it says."""
    proxies = services_of(request).settings.trusted_proxies
    caller = read_caller(RequestHeaders(request.headers.raw), peer_of(request), proxies)
    return Actor(name=principal.key_id, ip_address=caller.address, user_agent=caller.user_agent)
