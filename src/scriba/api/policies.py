"""`/governance`: the policies of the caller's organisation."""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from starlette.convertors import Convertor, register_url_convertor

from scriba.api.access import Caller, actor_of, services_of
from scriba.api.body import JsonBody
from scriba.api.described import accepts, answers
from scriba.api.json_answer import json_answer
from scriba.api.query import NoQuery, WindowQuery
from scriba.api.repeats import Repeated, mark_replayed
from scriba.api.shapes import Deleted, PolicyChange, PolicyDocument, PolicyDraft, PolicyList
from scriba.audit.export import pagination_of
from scriba.domain.timestamp import format_timestamp
from scriba.policy.rules import Policy, Rules

__all__ = ["router"]


class _PolicyId(Convertor[str]):
    """Only ids of policies, so that every other word after `/governance/` is free for other resources."""

    regex = "gpol_[^/]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("policy", _PolicyId())

router = APIRouter()


@router.post(
    "/governance",
    response_class=Response,
    status_code=HTTPStatus.CREATED,
    responses=answers(PolicyDocument, "The policy.", status=HTTPStatus.CREATED),
    openapi_extra=accepts(PolicyDraft),
)
def create_policy(request: Request, caller: Caller, _query: NoQuery, body: JsonBody, repeat: Repeated) -> Response:
    """Create a policy."""
    services, actor = services_of(request), actor_of(request, caller)
    policy = services.control.create_policy(caller.org_id, body, vendors=services.vendors, actor=actor, repeat=repeat)
    return mark_replayed(json_answer(_document(policy), HTTPStatus.CREATED), repeat)


@router.get("/governance", response_class=Response, responses=answers(PolicyList, "The policies."))
def list_policies(request: Request, caller: Caller, query: WindowQuery) -> Response:
    """List policies, oldest first."""
    window = query.window()
    policies = services_of(request).control.policies_of(caller.org_id)
    part = window.part_of(policies)
    pagination = pagination_of(window, len(policies), len(part))
    return json_answer({"policies": [_document(policy) for policy in part], "pagination": pagination})


@router.get("/governance/{id:policy}", response_class=Response, responses=answers(PolicyDocument, "The policy."))
def get_policy(request: Request, caller: Caller, id: str, _query: NoQuery) -> Response:  # noqa: A002 - the name in the path
    """Return a policy in its newest version."""
    return json_answer(_document(services_of(request).control.find_policy(caller.org_id, id)))


@router.patch(
    "/governance/{id:policy}",
    response_class=Response,
    responses=answers(PolicyDocument, "The policy in its new version."),
    openapi_extra=accepts(PolicyChange),
)
def update_policy(
    request: Request,
    caller: Caller,
    id: str,  # noqa: A002 - the name in the path
    _query: NoQuery,
    body: JsonBody,
) -> Response:
    """Change a policy by a JSON Merge Patch (RFC 7396); a change makes a new version."""
    services, actor = services_of(request), actor_of(request, caller)
    policy = services.control.update_policy(caller.org_id, id, body, vendors=services.vendors, actor=actor)
    return json_answer(_document(policy))


@router.delete("/governance/{id:policy}", response_class=Response, responses=answers(Deleted, "What was deleted."))
def delete_policy(request: Request, caller: Caller, id: str, _query: NoQuery) -> Response:  # noqa: A002 - the name in the path
    """Delete a policy. Its versions are kept, since entries name them."""
    policy = services_of(request).control.delete_policy(caller.org_id, id, actor=actor_of(request, caller))
    return json_answer({"id": policy.id, "deleted": True})


def _document(policy: Policy) -> dict[str, object]:
    """Return a policy as the API shows it: rules that are not set are false or left out."""
    document: dict[str, object] = {
        "id": policy.id,
        "orgId": policy.org_id,
        "name": policy.name,
        "description": policy.description,
        "tagSlot": policy.tag_slot,
        "isDefault": policy.is_default,
        "isActive": policy.is_active,
        "rules": _rules(policy.rules),
        "version": policy.version,
        "sha256": policy.sha256,
        "createdAt": format_timestamp(policy.created_at),
        "updatedAt": format_timestamp(policy.updated_at),
    }
    if not policy.description:
        del document["description"]
    return document


def _rules(rules: Rules) -> dict[str, object]:
    document = {
        "minimumTrustTier": rules.minimum_trust_tier,
        "blockChinaProviders": rules.block_china_providers,
        "requireZdr": rules.require_zdr,
        "requireBaa": rules.require_baa,
        "requireHipaa": rules.require_hipaa,
        "requireSoc2": rules.require_soc2,
        "providerAllowlist": rules.provider_allowlist,
        "providerBlocklist": rules.provider_blocklist,
        "modelAllowlist": rules.model_allowlist,
        "modelBlocklist": rules.model_blocklist,
        "enforcement": rules.enforcement,
    }
    return {name: value for name, value in document.items() if value or value is False}
