"""A real browser, and pages that may not do anything wrong while a test looks at them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pytest
from playwright.sync_api import expect, sync_playwright
from scripts.browser import find

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response
    from tests.running import Running, Tenant

OpenPage: TypeAlias = Callable[..., "Page"]

ARGUMENTS: Final = (
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--disable-quic",
)
_STATUS: Final = "Failed to load resource"  # a page that answers 404 is no fault of the page; a file that does is one
_PATIENCE_MS: Final = 20_000
expect.set_options(timeout=_PATIENCE_MS)


# Not for the session: while Playwright runs, this thread has an event loop, and other tests could not start theirs.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the browser that is here; without one, tests are skipped on a desk and fail in CI."""
    path = find()
    if path is None:
        message = "No browser: install chromium-headless-shell, run `playwright install`, or set SCRIBA_CHROMIUM."
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, chromium_sandbox=False, args=[*ARGUMENTS])
        yield browser
        browser.close()


class Conduct:
    """What pages did that they must not do."""

    def __init__(self, url: str) -> None:
        self.faults: list[str] = []
        self._url = url

    def watch(self, context: BrowserContext) -> None:
        """Note console errors (violations of the content security policy among them), exceptions, foreign requests."""
        context.on("console", self._message)
        context.on("weberror", lambda error: self.faults.append(f"exception: {error.error}"))
        context.on("dialog", lambda dialog: self.faults.append(f"dialog: {dialog.message}"))
        context.on("request", self._request)
        context.on("response", self._response)

    def _message(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and _STATUS not in message.text:
            self.faults.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith(self._url):
            self.faults.append(f"request to {request.url}")

    def _response(self, response: Response) -> None:
        if "/console/static/" in response.url and not response.ok:
            self.faults.append(f"{response.status} for {response.url}")


@pytest.fixture
def conduct(server: Running) -> Iterator[Conduct]:
    """Watch all pages of a test; a fault of any of them fails it."""
    conduct = Conduct(server.url)
    yield conduct
    assert conduct.faults == []


@pytest.fixture
def open_page(server: Running, browser: Browser, conduct: Conduct) -> Iterator[OpenPage]:
    """Return what opens a page of the console in a fresh browser profile.

    Its arguments are the path, and options of the profile such as `color_scheme`.
    """
    contexts: list[BrowserContext] = []

    def open_page(path: str = "/", **options: Any) -> Page:
        context = browser.new_context(base_url=server.url, **options)
        context.set_default_timeout(_PATIENCE_MS)
        conduct.watch(context)
        contexts.append(context)
        page = context.new_page()
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def tenant(server: Running) -> Tenant:
    """Make an organisation that refuses China-based providers."""
    return server.tenant({"blockChinaProviders": True, "enforcement": "hard_block"})
