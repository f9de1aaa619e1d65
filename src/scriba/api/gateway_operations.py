"""The gateway's operations in the OpenAPI document: what is asked in a dialect, and what Scriba adds to the answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from scriba.gateway.routes import ROUTES

if TYPE_CHECKING:
    from scriba.gateway.route import Route

__all__ = ["gateway_paths"]

_BODY: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["model"],
    "properties": {
        "model": {
            "type": "string",
            "minLength": 1,
            "description": "The model to ask, such as `gpt-4o`, `openai/gpt-4o` or `sandbox/echo`.",
        },
        "stream": {"type": "boolean", "description": "Whether to answer piece by piece, as server-sent events."},
    },
    "description": "The dialect's own body. It is passed on byte for byte, but for a model that is called otherwise.",
}
_ERRORS: Final = {
    HTTPStatus.BAD_REQUEST: "Something in the request is not allowed, or no provider speaks this dialect.",
    HTTPStatus.UNAUTHORIZED: "No key, or one that is unknown, revoked or expired.",
    HTTPStatus.FORBIDDEN: "Refused by policy, and logged; or the key's role may not call models.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is larger than `max_body_bytes`.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is compressed, or is no JSON.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something failed inside Scriba.",
    HTTPStatus.BAD_GATEWAY: "The provider could not be reached, or broke the connection.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The log cannot be written, so nothing was forwarded.",
    HTTPStatus.GATEWAY_TIMEOUT: "The provider did not answer in time.",
}
_HEADERS: Final[dict[str, Any]] = {
    name: {"description": says, "schema": {"type": "string"}}
    for name, says in (
        ("X-Audit-Id", "The entry in the log."),
        ("X-Audit-Receipt", "The signed receipt of the entry."),
        ("X-Policy-Id", "The policy that was applied."),
        ("X-Policy-Violations", "What the policy only warned of, by code."),
    )
}
_PARAMETERS: Final = [
    {"name": name, "in": "header", "required": False, "description": says, "schema": schema}
    for name, says, schema in (
        ("X-Policy-Slot", "The policy slot to use, if the key may.", {"type": "integer", "minimum": 1, "maximum": 12}),
        ("X-Client-Request-Id", "The caller's own id, kept as data.", {"type": "string"}),
        ("ai-reporting-user", "The caller's user, for reports.", {"type": "string"}),
        ("ai-reporting-tags", "Labels for reports, separated by commas.", {"type": "string"}),
    )
]


def gateway_paths() -> dict[str, Any]:
    """Return the paths of the gateway, each with its methods."""
    paths: dict[str, Any] = {}
    for (method, path), route in ROUTES.items():
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, route)
    return paths


def _operation(method: str, path: str, route: Route) -> dict[str, Any]:
    name = str(route.operation)
    operation: dict[str, Any] = {
        "operationId": f"{path.strip('/').replace('/', '_').replace('.', '_')}_{method.lower()}",
        "summary": f"Ask for {name.replace('_', ' ')}",
        "description": f"In the dialect of {route.dialect}. The decision is in the log before anything is answered.",
        "tags": ["gateway"],
        "x-dialect": route.dialect,
        "parameters": _PARAMETERS,
        "responses": {"200": _answer("The provider's answer.", stream=True), **_errors()},
    }
    if method == "POST":
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _BODY}}}
    return operation


def _errors() -> dict[str, Any]:
    ours = {str(status.value): _answer(says) for status, says in _ERRORS.items()}
    return {**ours, "4XX": _answer("The provider's own refusal."), "5XX": _answer("The provider's own failure.")}


def _answer(says: str, *, stream: bool = False) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": {"type": "object"}}}
    if stream:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    return {"description": says, "headers": dict(_HEADERS), "content": content}
