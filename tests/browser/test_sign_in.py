"""How a person gets in, and out again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect
from tests.browser.visiting import call, link_of, sign_in

from scriba.storage.model import COMMAND_LINE

if TYPE_CHECKING:
    from tests.browser.conftest import OpenPage
    from tests.running import Running, Tenant


def test_the_link_of_the_start_message_opens_the_list(server: Running, tenant: Tenant, open_page: OpenPage) -> None:
    """One click on the one-time link shows the newest entries, at an address without the link's secret."""
    call(server, tenant, "deepseek-chat")
    page = open_page(link_of(server, tenant))
    assert page.url == f"{server.url}/"
    expect(page.locator("#entries li")).to_have_count(1)
    expect(page.get_by_text(tenant.name)).to_be_visible()


def test_a_link_that_was_used_says_so_and_offers_the_other_way(
    server: Running, tenant: Tenant, open_page: OpenPage
) -> None:
    """Whoever comes second is told why, and can paste a key on the same page."""
    link = link_of(server, tenant)
    open_page(link)
    page = open_page(link)
    expect(page.get_by_role("alert")).to_contain_text("This link was used already or has expired")
    sign_in(page, tenant)
    expect(page.get_by_role("heading", name="Newest entries")).to_be_visible()


def test_a_pasted_key_opens_the_list_and_sign_out_closes_it(tenant: Tenant, open_page: OpenPage) -> None:
    """The key is never shown on the screen; after sign-out the list is gone, also by going back."""
    page = open_page()
    assert page.get_by_label("Key").get_attribute("type") == "password"
    sign_in(page, tenant)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.go_back()
    page.reload()
    expect(page.get_by_role("heading", name="Newest entries")).to_have_count(0)


def test_a_key_that_calls_models_is_told_what_it_may(tenant: Tenant, open_page: OpenPage) -> None:
    """The most likely mistake gets a plain answer."""
    page = open_page()
    page.get_by_label("Key").fill(tenant.app)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("This key may call models, but not read the log.")


def test_the_address_in_a_refusal_leads_to_its_entry(server: Running, tenant: Tenant, open_page: OpenPage) -> None:
    """A developer follows the address, signs in, and reads why the call was refused."""
    entry_id = call(server, tenant, "deepseek-chat")
    page = open_page(f"/entries/{entry_id}")
    sign_in(page, tenant)
    assert page.url == f"{server.url}/entries/{entry_id}"
    expect(page.get_by_role("heading", level=1)).to_contain_text("Blocked deepseek-chat: China-based provider blocked")


def test_an_open_page_notices_that_its_key_was_revoked(server: Running, tenant: Tenant, open_page: OpenPage) -> None:
    """A list that is being looked at disappears with the right to see it."""
    call(server, tenant, "deepseek-chat")
    page = open_page()
    sign_in(page, tenant)
    key_id = server.services.authenticator.identify(tenant.auditor).key_id
    server.services.control.revoke_key(tenant.id, key_id, actor=COMMAND_LINE)
    expect(page.get_by_role("alert")).to_contain_text("This API key was revoked.")
    expect(page.locator("#entries")).to_have_count(0)
