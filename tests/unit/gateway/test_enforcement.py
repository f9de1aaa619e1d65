"""The ruling fits the policy, the providers that are on, and the way that the request came."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.asking import CHAT, ask
from tests.provider import KEY, Provider
from tests.running import serving, settings_in

from scriba.gateway.enforcement import MAX_DECISIONS
from scriba.storage.appender import Appender, StaleControl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running import Running

SOFT = {"providerAllowlist": ["azure"], "enforcement": "soft_block"}


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory, _session_provider: Provider) -> Iterator[Running]:
    """Run a server with two providers of one model, one that speaks another dialect, and a proxy in front."""
    toml = f"""
    trusted_proxies = ["127.0.0.0/8"]
    [providers.openai]
    base_url = "{_session_provider.url}"
    [providers.azure]
    base_url = "{_session_provider.url}"
    models = {{"ours" = "gpt-4o"}}
    [providers.anthropic]
    anthropic_base_url = "{_session_provider.url}"
    """
    keys = dict.fromkeys(("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "ANTHROPIC_API_KEY"), KEY)
    with serving(settings_in(tmp_path_factory.mktemp("rich"), toml, keys)) as running:
        yield running


def test_soft_block_takes_the_next_provider_that_complies(rich: Running, provider: Provider) -> None:
    """The request goes to the other provider of the same model, under its name there, and everybody is told why."""
    tenant = rich.tenant(SOFT)
    answer = ask(rich.url, tenant.app)
    assert answer.status == 200
    assert answer.headers["x-policy-violations"] == "provider_not_allowed"
    (entry,) = rich.decisions(tenant.id)
    assert (entry.allowed, entry.requested_provider, entry.provider) == (True, "openai", "azure")
    assert entry.violation_codes == ("provider_not_allowed",)
    assert provider.received[0].json["model"] == entry.upstream_model == "gpt-4o"


def test_soft_block_without_another_provider_refuses(rich: Running, provider: Provider) -> None:
    """Nobody else serves this model here, so nobody is asked."""
    tenant = rich.tenant(SOFT)
    answer = ask(rich.url, tenant.app, CHAT | {"model": "gpt-4o-mini"})
    assert (answer.status, answer.error["code"]) == (403, "policy_violation")
    assert "No configured provider of model 'gpt-4o-mini' complies" in answer.error["message"]
    assert provider.received == []


def test_an_unknown_model_is_refused_whatever_the_policy(rich: Running, provider: Provider) -> None:
    """A guess would put a wrong provider into the log; the refusal is an entry and says what to do."""
    tenant = rich.tenant()
    answer = ask(rich.url, tenant.app, CHAT | {"model": "no-such-model"})
    assert (answer.status, answer.error["code"]) == (403, "model_unknown")
    assert "openai/gpt-4o" in answer.error["message"]
    assert rich.decisions(tenant.id)[0].violation_codes == ("model_unknown",)
    assert provider.received == []


def test_dialects_are_not_translated(rich: Running, provider: Provider) -> None:
    """A provider that is on in another dialect alone gets nothing; the answer says what is missing."""
    tenant = rich.tenant()
    answer = ask(rich.url, tenant.app, CHAT | {"model": "claude-sonnet-4-20250514"})
    assert (answer.status, answer.error["param"]) == (400, "model")
    assert "POST /v1/messages, or give it an openai_base_url" in answer.error["message"]
    assert rich.decisions(tenant.id) == []
    assert provider.received == []


@pytest.mark.parametrize(
    ("path", "asked", "works"),
    [
        ("/v1/messages", {"messages": [], "max_tokens": 1}, "POST /v1/chat/completions or POST /v1/responses, or give"),
        ("/v1/messages/count_tokens", {"messages": []}, "POST /v1/chat/completions or POST /v1/responses, or give"),
        ("/v1/responses", {"input": "Hi"}, "POST /v1/messages, or give it an openai_base_url"),
        ("/v1/embeddings", {"input": "Hi"}, "nothing is translated. Give it an openai_base_url"),
    ],
)
def test_the_route_that_would_work_is_named(
    rich: Running, provider: Provider, path: str, asked: dict[str, object], works: str
) -> None:
    """For each operation: what the provider can be asked by instead, if there is anything."""
    model = "gpt-4o-mini" if "messages" in path else "anthropic/claude-sonnet-4-20250514"
    answer = ask(rich.url, rich.tenant().app, asked | {"model": model}, path=path)
    assert (answer.status, answer.error["param"]) == (400, "model")
    assert works in answer.error["message"]
    assert provider.received == []


def test_an_operators_name_is_routed(rich: Running, provider: Provider) -> None:
    """A name of the operator's goes out as the model behind it."""
    tenant = rich.tenant()
    assert ask(rich.url, tenant.app, CHAT | {"model": "ours"}).status == 200
    assert provider.received[0].json == CHAT
    assert rich.decisions(tenant.id)[0].model == "ours"


def test_behind_a_proxy_the_caller_is_who_the_proxy_saw(rich: Running) -> None:
    """Address, scheme and host are what a trusted proxy says, also in the address of the entry."""
    tenant = rich.tenant({"providerAllowlist": ["mistral"], "enforcement": "hard_block"})
    headers = [
        ("x-forwarded-for", "198.51.100.7, 203.0.113.9"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "scriba.example.com"),
    ]
    error = ask(rich.url, tenant.app, CHAT, headers).error
    assert rich.decisions(tenant.id)[0].hidden.ip_address == "203.0.113.9"
    assert error["auditUrl"] == f"https://scriba.example.com/entries/{error['auditId']}"


