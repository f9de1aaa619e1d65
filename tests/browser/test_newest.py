"""The list of newest entries, as a person watches it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect
from sqlalchemy import update
from tests.browser.visiting import call, sign_in

from scriba.storage.tables import records

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from tests.browser.conftest import OpenPage
    from tests.running import Running, Tenant

LENIENT = {"providerBlocklist": ["openai"], "enforcement": "warn"}


def sentences(page: Page) -> list[str]:
    """Return what the list says, newest first."""
    return page.locator("#entries .sentence").all_inner_texts()


def test_an_empty_log_says_how_to_make_the_first_entry(server: Running, tenant: Tenant, open_page: OpenPage) -> None:
    """The lines shown make an entry once the key is put in, and it appears without a reload."""
    page = open_page()
    sign_in(page, tenant)
    lines = page.locator("pre").inner_text()
    assert f"scriba key create --org {tenant.name} --role app" in lines
    assert f"curl {server.url}/v1/chat/completions" in lines
    assert "Bearer YOUR-KEY" in lines
    model = re.search(r'"model": "([^"]+)"', lines)
    assert model is not None
    call(server, tenant, model[1])
    expect(page.locator("#entries li")).to_have_count(1)
    assert sentences(page) == ["Allowed sandbox/echo to sandbox"]


def test_new_entries_appear_by_themselves(server: Running, tenant: Tenant, open_page: OpenPage) -> None:
    """Whoever watches sees what is allowed and what is refused as it happens, newest first, and hears a summary."""
    call(server, tenant, "sandbox/echo")
    page = open_page()
    sign_in(page, tenant)
    expect(page.locator("#live")).to_have_text("Live")
    first = page.locator("#entries li").element_handle()
    call(server, tenant, "deepseek-chat")
    call(server, tenant, "sandbox/echo")
    expect(page.locator("#entries li")).to_have_count(3)
    assert sentences(page) == [
        "Allowed sandbox/echo to sandbox",
        "Blocked deepseek-chat: China-based provider blocked",
        "Allowed sandbox/echo to sandbox",
    ]
    assert first is not None
    assert first.is_visible()  # rows that stay are not made anew, so focus and selection stay with them
    expect(page.locator("#news")).to_contain_text("new entr")
    assert page.locator("#news").get_attribute("role") == "status"


def test_a_warning_is_told_from_a_plain_pass(server: Running, open_page: OpenPage) -> None:
    """What was let through in spite of a reason says so, with the policy that let it."""
    tenant = server.tenant(LENIENT)
    call(server, tenant, "gpt-4o")
    page = open_page()
    sign_in(page, tenant)
    assert sentences(page) == ["Allowed with a warning: gpt-4o to openai (Provider on blocklist)"]
    expect(page.locator("#entries .under")).to_have_text("Production")


def test_a_time_is_readable_and_exact(server: Running, tenant: Tenant, open_page: OpenPage) -> None:
    """The list shows day and time of day; the exact UTC time is there for who points at it."""
    call(server, tenant, "sandbox/echo")
    page = open_page()
    sign_in(page, tenant)
    time = page.locator("#entries time")
    assert re.fullmatch(r"\d\d:\d\d:\d\d\s+\d{1,2} [A-Z][a-z]{2} \d{4}", time.inner_text())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", time.get_attribute("title") or "")


def test_the_count_of_verified_records_follows(server: Running, tenant: Tenant, open_page: OpenPage) -> None:
    """The page says how many records were verified, keeps saying so as the log grows, and explains it."""
    page = open_page()
    sign_in(page, tenant)
    seal = page.locator("#seal")
    expect(seal).to_have_text(re.compile(r"Verified, \d+ records"))
    before = int(re.sub(r"\D", "", seal.inner_text()))
    call(server, tenant, "deepseek-chat")
    expect(seal).to_have_text(f"Verified, {before + 1} records")
    seal.click()
    expect(page.get_by_role("heading", name="How the log is verified")).to_be_visible()
    expect(page.locator("ol > li")).to_have_count(10)


def test_a_changed_entry_raises_the_alarm(server: Running, tenant: Tenant, open_page: OpenPage) -> None:
    """If somebody changes what is stored, a red banner says which record of which log."""
    entry_id = call(server, tenant, "deepseek-chat")
    with server.services.store.database.write() as connection:
        connection.execute(update(records).where(records.c.id == entry_id).values(allowed=True, provider="deepseek"))
    page = open_page()
    sign_in(page, tenant)
    expect(page.get_by_role("alert")).to_contain_text("This log is not what Scriba wrote.")
    expect(page.get_by_role("alert")).to_contain_text("Log requests: Record 1 was changed")
    expect(page.locator("#seal")).to_have_text("Not as it was written")
    page.goto(f"/entries/{entry_id}")
    expect(page.get_by_role("alert")).to_contain_text("This entry is not what was logged.")


def test_the_list_can_be_narrowed_and_stays_narrow(server: Running, tenant: Tenant, open_page: OpenPage) -> None:
    """Only what was asked for appears, also among what arrives later."""
    call(server, tenant, "sandbox/echo")
    page = open_page()
    sign_in(page, tenant)
    page.get_by_role("link", name="Blocked", exact=True).click()
    expect(page.get_by_text("No entry of this kind.")).to_be_visible()
    call(server, tenant, "sandbox/echo")
    call(server, tenant, "deepseek-chat")
    expect(page.locator("#entries li")).to_have_count(1)
    assert sentences(page) == ["Blocked deepseek-chat: China-based provider blocked"]
    expect(page.get_by_role("link", name="Blocked", exact=True)).to_have_attribute("aria-current", "page")


def test_a_server_that_is_gone_is_noticed(tenant: Tenant, open_page: OpenPage, server: Running) -> None:
    """A list that stands still says so, and goes on by itself."""
    call(server, tenant, "sandbox/echo")
    page = open_page()
    sign_in(page, tenant)
    page.route("**/console/newest", lambda route: route.fulfill(status=503))
    expect(page.locator("#live")).to_contain_text("does not answer")
    page.unroute("**/console/newest")
    expect(page.locator("#live")).to_have_text("Live")


def test_nothing_is_asked_for_while_nobody_looks(server: Running, tenant: Tenant, open_page: OpenPage) -> None:
    """A hidden tab leaves the server alone however long it is hidden, and catches up when it is seen again."""
    call(server, tenant, "sandbox/echo")
    page = open_page()
    page.clock.install()
    sign_in(page, tenant)
    expect(page.locator("#live")).to_have_text("Live")
    look(page, hidden=True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(server.url)))
    call(server, tenant, "deepseek-chat")
    page.clock.run_for(60_000)
    page.evaluate("fetch('/how-it-is-verified')")  # whatever was asked for before it has been seen by then
    assert asked == ["/how-it-is-verified"]
    look(page, hidden=False)
    page.clock.run_for(1_000)
    expect(page.locator("#entries li")).to_have_count(2)


def look(page: Page, *, hidden: bool) -> None:
    """Hide the tab, or look at it again."""
    page.evaluate(
        """(hidden) => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )
