"""What callers send is refused by name or recorded as it was sent, and nothing slips past the decision."""

from __future__ import annotations

import hashlib
import http.client
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from tests.asking import CHAT, PATH, Headers, ask
from tests.provider import Provider, completion, failing, streamed

from scriba.domain.record import Ended, LogStart
from scriba.ledger.receipt import check_receipt
from scriba.merkle.note import parse_vkey
from scriba.storage.model import COMMAND_LINE, Role

if TYPE_CHECKING:
    from tests.running import Running, Tenant

WARN = {"requireZdr": True, "enforcement": "warn"}
HARD = {"blockChinaProviders": True, "enforcement": "hard_block"}
NO_OPENAI = {"providerBlocklist": ["openai"], "enforcement": "hard_block"}


pytestmark = pytest.mark.usefixtures("provider")  # forgets what other tests have told it


@pytest.fixture(scope="module")
def tenant(server: Running) -> Tenant:
    """Make an organisation without any policy."""
    return server.tenant()


def _model(model: object) -> dict[str, Any]:
    return CHAT | {"model": model}


class Bad(NamedTuple):
    """A request that must be refused, and how."""

    name: str
    body: object
    headers: Headers
    status: int
    param: str | None
    words: str


BAD = [
    Bad("malformed JSON", b'{"model": "gpt-4o"', [], 400, "body", "not valid JSON"),
    Bad("no JSON object", b"[]", [], 400, "body", "must be a JSON object"),
    Bad("empty body", b"", [], 400, "body", "not valid JSON"),
    Bad("model twice", b'{"model": "sandbox/echo", "model": "gpt-4o"}', [], 400, "model", "more than once"),
    Bad("another case", b'{"model": "sandbox/echo", "messages": [], "MODEL": "gpt-4o"}', [], 400, "MODEL", "`model`"),
    Bad("missing model", {"messages": []}, [], 400, "model", "missing"),
    Bad("empty model", _model(""), [], 400, "model", "missing"),
    Bad("null model", _model(None), [], 400, "model", "missing"),
    Bad("model is a number", _model(4), [], 400, "model", "must be text"),
    Bad("300-byte model", _model("m" * 300), [], 400, "model", "300 bytes; the limit is 256"),
    Bad("U+0000 in model", _model("gpt\0-4o"), [], 400, "model", "U+0000"),
    Bad("newline in model", _model("gpt-4o\n"), [], 400, "model", "U+000A"),
    Bad("U+007F in model", _model("gpt-4o\x7f"), [], 400, "model", "U+007F"),
    Bad("lone surrogate", b'{"model": "\\ud800", "messages": []}', [], 400, "model", "surrogate"),
    Bad("user is a number", CHAT | {"user": 3}, [], 400, "user", "must be text"),
    Bad("long user", CHAT | {"user": "u" * 1025}, [], 400, "user", "1025 bytes; the limit is 1024"),
    Bad("control in user", CHAT | {"user": "a\tb"}, [], 400, "user", "U+0009"),
    Bad("other models", CHAT | {"models": ["deepseek/deepseek-r1"]}, [], 400, "models", "another model"),
    Bad("long user header", CHAT, [("ai-reporting-user", "u" * 1025)], 400, "ai-reporting-user", "limit is 1024"),
    Bad("user not UTF-8", CHAT, [("ai-reporting-user", b"\xff")], 400, "ai-reporting-user", "not UTF-8"),
    Bad("33 tags", CHAT, [("ai-reporting-tags", ",".join(map(str, range(33))))], 400, "ai-reporting-tags", "is 32"),
    Bad("long tag", CHAT, [("ai-reporting-tags", "t" * 129)], 400, "ai-reporting-tags", "limit is 128"),
    Bad("long request id", CHAT, [("x-client-request-id", "i" * 1025)], 400, "X-Client-Request-Id", "limit is 1024"),
    Bad("bad retry count", CHAT, [("x-stainless-retry-count", "two")], 400, "x-stainless-retry-count", "number"),
    Bad("slot 13", CHAT, [("x-policy-slot", "13")], 400, "X-Policy-Slot", "1 to 12"),
    Bad("two slots", CHAT, [("x-policy-slot", "1"), ("x-policy-slot", "2")], 400, "x-policy-slot", "more than once"),
    Bad("a slot of others", CHAT, [("x-policy-slot", "3")], 403, "X-Policy-Slot", "may not use policy slot 3"),
    Bad("compressed", CHAT, [("content-encoding", "gzip")], 415, "content-encoding", "plain"),
    Bad("form", CHAT, [("content-type", "application/x-www-form-urlencoded")], 415, "content-type", "JSON"),
    Bad("UTF-16", CHAT, [("content-type", "application/json; charset=utf-16")], 415, "content-type", "JSON"),
    Bad("no key", CHAT, [("authorization", "")], 401, None, "No API key"),
    Bad("wrong scheme", CHAT, [("authorization", "Basic abc")], 401, None, "No API key"),
    Bad("wrong key", CHAT, [("authorization", "Bearer sk_scriba_wrong")], 401, None, "not known"),
    Bad("key not ASCII", CHAT, [("authorization", "Bearer \u00fc".encode())], 401, None, "not known"),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_bad_input_is_refused_by_name(server: Running, tenant: Tenant, provider: Provider, bad: Bad) -> None:
    """Each answer names the field and what is allowed, in the client's own shape; nothing is forwarded or logged."""
    before = server.decisions(tenant.id)
    answer = ask(server.url, tenant.app, bad.body, bad.headers)
    assert answer.status == bad.status
    assert answer.error["param"] == bad.param
    assert bad.words in answer.error["message"]
    assert answer.error["type"] == "invalid_request_error"
    assert answer.error["requestId"] == answer.headers["x-request-id"]
    assert provider.received == []
    assert server.decisions(tenant.id) == before


@pytest.mark.parametrize("model", ["sandbox/" + "é" * 125, "sandbox/echo\0"])
def test_a_model_that_no_entry_could_hold_is_not_looked_up(
    server: Running, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    """It is refused before the decision, so that nothing is computed or kept for it."""
    looked_up: list[object] = []
    monkeypatch.setattr(server.services.decision_point.resolver, "resolve", lambda *asked: looked_up.append(asked))
    assert ask(server.url, tenant.app, _model(model)).status == 400
    assert looked_up == []


def test_every_limit_is_reachable(server: Running, tenant: Tenant) -> None:
    """What is exactly as long as allowed is recorded whole."""
    tags = [f"{number:0128}" for number in range(32)]
    body = CHAT | {"model": "sandbox/" + "é" * 124, "user": "ü" * 512}
    headers: Headers = [
        ("ai-reporting-tags", ",".join(tags)),
        ("x-client-request-id", "i" * 1024),
        ("user-agent", "a" * 5000),
    ]
    assert ask(server.url, tenant.app, body, headers).status == 404  # the sandbox has no such model
    entry = server.decisions(tenant.id)[-1]
    assert entry.model == body["model"]
    assert entry.hidden.user == body["user"]
    assert entry.hidden.tags == tuple(tags)
    assert entry.hidden.client_request_id == "i" * 1024
    assert entry.hidden.user_agent == "a" * 1024


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused(
    server: Running, tenant: Tenant, provider: Provider, *, chunked: bool
) -> None:
    """Whether its length is announced or not, and also while the client is still sending."""
    limit = server.services.settings.max_body_bytes
    answer = ask(server.url, tenant.app, b'{"model": "gpt-4o", "messages": []}' + b" " * limit, chunked=chunked)
    assert (answer.status, answer.error["param"], answer.error["code"]) == (413, "body", "body_too_large")
    assert str(limit) in answer.error["message"]
    assert provider.received == []


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_over_the_limit_is_not_waited_for(server: Running, tenant: Tenant, *, announced: bool) -> None:
    """The answer comes as soon as it is clear that the body is too long, though its end has not been sent."""
    limit = server.services.settings.max_body_bytes
    with closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)) as connection:
        connection.putrequest("POST", PATH)
        connection.putheader("Authorization", f"Bearer {tenant.app}")
        connection.putheader("Content-Type", "application/json")
        connection.putheader(*(("Content-Length", str(limit + 1)) if announced else ("Transfer-Encoding", "chunked")))
        connection.endheaders()
        if not announced:
            connection.send(b"%x\r\n%b" % (limit + 1, b" " * (limit + 1)))
        assert connection.getresponse().status == 413