def test_a_decision_is_made_again_when_policies_changed(
    rich: Running, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written or forwarded under a policy that is no longer the newest."""
    tenant = rich.tenant()
    append = Appender.append
    tries: list[str] = []

    async def stale_at_first(self: Appender, log: object, record: object, *, revision: int | None = None) -> object:
        tries.append(record.policy_id)  # type: ignore[attr-defined]  # a decision
        if len(tries) == 1:
            rich.policy(tenant.id, isDefault=True, rules={"modelBlocklist": ["gpt-4o"], "enforcement": "hard_block"})
            raise StaleControl
        return await append(self, log, record, revision=revision)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(Appender, "append", stale_at_first)
    assert ask(rich.url, tenant.app).status == 403
    assert tries[0] == "gpol_none"
    assert tries[1].startswith("gpol_0")
    assert provider.received == []


def test_the_number_of_decisions_is_bounded(rich: Running, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """If keys and policies change faster than a request can be decided, it is told to come back."""
    tenant = rich.tenant()
    tries = []

    async def stale(*_: object, **__: object) -> None:
        tries.append(1)
        raise StaleControl

    monkeypatch.setattr(Appender, "append", stale)
    answer = ask(rich.url, tenant.app)
    assert (answer.status, answer.error["code"]) == (503, "unavailable")
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert len(tries) == MAX_DECISIONS
    assert provider.received == []


@pytest.fixture(scope="module")
def routed(tmp_path_factory: pytest.TempPathFactory, _session_provider: Provider) -> Iterator[Running]:
    """Run a server with a router and, for the same models, a provider that is none."""
    toml = f"""
    [providers.openrouter]
    base_url = "{_session_provider.url}"
    [providers.openai]
    base_url = "{_session_provider.url}"
    """
    keys = dict.fromkeys(("OPENROUTER_API_KEY", "OPENAI_API_KEY"), KEY)
    with serving(settings_in(tmp_path_factory.mktemp("routed"), toml, keys)) as running:
        yield running


TOLD_ROUTERS = [
    ("preset", "mine"),
    ("fallbacks", ["deepseek/deepseek-chat"]),
    ("route", "fallback"),
    ("plugins", [{"id": "auto-router", "allowed_models": ["deepseek/*"]}]),
    ("provider", {"only": ["deepseek"]}),
    ("providerOptions", {"gateway": {"models": ["deepseek/deepseek-v3"]}}),
    ("Preset", "mine"),
    ("tools", [{"type": "function"}, {"type": "openrouter:advisor", "parameters": {"model": "deepseek/x"}}]),
    ("tools", [{"type": 1}]),
    ("tools", {"type": "openrouter:advisor"}),
]


@pytest.mark.parametrize(("name", "value"), TOLD_ROUTERS)
def test_a_router_is_told_of_no_model_but_the_judged_one(
    routed: Running, provider: Provider, name: str, value: object
) -> None:
    """A field by which a router would ask another model is refused under its name; nothing is forwarded or logged."""
    tenant = routed.tenant()
    answer = ask(routed.url, tenant.app, CHAT | {"model": "openrouter/openai/gpt-4o", name: value})
    assert (answer.status, answer.error["param"]) == (400, name)
    assert f"`{name}`" in answer.error["message"]
    assert provider.received == []
    assert routed.decisions(tenant.id) == []


@pytest.mark.parametrize(("name", "value"), TOLD_ROUTERS)
def test_other_providers_may_mean_something_else_by_it(
    routed: Running, provider: Provider, name: str, value: object
) -> None:
    """Who serves the model itself gets the fields as they are."""
    answer = ask(routed.url, routed.tenant().app, CHAT | {name: value})
    assert answer.status == 200
    assert provider.received[0].json[name] == value


def test_models_are_refused_everywhere_and_in_any_case(routed: Running, provider: Provider) -> None:
    """No provider that knows this field means anything else by it."""
    answer = ask(routed.url, routed.tenant().app, CHAT | {"Models": ["deepseek/x"]})
    assert (answer.status, answer.error["param"]) == (400, "Models")
    assert provider.received == []


def test_a_router_serves_tools_of_the_caller(routed: Running, provider: Provider) -> None:
    """Functions are answered by the caller, so they call no other model."""
    function = {"type": "function", "function": {"name": "weather", "parameters": {}}}
    for tools in ([function], [], None):
        body = CHAT | {"model": "openrouter/openai/gpt-4o", "tools": tools}
        assert ask(routed.url, routed.tenant().app, body).status == 200
    assert len(provider.received) == 3


def test_a_router_that_the_policy_refuses_is_refused_for_that(routed: Running) -> None:
    """The fields matter only where the request would go to the router: else the entry says what the policy says."""
    tenant = routed.tenant({"providerBlocklist": ["deepseek"], "enforcement": "hard_block"})
    answer = ask(routed.url, tenant.app, CHAT | {"model": "openrouter/auto", "preset": "mine"})
    assert (answer.status, answer.error["code"]) == (403, "policy_violation")
    assert [entry.violation_codes for entry in routed.decisions(tenant.id)] == [("creator_blocked",)]
