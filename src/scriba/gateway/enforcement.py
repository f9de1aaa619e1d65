"""The policy enforcement point: the one way to a provider.

Who asks, what the policy says, and an entry that is durable before anything follows from it. Only a `Ruling` opens
the way to a provider, and only `EnforcementPoint.rule` makes one.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from scriba.auth import Principal, require
from scriba.domain.ids import mint_id
from scriba.domain.record import Decision, Enforcement, Hidden, Source
from scriba.errors import InvalidInput, PermissionDenied, Unavailable
from scriba.gateway.body import Body
from scriba.gateway.caller import Caller
from scriba.gateway.route import Route
from scriba.gateway.routes import served_operations
from scriba.gateway.stored import check_stored
from scriba.ledger.canonical import InvalidRecord
from scriba.metrics import count_unlogged, measure_append
from scriba.policy.engine import RequestFacts
from scriba.policy.rules import choose_policy
from scriba.storage.appender import StaleControl
from scriba.storage.model import Appended, ControlState, LogId, LogName, Role

if TYPE_CHECKING:
    from collections.abc import Container

    from scriba.auth import Authenticator
    from scriba.metrics import Decided
    from scriba.policy.configured import ConfiguredProvider
    from scriba.policy.engine import DecisionPoint, Verdict
    from scriba.policy.rules import Policy
    from scriba.storage.appender import Appender
    from scriba.storage.control import Control

__all__ = ["MAX_DECISIONS", "Admission", "EnforcementPoint", "Request", "Ruling"]

MAX_DECISIONS: Final = 5
"""How often one request is decided while keys and policies change under it."""

_GAP_REASON: Final = "The log could not be written."

_HEADERS: Final = {"clientRequestId": "X-Client-Request-Id", "tags": "ai-reporting-tags"}
"""Field of a record to the header that its value came in."""


class Admission(msgspec.Struct, frozen=True):
    """Who asks, as of one state of keys and policies.

    :param key: the API key itself, to be looked at again if keys change meanwhile
    """

    key: str
    principal: Principal
    state: ControlState


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked.

    :param slot: the policy slot that the request names
    :param user: the caller's own user, given as `user_field`
    """

    id: str
    route: Route
    model: str
    user: str
    user_field: str
    body: Body
    body_sha256: str
    slot: int | None
    caller: Caller


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided, and where it stands.

    :param appended: None if the log could not be written and the operator lets requests through then
    """

    log: LogId
    decision: Decision
    appended: Appended | None

    @property
    def outcome(self) -> Decided:
        """What became of the request, in the words of reports."""
        decision = self.decision
        if not decision.allowed:
            return "blocked"
        if not decision.violation_codes:
            return "allowed"
        return "warned" if decision.enforcement == Enforcement.WARN else "rerouted"


class EnforcementPoint:
    """Decides and records. One for each process.

    :param keeping: providers that keep things under ids which one organisation may not name if there are others
    """

    def __init__(
        self,
        control: Control,
        authenticator: Authenticator,
        appender: Appender,
        decision_point: DecisionPoint,
        log_failure: Literal["refuse", "allow"],
        *,
        keeping: Container[str] = (),
    ) -> None:
        self._control = control
        self._authenticator = authenticator
        self._appender = appender
        self._decision_point = decision_point
        self._configured = {provider.id: provider for provider in decision_point.catalogue.configured}
        self._lets_through = log_failure == "allow"
        self._keeping = keeping

    async def admit(self, key: str) -> Admission:
        """Find out who asks. Reads the database only for a key that is not known yet.

        :raises Unauthenticated: an unknown, revoked or expired key
        :raises PermissionDenied: a key whose role may not call models
        """
        state = self._control.state
        principal = self._authenticator.known(key)
        if principal is None:
            await asyncio.to_thread(self._authenticator.identify, key)
            return await self.admit(key)  # it is known now; state and principal must be of one time
        require(principal, (Role.APP,))
        return Admission(key, principal, state)

    async def rule(self, request: Request, admission: Admission) -> Ruling:
        """Decide about a request and return once the entry is durable.

        :raises InvalidInput: something in the request cannot be recorded, or no provider could take it like this
        :raises PermissionDenied: the key may not use the policy slot that the request names
        :raises Unavailable: the entry could not be written, so nothing may follow
        """
        for _ in range(MAX_DECISIONS):
            principal, state = admission.principal, admission.state
            policy = _policy(request, principal, state)
            verdict = self._decide(request, policy)
            if len(state.organisations) > 1 and verdict.allowed and verdict.provider in self._keeping:
                check_stored(request.body, verdict.provider)
            decision = self._decision(request, principal, policy, verdict)
            log = LogId(principal.org_id, LogName.REQUESTS)
            try:
                appended = await self._append(log, decision, state.revision)
            except InvalidRecord as error:
                raise _unrecordable(error, request) from None
            except StaleControl:
                await asyncio.to_thread(self._control.refresh)
                admission = await self.admit(admission.key)
            else:
                return Ruling(log=log, decision=decision, appended=appended)
        raise Unavailable("Keys and policies are changing too quickly to decide.", hint="Try again in a moment.")

    def _decide(self, request: Request, policy: Policy) -> Verdict:
        operation = request.route.operation
        verdict = self._decision_point.decide(policy, RequestFacts(model=request.model, operation=operation))
        if verdict.allowed and not self._configured[verdict.provider].speaks(operation):
            raise _wrong_dialect(self._configured[verdict.provider], request.route)
        if verdict.allowed and self._decision_point.catalogue.facts(verdict.provider).router:
            _check_fields(request, verdict.provider)
        return verdict

    def _decision(self, request: Request, principal: Principal, policy: Policy, verdict: Verdict) -> Decision:
        caller = request.caller
        return Decision(
            id=mint_id("audit"),
            org_id=principal.org_id,
            request_id=request.id,
            model=request.model,
            allowed=verdict.allowed,
            enforcement=verdict.enforcement,
            policy_id=policy.id,
            policy_name=policy.name,
            policy_slot=policy.tag_slot,
            policy_version=policy.version,
            policy_sha256=policy.sha256,
            catalogue_sha256=self._decision_point.catalogue.sha256,
            source=Source.GATEWAY,
            provider=verdict.provider,
            requested_provider=verdict.requested_provider,
            violation_reasons=verdict.reasons,
            violation_codes=verdict.codes,
            operation=request.route.operation,
            canonical_model=verdict.canonical_model,
            upstream_model=verdict.upstream_model,
            retry_count=caller.retry_count,
            hidden=Hidden(
                api_key_id=principal.key_id,
                client_request_id=caller.client_request_id,
                ip_address=caller.address,
                request_sha256=request.body_sha256,
                tags=tuple(dict.fromkeys((*principal.tags, *caller.tags))) if principal.tags else caller.tags,
                user=request.user,
                user_agent=caller.user_agent,
            ),
        )

    async def _append(self, log: LogId, decision: Decision, revision: int) -> Appended | None:
        began = time.perf_counter()
        try:
            appended = await self._appender.append(log, decision, revision=revision)
        except Unavailable:
            # A refusal is no way through: without its entry it would be a verdict that nobody can prove.
            if not (self._lets_through and decision.allowed):
                count_unlogged("refused")
                raise
            count_unlogged("let_through")
            self._appender.note_unlogged(log, _GAP_REASON)
            return None
        measure_append(began)
        return appended


def _policy(request: Request, principal: Principal, state: ControlState) -> Policy:
    slot = request.slot
    if slot is not None and slot != principal.policy_slot and slot not in principal.allowed_slots:
        raise PermissionDenied(f"This key may not use policy slot {slot}.", param="X-Policy-Slot")
    return choose_policy(state.policies.get(principal.org_id, ()), slot, principal.policy_slot)


def _unrecordable(error: InvalidRecord, request: Request) -> InvalidInput:
    """Say it in the caller's words: what is called `user` in a record may have come in a header."""
    name = request.user_field if error.field == "user" else _HEADERS.get(error.field, error.field)
    return InvalidInput(f"`{name}` {error.message}.", param=name)


def _check_fields(request: Request, router: str) -> None:
    """Refuse what would tell a router of another model than the one that was judged."""
    route, body = request.route, request.body
    name = body.find(route.router_fields)
    if not name and any(kind.lower().startswith(route.router_tools) for kind in body.tool_types()):
        name = "tools"
    if name:
        raise InvalidInput(
            f"`{name}` would let the router '{router}' ask another model than `model`, past the policy.",
            param=name,
            hint="Leave it out: only `model` is judged.",
        )


def _wrong_dialect(provider: ConfiguredProvider, route: Route) -> InvalidInput:
    others = served_operations(route.operation)
    fitting = [f"POST {path}" for path, operation in others.items() if provider.speaks(operation)]
    setting = f"{route.dialect}_base_url in its table [providers.{provider.id}]"
    return InvalidInput(
        f"The provider '{provider.id}' does not speak the dialect of this route, '{route.dialect}', here, and nothing "
        "is translated.",
        param="model",
        hint=f"Ask it by {' or '.join(fitting)}, or give it an {setting}." if fitting else f"Give it an {setting}.",
    )
