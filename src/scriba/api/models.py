"""`/v1/models` and `/llm/config`: which models the caller's key can ask for, in the shapes that clients know.

What is not known of a model is left out: prices, context windows and, where a shape demands it, the time of release is
the beginning of time.
"""

from typing import Annotated, Any, Final, TypeAlias

import msgspec
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from scriba.api.access import Caller, services_of
from scriba.api.described import answers
from scriba.api.json_answer import json_answer
from scriba.api.query import NoQuery
from scriba.auth import Principal
from scriba.domain.record import Operation
from scriba.domain.window import parse_limit
from scriba.errors import InvalidInput, NotFound
from scriba.gateway.listing import ListedModel, find_model, list_models
from scriba.policy.rules import Policy, choose_policy

__all__ = ["router"]

_ANTHROPIC_LIMIT: Final = 20
_UNKNOWN_TIME: Final = "1970-01-01T00:00:00Z"


class _Model(msgspec.Struct, kw_only=True):
    """A model as OpenAI's clients know it, with what case.dev tells besides."""

    id: str
    object: str = "model"
    created: int = 0
    owned_by: str
    name: str
    type: str
    provider: str
    operations: tuple[Operation, ...]


class _Models(msgspec.Struct, kw_only=True):
    object: str = "list"
    data: list[_Model]


class _ConfigModel(msgspec.Struct, kw_only=True, rename="camel"):
    """A model as the AI SDK's gateway knows it."""

    id: str
    name: str
    model_type: str
    specification: dict[str, str]


class _Config(msgspec.Struct):
    models: list[_ConfigModel]


class _PageQuery(BaseModel):
    """Which part of Anthropic's list is wanted; others are not cut."""

    model_config = ConfigDict(extra="forbid")

    limit: list[str] = []
    after_id: str | None = None
    before_id: str | None = None
    beta: str | None = None


_Page: TypeAlias = Annotated[_PageQuery, Query()]

router = APIRouter(tags=["gateway"])


@router.get("/v1/models", response_class=Response, responses=answers(_Models, "The models."))
@router.get("/llm/v1/models", response_class=Response, responses=answers(_Models, "The models."))
def list_callable_models(request: Request, caller: Caller, page: _Page) -> Response:
    """List the models that this key can ask for, under its policy.

    With the header `anthropic-version` in Anthropic's shape, and only those that are asked by `/v1/messages`.
    """
    found = list_models(services_of(request).decision_point, _policy(request, caller))
    if "anthropic-version" in request.headers:
        spoken = [_anthropic(model) for model in found if Operation.MESSAGES in model.operations]
        return json_answer(_anthropic_page(spoken, page))
    return json_answer(_Models(data=[_openai(model) for model in found]))


@router.get("/v1/models/{id:path}", response_class=Response, responses=answers(_Model, "The model."))
@router.get("/llm/v1/models/{id:path}", response_class=Response, responses=answers(_Model, "The model."))
def show_model(id: str, request: Request, caller: Caller, _query: NoQuery) -> Response:  # noqa: A002 - names the path
    """Show one model, by any name that it goes by here."""
    model = find_model(services_of(request).decision_point, _policy(request, caller), id)
    if model is None:
        raise NotFound(f"There is no model {id[:100]!r} that this key can ask for.", param="id")
    return json_answer(_anthropic(model) if "anthropic-version" in request.headers else _openai(model))


@router.get("/llm/config", response_class=Response, responses=answers(_Config, "The models."))
def show_config(request: Request, caller: Caller, _query: NoQuery) -> Response:
    """List the same models for clients of the AI SDK's gateway."""
    found = list_models(services_of(request).decision_point, _policy(request, caller))
    return json_answer(_Config(models=[_config(model) for model in found]))


def _policy(request: Request, caller: Principal) -> Policy:
    state = services_of(request).control.state
    return choose_policy(state.policies.get(caller.org_id, ()), None, caller.policy_slot)


def _openai(model: ListedModel) -> _Model:
    return _Model(
        id=model.id,
        owned_by=model.creator,
        name=model.id,
        type=model.kind,
        provider=model.provider,
        operations=model.operations,
    )


def _config(model: ListedModel) -> _ConfigModel:
    specification = {"specificationVersion": "v2", "provider": model.provider, "modelId": model.id}
    return _ConfigModel(id=model.id, name=model.id, model_type=model.kind, specification=specification)


def _anthropic(model: ListedModel) -> dict[str, Any]:
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.id,
        "created_at": _UNKNOWN_TIME,
        "lifecycle": "active",
    }


def _anthropic_page(models: list[dict[str, Any]], page: _PageQuery) -> dict[str, Any]:
    ids = [model["id"] for model in models]
    first, last = 0, len(models)
    if page.after_id is not None:
        first = _place(ids, page.after_id, "after_id") + 1
    if page.before_id is not None:
        last = _place(ids, page.before_id, "before_id")
    limit = parse_limit(page.limit) or _ANTHROPIC_LIMIT
    # what lies before a model is its nearest neighbours, in the order of the list
    part = models[max(first, last - limit) : last] if page.before_id is not None else models[first:last][:limit]
    return {
        "data": part,
        "has_more": len(part) < len(models[first:last]),
        "first_id": part[0]["id"] if part else None,
        "last_id": part[-1]["id"] if part else None,
    }


def _place(ids: list[str], name: str, param: str) -> int:
    if name not in ids:
        raise InvalidInput(f"{param} must be the id of a model in this list.", param=param)
    return ids.index(name)
