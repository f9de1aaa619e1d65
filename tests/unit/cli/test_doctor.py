"""`scriba doctor` finds what is wrong, says what to do, and changes nothing."""

from __future__ import annotations

import http.server
import os
import socket
import sqlite3
import ssl
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.test_tls import make_pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.cli.conftest import Result, Scriba
    from tests.unit.test_tls import Pair

CHECKS = ["settings", "database", "secret", "guard", "upstreams", "clock", "disk", "port"]


@pytest.fixture(autouse=True)
def _quiet_place(scriba: Scriba, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a free port and one upstream, so that by itself nothing is wrong; `scriba` has cleared the rest."""
    del scriba
    monkeypatch.setenv("SCRIBA_PORT", "0")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")


def finding(result: Result, check: str) -> dict[str, Any]:
    """Return what one check found."""
    found: dict[str, Any] = {one["check"]: one for one in result.json}[check]
    return found


def test_a_new_folder_is_healthy_and_stays_empty(scriba: Scriba) -> None:
    """One line for each check; nothing is made by looking."""
    result = scriba("doctor")
    assert result.code == 0
    assert [line.split()[:2] for line in result.out.splitlines()] == [["ok", check] for check in CHECKS]
    assert "sk-secret" not in result.out
    assert list(Path().iterdir()) == []


def test_a_deployment_is_healthy(scriba: Scriba, acme: str) -> None:
    """With what is in it, in numbers."""
    assert acme
    result = scriba("doctor")
    assert result.code == 0
    assert "1 organisation, 5 records" in result.out
    assert "openai" in result.out


def test_a_wrong_setting_is_the_one_finding(scriba: Scriba) -> None:
    """The rest cannot be examined."""
    Path("scriba.toml").write_text("prt = 1", encoding="utf-8")
    result = scriba("doctor", "--json")
    assert result.code == 2
    assert [one["check"] for one in result.json] == ["settings"]
    assert finding(result, "settings")["remedy"] == "Did you mean port?"


@pytest.mark.parametrize("lost", ["deployment.secret", "guard", "scriba.db"])
def test_what_is_lost_is_found_with_the_ways_out(scriba: Scriba, acme: str, lost: str) -> None:
    """Each of the three that belong together; and the others stay as they are."""
    assert acme
    path = Path("data") / lost
    path.rename(path.with_name("elsewhere"))
    before = sorted(file.name for file in Path("data").iterdir())
    result = scriba("doctor", "--json")
    assert result.code == 1
    bad = [one for one in result.json if not one["ok"]]
    assert bad
    assert any("Two ways out" in one.get("remedy", "") for one in bad)
    assert sorted(file.name for file in Path("data").iterdir()) == before


def test_a_secret_that_others_can_read_is_found(scriba: Scriba, acme: str) -> None:
    """With the command that mends it."""
    assert acme
    Path("data/deployment.secret").chmod(0o644)
    result = scriba("doctor", "--json")
    assert result.code == 1
    assert finding(result, "secret")["remedy"] == "Run: chmod 600 data/deployment.secret"


def test_a_database_that_does_not_answer_is_exit_code_3(scriba: Scriba, monkeypatch: pytest.MonkeyPatch) -> None:
    """And every other check is made all the same."""
    monkeypatch.setenv("SCRIBA_DATABASE_URL", "postgresql://scriba:hunter2@127.0.0.1:9/scriba")
    result = scriba("doctor", "--json")
    assert result.code == 3
    assert [one["check"] for one in result.json] == CHECKS
    assert finding(result, "database")["ok"] is False
    assert finding(result, "disk")["ok"] is True
    assert "hunter2" not in result.out


def test_no_upstream_is_told_and_is_no_fault(scriba: Scriba, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who tries Scriba out has none, and learns what makes it answer."""
    monkeypatch.delenv("OPENAI_API_KEY")
    result = scriba("doctor", "--json")
    assert result.code == 0
    assert "OPENAI_API_KEY" in finding(result, "upstreams")["remedy"]
    assert "--demo" in finding(result, "upstreams")["remedy"]
    monkeypatch.setenv("SCRIBA_PROVIDERS__SANDBOX__ENABLED", "true")
    assert finding(scriba("doctor", "--json"), "upstreams")["found"] == "only the sandbox"


def test_a_provider_without_its_key_is_named_with_the_variable(scriba: Scriba, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is off without a word otherwise; that is a fault if nothing else is on."""
    Path("scriba.toml").write_text(
        '[providers.foo]\nbase_url = "https://foo.example.com/v1"\napi_key_env = "FOO"\n', encoding="utf-8"
    )
    beside = scriba("doctor", "--json")
    assert beside.code == 0
    assert finding(beside, "upstreams")["found"] == "openai; set FOO for [providers.foo]"
    monkeypatch.delenv("OPENAI_API_KEY")
    alone = scriba("doctor", "--json")
    assert alone.code == 1
    assert finding(alone, "upstreams")["found"] == "none yet; set FOO for [providers.foo]."
    monkeypatch.setenv("FOO", "sk-foo")
    assert finding(scriba("doctor", "--json"), "upstreams")["found"] == "foo"


def test_a_database_that_was_deleted_is_not_called_new(scriba: Scriba, acme: str) -> None:
    """For the guard remembers it."""
    assert acme
    Path("data/scriba.db").unlink()
    result = scriba("doctor", "--json")
    assert finding(result, "database")["ok"] is False
    assert "the guard remembers" in finding(result, "database")["found"]


def test_a_lost_secret_is_told_once(scriba: Scriba, acme: str) -> None:
    """Without it nothing can be said about the guard."""
    assert acme
    Path("data/deployment.secret").unlink()
    assert [one["check"] for one in scriba("doctor", "--json").json if not one["ok"]] == ["secret"]


def test_a_data_folder_that_cannot_be_written_to_is_told_with_a_remedy(
    scriba: Scriba, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `doctor`, and by `serve` before it begins anything."""
    Path("taken").touch()
    monkeypatch.setenv("SCRIBA_DATA_DIR", "taken/data")
    monkeypatch.setenv("SCRIBA_DATABASE_URL", "sqlite:///scriba.db")
    result = scriba("doctor", "--json")
    assert result.code == 1
    assert "taken is a file" in finding(result, "disk")["found"]
    assert "SCRIBA_DATA_DIR" in finding(result, "disk")["remedy"]
    served = scriba("serve")
    assert served.code == 2
    assert "The data folder taken/data cannot be made" in served.err
    assert "SCRIBA_DATA_DIR" in served.err


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_data_folder_is_told(scriba: Scriba) -> None:
    """Whoever owns it."""
    Path("data").mkdir(mode=0o500)
    assert "cannot be written to" in finding(scriba("doctor", "--json"), "disk")["found"]


def test_a_port_that_another_program_has_is_a_finding(scriba: Scriba, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the start fails on it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        monkeypatch.setenv("SCRIBA_PORT", str(port))
        listener.close()
        with _answering(port, status=404):
            result = scriba("doctor", "--json")
    assert result.code == 1
    assert finding(result, "port")["ok"] is False


def test_a_port_that_scriba_has_is_none(scriba: Scriba, monkeypatch: pytest.MonkeyPatch) -> None:
    """A running server is as it should be."""
    with _answering(0, status=200) as port:
        monkeypatch.setenv("SCRIBA_PORT", str(port))
        result = scriba("doctor", "--json")
    assert result.code == 0
    assert "Scriba is running" in finding(result, "port")["found"]


def test_a_port_that_scriba_has_with_tls_is_none(
    scriba: Scriba, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Promise: a running server that speaks TLS is recognised, whatever name its certificate is for."""
    pair = make_pair(tmp_path / "tls")
    with _answering(0, status=200, pair=pair) as port:
        monkeypatch.setenv("SCRIBA_PORT", str(port))
        monkeypatch.setenv("SCRIBA_TLS_CERT_FILE", str(pair.certificate))
        monkeypatch.setenv("SCRIBA_TLS_KEY_FILE", str(pair.key))
        result = scriba("doctor", "--json")
    assert result.code == 0
    assert "Scriba is running" in finding(result, "port")["found"]


def test_webhooks_are_told_of(scriba: Scriba, acme: str) -> None:
    """Promise: what waits to be sent is said in numbers, and endpoints that fail are named; neither is a fault."""
    Path("scriba.toml").write_text(
        '[webhooks]\nallowed_networks = ["127.0.0.0/8"]\nallow_http = true\nallowed_ports = []\n'
    )
    assert "webhooks" not in {one["check"] for one in scriba("doctor", "--json").json}
    made = [scriba("webhook", "create", "http://127.0.0.1:9/", "--org", acme, "--json").json for _ in range(3)]
    assert finding(scriba("doctor", "--json"), "webhooks")["found"] == "3 endpoints, 0 pending"
    failing, disabled = made[0]["endpoint"]["id"], made[1]["endpoint"]["id"]
    with sqlite3.connect("data/scriba.db") as database:
        database.execute("UPDATE webhook_endpoints SET failing_since = 1 WHERE id = ?", (failing,))
        database.execute("UPDATE webhook_endpoints SET status = 'auto_disabled' WHERE id = ?", (disabled,))
    database.close()
    result = scriba("doctor", "--json")
    assert (result.code, finding(result, "webhooks")["ok"]) == (0, True)
    says = f"3 endpoints, 0 pending; 1 failing: {failing}; 1 disabled after failures: {disabled}."
    assert finding(result, "webhooks")["found"] == says


def test_metrics_that_everybody_may_read_are_told(scriba: Scriba) -> None:
    """Promise: figures that are open to the world are not so unnoticed; by themselves they are not."""
    assert "metrics" not in {one["check"] for one in scriba("doctor", "--json").json}
    Path("scriba.toml").write_text('metrics_networks = ["127.0.0.0/8", "::/0"]\n', "utf-8")
    assert "answers everybody: metrics_networks has ::/0" in finding(scriba("doctor", "--json"), "metrics")["found"]


@contextmanager
def _answering(port: int, status: int, pair: Pair | None = None) -> Iterator[int]:
    """Answer every GET with this status, with TLS if there is a certificate."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the base class names it
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", port), Handler) as server:
        if pair is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pair.certificate, pair.key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
