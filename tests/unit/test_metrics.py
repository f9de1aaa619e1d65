"""The figures for Prometheus are right, also when several processes count."""

from __future__ import annotations

import json
import re
import urllib.request
from collections import Counter
from typing import TYPE_CHECKING

from tests.asking import CHAT, ask
from tests.running import Running, program

if TYPE_CHECKING:
    from pathlib import Path

    from tests.provider import Provider

BLOCKING = {"blockChinaProviders": True, "enforcement": "hard_block"}
DECIDED = re.compile(r'^scriba_requests_total\{decision="(\w+)",operation="(\w+)"\} (\S+)$', re.MULTILINE)
SAMPLE = re.compile(r"^(scriba_\w+(?:\{[^}]*\})?) (\S+)$", re.MULTILINE)


def figures(url: str) -> dict[str, float]:
    """Read the metrics of a server, name with labels to value."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=20) as answer:
        return {name: float(value) for name, value in SAMPLE.findall(answer.read().decode())}


def grown(server: Running, before: dict[str, float]) -> dict[str, float]:
    """Return what has changed since."""
    after = figures(server.url)
    return {name: value - before.get(name, 0.0) for name, value in after.items() if value != before.get(name, 0.0)}


def test_requests_are_counted_by_what_became_of_them(server: Running, provider: Provider) -> None:
    """Each once: allowed, warned, blocked, or error where it came to no decision."""
    assert provider.url
    strict, lenient = server.tenant(BLOCKING), server.tenant({"providerBlocklist": ["openai"], "enforcement": "warn"})
    before = figures(server.url)
    ask(server.url, strict.app, CHAT)
    ask(server.url, strict.app, {**CHAT, "model": "deepseek-chat"})
    ask(server.url, lenient.app, CHAT)
    ask(server.url, strict.app, b"{")
    server.outcomes(lenient.id)
    server.outcomes(strict.id)
    found = grown(server, before)
    decisions = {name: value for name, value in found.items() if name.startswith("scriba_requests_total")}
    assert decisions == {
        'scriba_requests_total{decision="allowed",operation="chat"}': 1,
        'scriba_requests_total{decision="blocked",operation="chat"}': 1,
        'scriba_requests_total{decision="warned",operation="chat"}': 1,
        'scriba_requests_total{decision="error",operation="chat"}': 1,
    }
    assert found["scriba_append_duration_seconds_count"] == 3
    assert found['scriba_upstream_head_duration_seconds_count{provider="openai"}'] == 2
    assert found['scriba_upstream_duration_seconds_count{provider="openai"}'] == 2
    assert figures(server.url)["scriba_requests_in_flight"] == 0


def test_workers_count_together(tmp_path: Path) -> None:
    """Whichever worker is asked answers for all, and nothing is counted twice."""
    with program(tmp_path, "--demo", "--workers", "2") as running:
        keys = json.loads((tmp_path / "data" / "demo.keys").read_text("utf-8"))
        models = ["sandbox/echo"] * 12 + ["deepseek-chat"] * 8
        for model in models:
            ask(running.url, keys["app"], {**CHAT, "model": model})
        seen = []
        for _ in range(12):
            with urllib.request.urlopen(f"{running.url}/metrics", timeout=20) as answer:
                text = answer.read().decode()
            seen.append({decision: float(value) for decision, _, value in DECIDED.findall(text)})
    assert all(one == seen[0] for one in seen)
    assert Counter(seen[0]) == Counter({"allowed": 12.0, "blocked": 8.0})
