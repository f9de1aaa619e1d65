"""The gateway as an ASGI application: reads a request, has it ruled on, and forwards or refuses."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Final

from scriba.auth import api_key_of
from scriba.errors import InvalidInput, NotFound, ScribaError
from scriba.gateway.answer import MethodNotAllowedError, Problem, problem_of
from scriba.gateway.body import Body, parse_body
from scriba.gateway.caller import address_of, policy_slot, read_caller
from scriba.gateway.configured import SANDBOX
from scriba.gateway.enforcement import EnforcementPoint, Request, Ruling
from scriba.gateway.exchange import ClientGone, Exchange
from scriba.gateway.forward import Forwarding
from scriba.gateway.headers import RequestHeaders
from scriba.gateway.refusal import refusal
from scriba.gateway.routes import PATHS, ROUTES, route_like, routes_at
from scriba.gateway.upstream import Call
from scriba.ledger.canonical import InvalidRecord, check_text
from scriba.metrics import count_decision, in_flight
from scriba.policy.resolution import MAX_MODEL_BYTES

if TYPE_CHECKING:
    from scriba.access_failures import AccessFailures
    from scriba.gateway.configured import Configured
    from scriba.gateway.exchange import Message, Receive, Send
    from scriba.gateway.route import Route
    from scriba.gateway.upstream import Upstream
    from scriba.ledger.keyring import Keyring
    from scriba.settings import Settings
    from scriba.storage.appender import Appender

__all__ = ["Gateway"]

_SHOWN: Final = 100
"""Characters of a path that an error repeats."""

_log: Final = logging.getLogger("scriba.gateway")


class Gateway:
    """Answers everything in `ROUTES`. One for each process.

    :param upstreams: the providers in `configured`
    :param sandbox: what answers for the sandbox, if it is on
    """

    def __init__(
        self,
        *,
        settings: Settings,
        configured: Configured,
        enforcement: EnforcementPoint,
        appender: Appender,
        keyring: Keyring,
        failures: AccessFailures,
        upstreams: Upstream,
        sandbox: Upstream,
    ) -> None:
        self._settings = settings
        self._configured = configured
        self._enforcement = enforcement
        self._appender = appender
        self._keyring = keyring
        self._failures = failures
        self._upstreams = upstreams
        self._sandbox = sandbox

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        exchange = Exchange(scope, receive, send, self._settings.trusted_proxies)
        route = ROUTES.get((scope["method"], scope["path"]))
        if route is None:
            await _refuse_place(exchange, scope)
            return
        _mark_dialect(exchange, route)
        in_flight.inc()
        try:
            await self._serve(exchange, route)
        except ClientGone:
            return
        except ScribaError as error:
            self._note(exchange, route, error)
            await _fail(exchange, route, error)
        except Exception as error:  # noqa: BLE001  # the edge of a request: what went wrong stays with this one
            _log_unexpected(exchange, error)
            problem = ScribaError("Something went wrong inside Scriba; its log says more.")
            self._note(exchange, route, problem)
            await _fail(exchange, route, problem)
        finally:
            in_flight.dec()

    async def _serve(self, exchange: Exchange, route: Route) -> None:
        """Take the way that every request takes: who asks, what is asked, the ruling, and only then a provider."""
        headers = RequestHeaders(exchange.headers)
        key = api_key_of(headers.text(b"authorization"), headers.text(b"x-api-key"))
        admission = await self._enforcement.admit(key)
        exchange.principal = admission.principal
        raw, digest = await exchange.read_body(headers, self._settings.max_body_bytes)
        body = parse_body(raw, ("model", route.user_field.partition(".")[0]))
        request = self._request(exchange, route, headers, body, digest)
        ruling = await self._enforcement.rule(request, admission)
        count_decision(route.operation, ruling.outcome)
        self._mark(exchange, ruling)
        if ruling.decision.allowed:
            await self._forward(exchange, route, ruling, body)
        else:
            await _answer(exchange, route, refusal(exchange, ruling, self._configured))

    def _note(self, exchange: Exchange, route: Route, error: ScribaError) -> None:
        """Count a request that comes to no decision, and who was refused."""
        if not exchange.audit_id:
            count_decision(route.operation, "error")
        address = address_of(exchange.headers, exchange.peer, self._settings.trusted_proxies)
        self._failures.note(error, address, exchange.principal)

    def _request(self, exchange: Exchange, route: Route, headers: RequestHeaders, body: Body, digest: str) -> Request:
        caller = read_caller(headers, exchange.peer, self._settings.trusted_proxies)
        return Request(
            id=exchange.request_id,
            route=route,
            model=_model(body, route),
            user=caller.user or body.text(route.user_field),
            user_field="ai-reporting-user" if caller.user else route.user_field,
            body=body,
            body_sha256=digest,
            slot=policy_slot(headers),
            caller=caller,
        )

    def _mark(self, exchange: Exchange, ruling: Ruling) -> None:
        """Put what was decided, and where it stands, on every answer from here on."""
        decision, appended = ruling.decision, ruling.appended
        exchange.marks.append((b"x-policy-id", decision.policy_id.encode()))
        if decision.violation_codes:
            exchange.marks.append((b"x-policy-violations", ", ".join(decision.violation_codes).encode()))
        if appended is None:
            exchange.marks.append((b"x-audit-unlogged", b"log_unavailable"))
            return
        exchange.audit_id = decision.id
        receipt = self._keyring.of(appended.origin).sign_receipt(appended.seq, appended.leaf_hash, appended.log_time)
        exchange.marks += ((b"x-audit-id", decision.id.encode()), (b"x-audit-receipt", receipt.encode()))

    async def _forward(self, exchange: Exchange, route: Route, ruling: Ruling, body: Body) -> None:
        """Pass the request on. A `Ruling` that allows it is the only way to here."""
        decision = ruling.decision
        renamed = decision.upstream_model != decision.model
        call = Call(
            provider=decision.provider,
            route=route,
            headers=exchange.headers,
            body=body.replaced("model", decision.upstream_model) if renamed else body.raw,
        )
        upstream = self._sandbox if decision.provider == SANDBOX else self._upstreams
        forwarding = Forwarding(exchange, upstream, call)
        try:
            await forwarding.run()
        finally:
            if ruling.appended is not None:
                self._appender.submit(ruling.log, forwarding.outcome(ruling.appended.seq))


def _model(body: Body, route: Route) -> str:
    """Return the model that is asked for, once nothing in the body can bring in another one."""
    if name := body.find(route.bypasses):
        raise InvalidInput(f"`{name}` {route.bypasses[name.casefold()]}", param=name)
    if route.check_body is not None:
        route.check_body(body)
    if not (model := body.text("model")):
        raise InvalidInput("`model` is missing: name the model to ask, such as `gpt-4o`.", param="model")
    _check_model(model)
    return model


def _check_model(model: str) -> None:
    """Refuse what no entry could hold before anything is looked up for it. The length first, which costs least."""
    if (size := len(model.encode())) > MAX_MODEL_BYTES:
        raise InvalidInput(f"`model` has {size} bytes; the limit is {MAX_MODEL_BYTES}.", param="model")
    try:
        check_text(model, "model", MAX_MODEL_BYTES)
    except InvalidRecord as error:
        raise InvalidInput(f"`model` {error.message}.", param="model") from None


async def _refuse_place(exchange: Exchange, scope: Message) -> None:
    """Answer for a path that the gateway does not serve, or not by this method."""
    path, known = scope["path"], routes_at(scope["path"])
    route = route_like(path)
    _mark_dialect(exchange, route)
    if known:
        allowed = ", ".join(known)
        exchange.marks.append((b"allow", allowed.encode()))
        await _fail(exchange, route, MethodNotAllowedError(f"{path} takes {allowed}, not {scope['method']}."))
        return
    served = ", ".join(sorted(served for served in PATHS if not served.startswith("/llm")))
    hint = "Scriba keeps no answers: send the whole conversation instead." if "/responses/" in path else None
    await _fail(exchange, route, NotFound(f"{path[:_SHOWN]} is not served here; POST {served} are.", hint=hint))


def _mark_dialect(exchange: Exchange, route: Route) -> None:
    if route.dialect == "anthropic":  # whose clients look for the id of a request there
        exchange.marks.append((b"request-id", exchange.request_id.encode()))


async def _fail(exchange: Exchange, route: Route, error: ScribaError) -> None:
    """Answer with an error, unless an answer has begun: that one then stays without its end."""
    if not exchange.started:
        await _answer(exchange, route, problem_of(error, exchange))


async def _answer(exchange: Exchange, route: Route, problem: Problem) -> None:
    await exchange.answer(problem.status, problem.headers(), route.encode_problem(problem))


def _log_unexpected(exchange: Exchange, error: Exception) -> None:
    # The places, but not the message: nobody knows whose words stand in it.
    places = "".join(traceback.format_tb(error.__traceback__))
    _log.error("%s: unexpected %s\n%s", exchange.request_id, type(error).__name__, places)
