"""The server against its own description: whatever Schemathesis thinks of, the answer is one that is documented."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.running import Running, serving, settings_in

from scriba.storage.model import COMMAND_LINE, Role

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS: Final = 45
STREAM: Final = "/governance/audit-logs/stream"  # never ends, so nothing that reads to the end can ask for it
CHECKS: Final = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,unsupported_method,ignored_auth"
)
TOML: Final = """
max_body_bytes = 65536
[providers.sandbox]
enabled = true
"""


@pytest.fixture
def fuzzed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """Run a server that looks no host up: invented ones must not be asked for outside."""

    def nothing(*_: object) -> list[object]:
        raise OSError("no such host")

    monkeypatch.setattr("scriba.delivery.webhooks.Webhooks.__init__.__defaults__", (nothing,))
    with serving(settings_in(tmp_path, TOML)) as server:
        yield server


@pytest.mark.timeout(240)
def test_nothing_undocumented_is_answered(fuzzed: Running, tmp_path: Path) -> None:
    """No 5xx, no status, media type, header or shape that the document does not name, and 405 for other methods."""
    control = fuzzed.services.control
    org = control.create_organisation("fuzzed", actor=COMMAND_LINE)
    _, key = control.create_key(org.id, role=Role.ADMIN, actor=COMMAND_LINE)
    done = subprocess.run(
        [
            Path(sys.executable).with_name("st"),
            "run",
            f"{fuzzed.url}/openapi.json",
            *("--checks", CHECKS, "--phases", "examples,coverage,fuzzing"),
            *("--max-time", str(SECONDS), "--max-examples", "8", "--seed", "2728"),
            *("--header", f"Authorization:Bearer {key}", "--exclude-path", STREAM),
            *("--suppress-health-check", "all", "--warnings", "off", "--generation-database", "none"),
            *("--continue-on-failure", "--no-color", "--no-shrink"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
