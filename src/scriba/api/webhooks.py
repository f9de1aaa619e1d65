"""`/webhooks`: endpoints that events are sent to, what was sent to them, and which events there are."""

from http import HTTPStatus
from typing import Annotated, TypeAlias

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from scriba.api.access import Caller, actor_of, services_of
from scriba.api.body import JsonBody, RawJson, parse_json
from scriba.api.described import accepts, answers
from scriba.api.json_answer import encoded_answer, json_answer
from scriba.api.query import NoQuery
from scriba.api.repeats import Repeated, mark_replayed
from scriba.api.shapes import Deleted
from scriba.api.webhook_query import DeliveryQuery, EndpointQuery
from scriba.api.webhook_shapes import (
    DeliveryAnswer,
    DeliveryList,
    EndpointAnswer,
    EndpointChange,
    EndpointDraft,
    EndpointList,
    EventTypeList,
    EventWithDelivery,
    NewEndpoint,
    Replay,
    Rotation,
    SimpleDraft,
    TrialDraft,
)
from scriba.audit.export import pagination_of
from scriba.delivery.draft import read_change, read_draft, read_grace, read_replay, read_simple, read_trial
from scriba.delivery.endpoint import Endpoint
from scriba.delivery.events import EVENT_TYPES
from scriba.delivery.webhooks import TrialResult

__all__ = ["router"]

router = APIRouter()

_ENDPOINTS = "/webhooks/v1/endpoints"
_ENDPOINT = "/webhooks/v1/endpoints/{id}"
_DELIVERIES = "/webhooks/v1/deliveries"


def _read_optional(raw: RawJson) -> object:
    return parse_json(raw) if raw.strip() else {}


_OptionalBody: TypeAlias = Annotated[object, Depends(_read_optional)]
"""The parsed body of a request whose fields are all optional: no body at all is none of them."""

_created = answers(NewEndpoint, "The endpoint and its secret, which is shown this once.", status=HTTPStatus.CREATED)


@router.post(
    "/webhooks",
    response_class=Response,
    status_code=HTTPStatus.CREATED,
    responses=_created,
    openapi_extra=accepts(SimpleDraft),
)
def create_webhook(request: Request, caller: Caller, _query: NoQuery, body: JsonBody, repeat: Repeated) -> Response:
    """Make an endpoint, in the short form."""
    endpoints, actor = services_of(request).webhooks.endpoints, actor_of(request, caller)
    answer = endpoints.create(caller.org_id, read_simple(body), actor=actor, repeat=repeat)
    return mark_replayed(encoded_answer(answer, HTTPStatus.CREATED), repeat)


@router.post(
    _ENDPOINTS,
    response_class=Response,
    status_code=HTTPStatus.CREATED,
    responses=_created,
    openapi_extra=accepts(EndpointDraft),
)
def create_endpoint(request: Request, caller: Caller, _query: NoQuery, body: JsonBody, repeat: Repeated) -> Response:
    """Make an endpoint. It is sent what happens from now on."""
    endpoints, actor = services_of(request).webhooks.endpoints, actor_of(request, caller)
    answer = endpoints.create(caller.org_id, read_draft(body), actor=actor, repeat=repeat)
    return mark_replayed(encoded_answer(answer, HTTPStatus.CREATED), repeat)


@router.get(_ENDPOINTS, response_class=Response, responses=answers(EndpointList, "The endpoints."))
def list_endpoints(request: Request, caller: Caller, query: EndpointQuery) -> Response:
    """List endpoints, newest first."""
    window = query.window()
    page = services_of(request).webhooks.endpoints.list(caller.org_id, window, query.statuses())
    shown = [each.document() for each in page.endpoints]
    return json_answer({"endpoints": shown, "pagination": pagination_of(window, page.total, len(shown))})


@router.get(_ENDPOINT, response_class=Response, responses=answers(EndpointAnswer, "The endpoint."))
def get_endpoint(request: Request, caller: Caller, id: str, _query: NoQuery) -> Response:  # noqa: A002 - the name in the path
    """Return an endpoint."""
    return _endpoint(services_of(request).webhooks.endpoints.find(caller.org_id, id))


@router.patch(
    _ENDPOINT,
    response_class=Response,
    responses=answers(EndpointAnswer, "The endpoint as it is now."),
    openapi_extra=accepts(EndpointChange),
)
def update_endpoint(
    request: Request,
    caller: Caller,
    id: str,  # noqa: A002 - the name in the path
    _query: NoQuery,
    body: JsonBody,
) -> Response:
    """Change an endpoint. One that becomes active again is sent what happens from then on."""
    endpoints, actor = services_of(request).webhooks.endpoints, actor_of(request, caller)
    return _endpoint(endpoints.update(caller.org_id, id, read_change(body), actor=actor))