def test_a_large_body_within_the_limit_passes_unchanged(server: Running, tenant: Tenant, provider: Provider) -> None:
    """Megabytes arrive at the provider byte by byte as they were sent, and so does their hash in the entry."""
    raw = json.dumps(CHAT | {"pad": "é" * 1_500_000}, ensure_ascii=False).encode()
    assert ask(server.url, tenant.app, raw, chunked=True).status == 200
    assert provider.received[0].body == raw
    assert server.decisions(tenant.id)[-1].hidden.request_sha256 == hashlib.sha256(raw).hexdigest()


def test_a_revoked_key_is_refused_at_once(server: Running, provider: Provider) -> None:
    """From the moment that the revocation is acknowledged no request with the key is forwarded."""
    tenant = server.tenant()
    assert ask(server.url, tenant.app).status == 200
    (key,) = (key for key in server.services.control.keys_of(tenant.id) if key.role is Role.APP)
    server.services.control.revoke_key(tenant.id, key.id, actor=COMMAND_LINE)
    answer = ask(server.url, tenant.app)
    assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")
    assert "revoked" in answer.error["message"]
    assert len(provider.received) == 1


def test_an_auditors_key_cannot_call_models(server: Running, tenant: Tenant, provider: Provider) -> None:
    """Reading the log and calling models are different roles."""
    answer = ask(server.url, tenant.auditor)
    assert (answer.status, answer.error["code"]) == (403, "permission_denied")
    assert answer.headers["x-should-retry"] == "false"
    assert provider.received == []


