"""What a visitor and the applications of an organisation do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.asking import ask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Page
    from tests.running import Running, Tenant

__all__ = ["call", "link_of", "sign_in"]


def sign_in(page: Page, tenant: Tenant) -> None:
    """Paste the auditor's key into the sign-in page."""
    page.get_by_label("Key").fill(tenant.auditor)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").wait_for()


def link_of(server: Running, tenant: Tenant) -> str:
    """Make a one-time link and return its path."""
    key_id = server.services.authenticator.identify(tenant.auditor).key_id
    return f"/login/{server.services.sessions.link(key_id)}"


def call(server: Running, tenant: Tenant, model: str, headers: Sequence[tuple[str, str | bytes]] = ()) -> str:
    """Make a request of the gateway and return the id of its entry."""
    answer = ask(server.url, tenant.app, {"model": model, "messages": [{"role": "user", "content": "Hello"}]}, headers)
    return answer.headers["x-audit-id"]