@router.delete(_ENDPOINT, response_class=Response, responses=answers(Deleted, "What was deleted."))
def delete_endpoint(request: Request, caller: Caller, id: str, _query: NoQuery) -> Response:  # noqa: A002 - the name in the path
    """Delete an endpoint. What was sent to it stays readable for its time."""
    endpoint = services_of(request).webhooks.endpoints.delete(caller.org_id, id, actor=actor_of(request, caller))
    return json_answer({"id": endpoint.id, "deleted": True})


@router.post(
    _ENDPOINT + "/rotate_secret",
    response_class=Response,
    responses=answers(NewEndpoint, "The endpoint and its new secret, which is shown this once."),
    openapi_extra=accepts(Rotation, required=False),
)
def rotate_secret(
    request: Request,
    caller: Caller,
    id: str,  # noqa: A002 - the name in the path
    _query: NoQuery,
    body: _OptionalBody,
    repeat: Repeated,
) -> Response:
    """Give an endpoint a new secret; until the earlier one expires, both sign."""
    endpoints, actor = services_of(request).webhooks.endpoints, actor_of(request, caller)
    answer = endpoints.rotate(caller.org_id, id, read_grace(body), actor=actor, repeat=repeat)
    return mark_replayed(encoded_answer(answer), repeat)


@router.post(
    _ENDPOINT + "/test",
    response_class=Response,
    responses=answers(TrialResult, "How it went."),
    openapi_extra=accepts(TrialDraft, required=False),
)
async def try_endpoint(
    request: Request,
    caller: Caller,
    id: str,  # noqa: A002 - the name in the path
    _query: NoQuery,
    body: _OptionalBody,
) -> Response:
    """Send an event to an endpoint now, once, and keep nothing of it."""
    webhooks, trial = services_of(request).webhooks, read_trial(body)
    endpoint = await run_in_threadpool(webhooks.endpoints.find, caller.org_id, id)
    return json_answer(await webhooks.try_out(endpoint, trial))


@router.get(_DELIVERIES, response_class=Response, responses=answers(DeliveryList, "The deliveries."))
def list_deliveries(request: Request, caller: Caller, query: DeliveryQuery) -> Response:
    """List what was sent or waits to be sent, newest first."""
    window = query.window()
    page = services_of(request).webhooks.deliveries.list(
        caller.org_id, window, endpoint_ids=query.endpoint_ids(), statuses=query.statuses()
    )
    pagination = pagination_of(window, page.total, len(page.deliveries))
    return json_answer({"deliveries": page.deliveries, "pagination": pagination})


@router.get(
    _DELIVERIES + "/{id}", response_class=Response, responses=answers(EventWithDelivery, "The delivery and its event.")
)
def get_delivery(request: Request, caller: Caller, id: str, _query: NoQuery) -> Response:  # noqa: A002 - the name in the path
    """Return a delivery with the event that was sent."""
    return json_answer({"delivery": services_of(request).webhooks.deliveries.find(caller.org_id, id)})


@router.post(
    _DELIVERIES + "/{id}/replay",
    response_class=Response,
    status_code=HTTPStatus.ACCEPTED,
    responses=answers(DeliveryAnswer, "The new delivery.", status=HTTPStatus.ACCEPTED),
    openapi_extra=accepts(Replay, required=False),
)
def replay_delivery(
    request: Request,
    caller: Caller,
    id: str,  # noqa: A002 - the name in the path
    _query: NoQuery,
    body: _OptionalBody,
    repeat: Repeated,
) -> Response:
    """Send an event again, the same to the byte."""
    deliveries, actor = services_of(request).webhooks.deliveries, actor_of(request, caller)
    answer = deliveries.replay(caller.org_id, id, read_replay(body), actor=actor, repeat=repeat)
    return mark_replayed(encoded_answer(answer, HTTPStatus.ACCEPTED), repeat)


@router.get("/webhooks/v1/event_types", response_class=Response, responses=answers(EventTypeList, "The events."))
def list_event_types(_caller: Caller, _query: NoQuery) -> Response:
    """List the events that an endpoint can be sent."""
    return json_answer({"eventTypes": list(EVENT_TYPES.values())})


def _endpoint(endpoint: Endpoint) -> Response:
    return json_answer({"endpoint": endpoint.document()})