def test_the_key_may_come_as_x_api_key(server: Running, tenant: Tenant, provider: Provider) -> None:
    """Some clients know only this header; the provider sees neither it nor the key."""
    assert ask(server.url, "", CHAT, [("x-api-key", tenant.app)]).status == 200
    assert tenant.app not in str(provider.received[0].headers)


def test_another_method_is_told_which_ones_there_are(server: Running, tenant: Tenant) -> None:
    """The path exists, the method does not."""
    answer = ask(server.url, tenant.app, b"", method="GET")
    assert (answer.status, answer.error["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


def test_bodies_pass_unchanged(server: Running, tenant: Tenant, provider: Provider) -> None:
    """Spaces, order, spelling, unknown fields: the provider gets what was sent, but for a name that routing needs."""
    raw = b'\n{ "messages":[{"content":"\\u0048i","role" : "user"}],"x":1e3,  "model"\t:  "gpt-4o" , "y":{"model":1}}\n'
    assert ask(server.url, tenant.app, raw).status == 200
    assert ask(server.url, tenant.app, raw.replace(b'"gpt', b'"openai\\/gpt')).status == 200
    assert [received.body for received in provider.received] == [raw, raw]


def test_an_entry_says_who_called_and_how(server: Running, provider: Provider) -> None:
    """Headers and connection are recorded as they were, the key's own tags in front."""
    tenant = server.tenant(tags=("prod", "team-a"))
    headers: Headers = [
        ("ai-reporting-tags", "team-a, batch"),
        ("ai-reporting-user", "jürgen".encode()),
        ("x-client-request-id", "mine-1"),
        ("x-request-id", "proxy-1"),
        ("x-stainless-retry-count", "2"),
        ("user-agent", "curl/8"),
        ("x-forwarded-for", "203.0.113.9"),
    ]
    answer = ask(server.url, tenant.app, CHAT | {"user": "in-body"}, headers)
    (entry,) = server.decisions(tenant.id)
    (key,) = (key for key in server.services.control.keys_of(tenant.id) if key.role is Role.APP)
    assert entry.hidden.api_key_id == key.id
    assert entry.hidden.tags == ("prod", "team-a", "batch")
    assert entry.hidden.user == "jürgen"
    assert entry.hidden.client_request_id == "mine-1"
    assert entry.hidden.user_agent == "curl/8"
    assert entry.hidden.ip_address == "127.0.0.1"
    assert entry.retry_count == 2
    assert entry.request_id == answer.headers["x-request-id"]
    assert (entry.operation, entry.canonical_model, entry.upstream_model) == ("chat", "gpt-4o", "gpt-4o")
    assert entry.catalogue_sha256 == server.services.decision_point.catalogue.sha256
    assert "mine-1" in provider.received[0].headers["x-client-request-id"]


def test_the_user_of_the_body_stands_in_for_the_header(server: Running, tenant: Tenant) -> None:
    """OpenAI's own `user` field says the same thing."""
    ask(server.url, tenant.app, CHAT | {"user": "in-body"})
    assert server.decisions(tenant.id)[-1].hidden.user == "in-body"


def test_the_receipt_belongs_to_the_entry(server: Running, tenant: Tenant) -> None:
    """Whoever keeps the header can prove later that this very entry was there."""
    answer = ask(server.url, tenant.app)
    stored = next(one for one in reversed(server.records(tenant.id)) if getattr(one.record, "allowed", None))
    origin = f"{server.services.store.deployment}/tlog/{tenant.id}/requests/1"
    start = server.records(tenant.id)[0].record
    assert isinstance(start, LogStart)
    receipt = check_receipt(answer.headers["x-audit-receipt"], origin, map(parse_vkey, start.keys))
    assert (receipt.seq, receipt.leaf_hash, receipt.log_time) == (stored.seq, stored.leaf_hash, stored.log_time)


def test_a_warning_travels_with_the_answer(server: Running, provider: Provider) -> None:
    """What `warn` lets through says so to the caller and in the entry."""
    tenant = server.tenant({"modelBlocklist": ["gpt-4*"], "enforcement": "warn"})
    answer = ask(server.url, tenant.app)
    assert answer.status == 200
    assert answer.headers["x-policy-violations"] == "model_blocked"
    (entry,) = server.decisions(tenant.id)
    assert entry.allowed
    assert entry.violation_codes == ("model_blocked",)
    assert len(provider.received) == 1


def test_slots_choose_the_policy(server: Running, provider: Provider) -> None:
    """The request's slot goes before the key's, and only if the key may use it."""
    tenant = server.tenant(policy_slot=1, allowed_slots=(2,))
    server.policy(tenant.id, name="Own", tagSlot=1, rules=NO_OPENAI)
    server.policy(tenant.id, name="Other", tagSlot=2, rules=WARN)
    assert ask(server.url, tenant.app).status == 403
    assert ask(server.url, tenant.app, CHAT, [("x-policy-slot", "2")]).status == 200
    assert ask(server.url, tenant.app, CHAT, [("x-policy-slot", "1")]).status == 403
    entries = server.decisions(tenant.id)
    assert [(entry.policy_name, entry.policy_slot) for entry in entries] == [("Own", 1), ("Other", 2), ("Own", 1)]
    assert len(provider.received) == 1


def test_a_policy_holds_from_the_next_request_on(server: Running, provider: Provider) -> None:
    """A change that another process made is noticed before the next request is decided."""
    tenant = server.tenant()
    assert ask(server.url, tenant.app).status == 200
    state = server.services.control.state
    server.policy(tenant.id, isDefault=True, rules=NO_OPENAI)
    server.services.control.state = state  # as if this process had not heard of it
    assert ask(server.url, tenant.app).status == 403
    assert len(provider.received) == 1


def test_the_outcome_follows_with_status_and_tokens(server: Running, provider: Provider) -> None:
    """Each call that reached a provider gets a record of how it ended, beside its decision."""
    tenant = server.tenant()
    ask(server.url, tenant.app)
    provider.answer = failing(429, "slow down")
    ask(server.url, tenant.app)
    provider.answer = streamed()
    ask(server.url, tenant.app, CHAT | {"stream": True, "stream_options": {"include_usage": True}})
    ask(server.url, tenant.app, CHAT | {"model": "sandbox/echo"})
    outcomes = sorted(server.outcomes(tenant.id, 4), key=lambda outcome: outcome.decision)
    assert [outcome.status for outcome in outcomes] == [200, 429, 200, 200]
    assert {outcome.ended for outcome in outcomes} == {Ended.COMPLETE}
    assert [(outcome.input_tokens, outcome.output_tokens) for outcome in outcomes[:3]] == [
        (11, 7),
        (None, None),
        (11, 7),
    ]
    assert outcomes[3].input_tokens == 3
    seqs = [one.seq for one in server.records(tenant.id) if getattr(one.record, "model", "")]
    assert [outcome.decision for outcome in outcomes] == seqs


def test_a_refusal_has_no_outcome(server: Running, provider: Provider) -> None:
    """Nothing was called, so nothing ended: the only outcome is that of the request that follows."""
    tenant = server.tenant(NO_OPENAI)
    assert ask(server.url, tenant.app).status == 403
    assert ask(server.url, tenant.app, CHAT | {"model": "sandbox/echo"}).status == 200
    (outcome,) = server.outcomes(tenant.id)
    kinds = [type(stored.record).__name__ for stored in server.records(tenant.id)]
    assert kinds == ["LogStart", "Decision", "Decision", "Outcome"]
    assert outcome.decision == 2
    assert provider.received == []


def test_the_providers_headers_come_back(server: Running, tenant: Tenant) -> None:
    """Those of the answer do, its request id under another name; those about its host do not."""
    answer = ask(server.url, tenant.app)
    assert "server" not in answer.headers
    assert answer.headers["x-upstream-request-id"] == "req_of_provider"


def test_names_of_ours_cannot_be_forged_by_a_provider(server: Running, tenant: Tenant, provider: Provider) -> None:
    """An answer carries one id, one receipt: ours."""
    provider.answer = completion(headers={"x-audit-id": "audit_forged", "x-audit-receipt": "1;0", "set-cookie": "a=b"})
    answer = ask(server.url, tenant.app)
    assert answer.headers.get_all("x-audit-id") == [server.decisions(tenant.id)[-1].id]
    assert len(answer.headers.get_all("x-audit-receipt", [])) == 1
    assert "set-cookie" not in answer.headers


def test_the_address_of_the_entry_is_on_the_callers_host(server: Running) -> None:
    """The link leads to where the caller came in, not to where the server thinks it is."""
    tenant = server.tenant(NO_OPENAI)
    error = ask(server.url, tenant.app, CHAT, [("host", "scriba.example.com")]).error
    assert error["auditUrl"] == f"http://scriba.example.com/entries/{error['auditId']}"
    odd = ask(server.url, tenant.app, CHAT, [("host", "a/b?c")]).error
    assert odd["auditUrl"].startswith(f"{server.url}/entries/")


def test_both_paths_are_the_same(server: Running, tenant: Tenant, provider: Provider) -> None:
    """The house path leads through the same decision."""
    answer = ask(server.url, tenant.app, path=f"/llm{PATH}")
    assert server.decisions(tenant.id)[-1].id == answer.headers["x-audit-id"]
    assert provider.received[0].path == PATH
