"""The page of one entry."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
from playwright.sync_api import expect
from tests.asking import ask
from tests.browser.visiting import call, sign_in

if TYPE_CHECKING:
    from tests.browser.conftest import OpenPage
    from tests.running import Running, Tenant


def test_a_line_leads_to_all_that_is_known(server: Running, tenant: Tenant, open_page: OpenPage) -> None:
    """Decision, policy, reasons, caller, outcome and place in the log stand on one page."""
    entry_id = call(server, tenant, "sandbox/echo", [("User-Agent", "billing/1.2"), ("ai-reporting-user", "li")])
    server.outcomes(tenant.id)
    page = open_page()
    sign_in(page, tenant)
    page.locator("#entries a").click()
    assert page.url == f"{server.url}/entries/{entry_id}"
    expect(page.get_by_role("heading", level=1)).to_have_text("Allowed sandbox/echo to sandbox")
    facts = page.locator(".facts").inner_text()
    for text in ("Production", "Refuse what breaks the policy", "billing/1.2", "li", "127.0.0.1", "Answered after"):
        assert text in facts
    assert "1 in the log requests" in facts
    assert "Yes, what is stored gives this fingerprint" in facts


def test_the_page_holds_the_entry_as_the_api_returns_it(server: Running, tenant: Tenant, open_page: OpenPage) -> None:
    """Nothing of the entry is missing: the same document stands below."""
    entry_id = call(server, tenant, "deepseek-chat")
    page = open_page(f"/entries/{entry_id}")
    sign_in(page, tenant)
    page.get_by_text("The entry as the API returns it").click()
    fields = server.services.audit_log.get(tenant.id, entry_id).fields()
    assert json.loads(page.locator("details pre").inner_text()) == json.loads(msgspec.json.encode(fields))


def test_the_entry_of_another_organisation_is_not_found(server: Running, tenant: Tenant, open_page: OpenPage) -> None:
    """Its address leads nowhere for who may not see it."""
    entry_id = call(server, server.tenant(), "deepseek-chat")
    page = open_page()
    sign_in(page, tenant)
    page.goto(f"/entries/{entry_id}")
    expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    assert ask(server.url, "", b"", method="GET", path=f"/entries/{entry_id}").status == 401
