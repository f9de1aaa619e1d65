"""Make the pictures in docs/images anew: `python -m scripts.screenshots`, where this repository starts.

They are taken from the running server with a real browser. The entries are invented, and written like the gateway's.
"""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from playwright.sync_api import expect, sync_playwright
from scripts.browser import find
from tests.running import Running, serving, settings_in

from scriba.domain.ids import mint_id
from scriba.domain.record import Decision, Hidden
from scriba.policy.reasons import Code, long_reason
from scriba.storage.hot import pending
from scriba.storage.model import COMMAND_LINE, LogId, LogName, Role

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, ViewportSize

IMAGES: Final = Path(__file__).parents[1] / "docs" / "images"
SIZE: Final[ViewportSize] = {"width": 1280, "height": 800}
SCALE: Final = 1.5
MAX_BYTES: Final = 300_000
PAUSE_SECONDS: Final = 1.7

PRODUCTION: Final = {"policy_name": "Production - HIPAA", "policy_slot": 1, "enforcement": "hard_block"}
FALLBACK: Final = {"policy_name": "Support desk", "policy_slot": 2, "enforcement": "soft_block"}
EXPERIMENTS: Final = {"policy_name": "Experiments", "policy_slot": 3, "enforcement": "warn"}


def served(model: str, provider: str, user: str, policy: dict[str, Any] = PRODUCTION) -> dict[str, Any]:
    """Describe a request that was let through."""
    return {"model": model, "provider": provider, "requested_provider": provider, "hidden": Hidden(user=user), **policy}


def refused(model: str, provider: str, user: str, *codes: Code) -> dict[str, Any]:
    """Describe a request that was refused."""
    return {**served(model, provider, user), "allowed": False, "provider": "", **because(provider, *codes)}


def because(provider: str, *codes: Code) -> dict[str, Any]:
    """Name the reasons of a decision."""
    reasons = tuple(long_reason(code, provider=provider, tier="trusted") for code in codes)
    return {"violation_reasons": reasons, "violation_codes": tuple(codes)}


ENTRIES: Final = (
    served("text-embedding-3-large", "openai", "search-index"),
    served("gpt-4o", "openai", "claims-assistant"),
    served("claude-sonnet-4-20250514", "anthropic", "m.okafor@example.com"),
    served("gpt-4o-mini", "openai", "ticket-router", FALLBACK),
    served("mistral-large-3", "mistral", "r.lindqvist@example.com", EXPERIMENTS) | because("mistral", Code.BAA),
    served("gpt-4o", "openai", "claims-assistant"),
    refused("deepseek-chat", "deepseek", "notebook-17", Code.CHINA_BASED, Code.TRUST_TIER),
    served("claude-sonnet-4-20250514", "anthropic", "claims-assistant"),
    served("claude-haiku-4-5", "bedrock", "ticket-router", FALLBACK)
    | {"requested_provider": "anthropic"}
    | because("anthropic", Code.PROVIDER_BLOCKED),
    served("gemini-2.5-pro", "google", "m.okafor@example.com", EXPERIMENTS),
    served("gpt-4o", "openai", "claims-assistant"),
)


def main() -> None:
    """Take the pictures."""
    path = find()
    if path is None:
        raise SystemExit("No browser: install chromium-headless-shell, or set SCRIBA_CHROMIUM.")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(settings_in(Path(folder))) as server,
        sync_playwright() as playwright,
    ):
        control = server.services.control
        org_id = control.create_organisation("acme", actor=COMMAND_LINE).id
        _, key = control.create_key(org_id, role=Role.AUDITOR, actor=COMMAND_LINE)
        log_entries(server, org_id)
        browser = playwright.chromium.launch(executable_path=path, chromium_sandbox=False)
        take(browser, server.url, key, "light")
        take(browser, server.url, key, "dark")
        browser.close()


def log_entries(server: Running, org_id: str) -> None:
    """Log the entries with a pause between them, so that their times look like life."""
    store, log = server.services.store, LogId(org_id, LogName.REQUESTS)
    for number, fields in enumerate(ENTRIES):
        with store.database.write() as connection:
            store.hot.append(connection, [pending(log, a_decision(org_id, fields))])
        time.sleep(PAUSE_SECONDS * (1 + number % 3))


def a_decision(org_id: str, fields: dict[str, Any]) -> Decision:
    """Complete an entry."""
    minted = {"id": mint_id("audit"), "request_id": mint_id("req"), "policy_id": mint_id("gpol")}
    plain: dict[str, Any] = {"org_id": org_id, "allowed": True, "source": "gateway", "operation": "chat", **minted}
    return Decision(**plain | fields)


def take(browser: Browser, url: str, key: str, scheme: Literal["light", "dark"]) -> None:
    """Take the pictures of one colour scheme."""
    context = browser.new_context(
        base_url=url, color_scheme=scheme, viewport=SIZE, device_scale_factor=SCALE, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#live")).to_have_text("Live")
    expect(page.locator("#seal")).to_contain_text("Verified")
    keep(page, f"console-{scheme}.png")
    page.goto(f"/reports?period={datetime.now(UTC):%Y-%m}&format=html")
    keep(page, f"report-{scheme}.png")
    context.close()


def keep(page: Page, name: str) -> None:
    """Take a picture of what a page shows."""
    picture = IMAGES / name
    page.screenshot(path=picture)
    if picture.stat().st_size > MAX_BYTES:
        raise SystemExit(f"{picture} has {picture.stat().st_size} bytes, more than {MAX_BYTES}.")
    print(f"{picture.name}: {picture.stat().st_size} bytes")


if __name__ == "__main__":
    main()
