"""What a refusal says, seen by who gets it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.asking import ask

if TYPE_CHECKING:
    from tests.running import Running

WARN = {"requireBaa": True, "enforcement": "warn"}
BLOCK = {"blockChinaProviders": True, "enforcement": "hard_block"}


def test_a_policy_that_only_warns_is_not_blamed(server: Running) -> None:
    """Promise: a provider without a key is the reason, not the warning of a policy that would let it through."""
    tenant = server.tenant(WARN)
    error = ask(server.url, tenant.app, {"model": "mistral-large-3", "messages": []}).error
    assert error["code"] == "provider_not_configured"
    assert error["message"].startswith(
        "Provider 'mistral' is not configured here (decided under the policy 'Production')."
    )
    assert "MISTRAL_API_KEY" in error["message"]


def test_a_policy_that_refuses_is_named_with_its_reasons(server: Running) -> None:
    """Promise: a refusal names the policy, the reason and the entry."""
    tenant = server.tenant(BLOCK)
    error = ask(server.url, tenant.app, {"model": "deepseek-chat", "messages": []}).error
    assert error["code"] == "policy_violation"
    assert "The policy 'Production' does not allow model 'deepseek-chat'" in error["message"]
    assert error["auditId"] in error["message"]
    assert error["auditUrl"].endswith(f"/entries/{error['auditId']}")
