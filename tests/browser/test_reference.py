"""The page of the API reference can be read by everybody, and loads nothing from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from tests.browser.test_looks import WIDTHS, check

from scriba.api.access import ACCESS

if TYPE_CHECKING:
    from tests.browser.conftest import OpenPage


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_reference_is_accessible(open_page: OpenPage, scheme: str, width: int) -> None:
    """Axe finds nothing in either scheme, nothing is wider than the window, and no script is needed."""
    page = open_page("/docs", color_scheme=scheme, viewport={"width": width, "height": 800})
    check(page)
    assert page.locator("script").count() == 0


def test_every_operation_can_be_reached(open_page: OpenPage) -> None:
    """Each has an anchor in the contents, its roles and a line for a shell."""
    page = open_page("/docs", java_script_enabled=False)
    operations = page.locator("article:has(.path)")
    expect(operations).to_have_count(len(ACCESS))
    expect(operations.locator(".curl")).to_have_count(len(ACCESS))
    expect(operations.locator(".roles")).to_have_count(len(ACCESS))
    expect(operations.locator(".curl").filter(has_text="curl -N ")).to_have_count(1)  # a stream, told as it comes
    link = page.get_by_role("link", name="PATCH /governance/{id}")
    link.click()
    expect(page.locator(":target")).to_have_text("PATCH /governance/{id}")
    page.get_by_role("link", name="PolicyChange").first.click()
    expect(page.locator(":target")).to_have_text("PolicyChange")
