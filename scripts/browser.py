"""Make sure that the browser tests have a Chromium, and say which.

Looked for in this order: SCRIBA_CHROMIUM, `chromium-headless-shell` or `chromium` on PATH, Playwright's own. If there
is none, root on Debian installs `chromium-headless-shell`, and everybody else has Playwright fetch its own. Where none
can be had the browser tests are skipped, which is said loudly; in CI that is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

SECONDS = 300


def main() -> int:
    """Find or install a browser."""
    found = find()
    if found is None:
        print("No Chromium found; installing one for the browser tests ...", flush=True)
        install()
        found = find()
    if found is not None:
        print(f"Browser tests use {found}")
        return 0
    print("=" * 78)
    print("NO BROWSER: the browser tests cannot run.")
    print("Install chromium or chromium-headless-shell, or set SCRIBA_CHROMIUM to one.")
    print("=" * 78, flush=True)
    return 1 if os.environ.get("CI") else 0


def find() -> str | None:
    """Return the browser that the tests will use."""
    named = os.environ.get("SCRIBA_CHROMIUM")
    if named:
        return named if Path(named).exists() else None
    return shutil.which("chromium-headless-shell") or shutil.which("chromium") or playwrights_own()


def playwrights_own() -> str | None:
    """Return the browser that `playwright install` left, if it did."""
    with sync_playwright() as playwright:
        path = Path(playwright.chromium.executable_path)
    shells = path.parents[2].glob("chromium_headless_shell-*/*/*headless*shell*") if len(path.parents) > 2 else ()
    return next((str(candidate) for candidate in (path, *shells) if candidate.is_file()), None)


def install() -> None:
    """Install a browser; whether it worked, `find` tells."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if is_root and shutil.which("apt-get"):
        attempt("apt-get", "update", "-q")
        attempt("apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium-headless-shell")
    if find() is None:
        attempt(sys.executable, "-m", "playwright", "install", "--only-shell", "chromium")


def attempt(*command: str) -> None:
    """Run a program that may fail or hang."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        subprocess.run(command, check=False, timeout=SECONDS, env=environment, stdout=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"  {error}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
