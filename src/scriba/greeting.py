"""The start message: where Scriba answers, what is on, and what to try first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from scriba.demo import DAYS, ENTRIES
from scriba.gateway.configured import SANDBOX_MODEL, configure

if TYPE_CHECKING:
    from scriba.first_start import DemoKeys
    from scriba.services import Services

__all__ = ["greeting", "try_out"]

_MESSAGE: Final = "Hello, Scriba"


def greeting(services: Services, address: str, admin_key: str | None, demo_keys: DemoKeys | None) -> str:
    """Return the whole message, as it is printed once the server answers."""
    settings = services.settings
    on = configure(settings.providers, services.decision_point.catalogue).names
    lines = [
        f"Scriba is ready on {address}",
        f"  console    {_console(services, address, admin_key, demo_keys)}",
        f"  providers  {', '.join(on) or 'none is on; set OPENAI_API_KEY, or see docs/configuration.md'}",
        f"  data       {settings.data_dir.resolve()}",
    ]
    if admin_key is not None:
        lines += [
            "",
            "This is the first start. The admin key of the organisation `default`, shown this once:",
            f"  {admin_key}",
            f"It is also in {settings.admin_key_path}, which only you can read. Keep it safe and delete the file.",
        ]
    if demo_keys is not None:
        lines += ["", "Try it: one request that is allowed, one that policy refuses, and the log of both.", ""]
        lines += try_out(address, demo_keys)
        lines += [
            "",
            f"The organisation `demo` has {ENTRIES} sample decisions of {DAYS} days. The requests are made up: their",
            "bursts are those of a real trace, the curve of day and week is ours. The decisions are the real engine's.",
        ]
    lines += ["", "Stop with Ctrl-C."]
    return "\n".join(lines)


def try_out(address: str, keys: DemoKeys) -> list[str]:
    """Return three commands that work as they stand, without network."""
    return [
        _chat(address, keys.app, SANDBOX_MODEL),
        _chat(address, keys.app, "deepseek-chat"),
        f'curl -s "{address}/governance/audit-logs?limit=2" -H "Authorization: Bearer {keys.auditor}"',
    ]


def _chat(address: str, key: str, model: str) -> str:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": _MESSAGE}]}, separators=(",", ":"))
    return (
        f'curl -s {address}/v1/chat/completions -H "Authorization: Bearer {key}" '
        f"-H \"Content-Type: application/json\" -d '{body}'"
    )


def _console(services: Services, address: str, admin_key: str | None, demo_keys: DemoKeys | None) -> str:
    """Return an address that opens the console: with a one-time link where we hold a key that may read."""
    key = demo_keys.auditor if demo_keys is not None else admin_key
    principal = services.authenticator.known(key) if key is not None else None
    if principal is None:
        return f"{address}/  (sign in with an auditor or admin key)"
    return f"{address}/login/{services.sessions.link(principal.key_id)}  (opens once, within 24 hours)"
