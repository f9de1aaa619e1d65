"""Everybody can read the pages: light and dark, on a small screen, without a script, with a screen reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it ships none
from playwright.sync_api import expect
from tests.browser.visiting import call, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from tests.browser.conftest import OpenPage
    from tests.running import Running, Tenant

WIDTHS = (360, 1280)


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    pixels: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return pixels


def check(page: Page) -> None:
    """Let axe look at the page, and see that it fits into its window."""
    violations = Axe().run(page).response["violations"]
    assert [(found["id"], [node["html"] for node in found["nodes"]]) for found in violations] == []
    assert overflow(page) == 0


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible(
    server: Running, tenant: Tenant, open_page: OpenPage, scheme: str, width: int
) -> None:
    """Axe finds nothing, contrast included, on any page in both schemes; nothing is wider than the window."""
    entry_id = call(server, tenant, "deepseek-chat")
    call(server, tenant, "sandbox/echo")
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": 800}, reduced_motion="reduce")
    check(page)
    page.get_by_label("Key").fill("sk_scriba_wrong")
    page.get_by_role("button", name="Sign in").click()
    check(page)
    sign_in(page, tenant)
    expect(page.locator("#live")).to_have_text("Live")
    for path in ("/", "/?show=allowed", f"/entries/{entry_id}", "/how-it-is-verified", "/entries/audit_missing"):
        page.goto(path)
        check(page)
    page.goto("/reports")
    check(page)
    page.get_by_role("button", name="Make the report").click()
    expect(page.get_by_role("heading", name="Compliance report")).to_be_visible()
    expect(page.get_by_text("deepseek-chat")).to_be_visible()
    check(page)
    page.goto("/reports?period=2025-13")
    check(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_empty_list_is_accessible(tenant: Tenant, open_page: OpenPage, scheme: str) -> None:
    """So is what a new organisation sees first."""
    page = open_page(color_scheme=scheme, viewport={"width": WIDTHS[0], "height": 800})
    sign_in(page, tenant)
    check(page)


def test_light_and_dark_follow_the_system(open_page: OpenPage) -> None:
    """The page takes the scheme that the visitor has chosen for everything."""
    shades = {}
    for scheme in ("light", "dark"):
        page = open_page(color_scheme=scheme)
        shades[scheme] = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert sum(map(int, shades["light"][4:-1].split(","))) > 3 * 200
    assert sum(map(int, shades["dark"][4:-1].split(","))) < 3 * 60


def test_the_keyboard_reaches_everything_visibly(server: Running, tenant: Tenant, open_page: OpenPage) -> None:
    """The first stop skips to the content; every stop has an outline."""
    call(server, tenant, "deepseek-chat")
    page = open_page()
    sign_in(page, tenant)
    page.goto("/")
    stops = []
    for _ in range(12):
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.textContent.trim()"))
        outline = page.evaluate(
            "[null, '::after'].map((part) => getComputedStyle(document.activeElement, part).outlineStyle)",
        )
        assert "solid" in outline, stops[-1]
    assert stops[0] == "Skip to content"
    assert "Blocked deepseek-chat: China-based provider blocked" in stops


def test_without_a_script_there_is_a_static_list(server: Running, tenant: Tenant, open_page: OpenPage) -> None:
    """The page works without JavaScript and says how to see what is new."""
    call(server, tenant, "deepseek-chat")
    page = open_page(java_script_enabled=False)
    sign_in(page, tenant)
    expect(page.locator("#entries li")).to_have_count(1)
    expect(page.locator("#live")).to_have_text("Reload to see new entries")
    expect(page.locator("#seal")).to_contain_text("Verified")
    call(server, tenant, "sandbox/echo")
    page.reload()
    expect(page.locator("#entries li")).to_have_count(2)
    page.locator("#entries a").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Allowed sandbox/echo to sandbox")
