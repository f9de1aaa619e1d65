"""Text that means harm is shown as text, and stays in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import ViewportSize, expect
from tests.browser.test_looks import overflow
from tests.browser.visiting import call, sign_in

if TYPE_CHECKING:
    from tests.browser.conftest import OpenPage
    from tests.running import Running

SCRIPT = "<img src=x onerror=alert(1)></a></li><script>alert(2)</script>"
NARROW: ViewportSize = {"width": 360, "height": 800}
HOSTILE = {
    "markup": SCRIPT,
    "quotes": "\"'><svg onload=alert(3)>{{ 7 * 7 }}{% raw %}",
    "reversed": "live\u202e\u2066 o4-tpg\u202e",
    "invisible": "g\u200bpt-4o\ufeff\u00ad",
    "right to left": "نموذج-4o",
    "stacked": "e" + "\u0301" * 100,
    "endless": "W" * 250,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_does_no_harm(server: Running, open_page: OpenPage, name: str) -> None:
    """As model, policy name, user and user agent: no script runs, no layout breaks, no neighbour is turned around."""
    text = HOSTILE[name]
    tenant = server.tenant()
    server.policy(tenant.id, name=text, rules={"enforcement": "hard_block"}, isDefault=True)
    agent = text.encode()
    entry_id = call(server, tenant, text, [("User-Agent", agent), ("ai-reporting-user", agent)])
    call(server, tenant, "sandbox/echo")
    page = open_page()
    sign_in(page, tenant)
    row = page.locator(f"[data-entry='{entry_id}']")
    expect(row).to_contain_text("Blocked")
    expect(row).to_contain_text("Model not recognised")
    assert overflow(page) == 0
    page.set_viewport_size(NARROW)
    assert overflow(page) == 0
    box = row.bounding_box()
    assert box is not None
    assert box["height"] < 300  # one entry cannot push the others away
    row.locator("a").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Blocked")
    assert overflow(page) == 0
    assert page.locator("main img, main script, main .facts svg").count() == 0


def test_a_model_that_only_looks_like_another_shows_it(server: Running, open_page: OpenPage) -> None:
    """Invisible characters appear by number, in the list, on the page of the entry and in its title."""
    tenant = server.tenant()
    entry_id = call(server, tenant, "gpt\u200b-4o\u202e")
    page = open_page()
    sign_in(page, tenant)
    expect(page.locator(f"[data-entry='{entry_id}'] a")).to_contain_text("gptU+200B-4oU+202E")
    page.goto(f"/entries/{entry_id}")
    assert page.title() == "Blocked gptU+200B-4oU+202E: Model not recognised · Scriba"
