"""The lines on standard error say what happened, of which request, and never a secret."""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING

import pytest
from tests.asking import CHAT, PATH, ask
from tests.provider import KEY, Provider, failing
from tests.running import program

from scriba.log_output import REQUEST_ID, covered, set_up

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET_HEADER = "a-header-of-the-caller-5b1f"
SECRET_BODY = "what-the-user-asked-93ac"
SECRET_QUERY = "a-name-in-a-query-77d0"


@pytest.fixture(autouse=True)
def _root() -> Iterator[None]:
    """Give the root logger back as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers, root.level = handlers, level
    logging.captureWarnings(capture=False)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_line(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It has a time, a level, who says it, what, and the request that it belongs to."""
    set_up(form, "info")  # type: ignore[arg-type]  # one of the two
    token = REQUEST_ID.set("req_1")
    logging.getLogger("scriba.gateway").warning("%s was slow", "openai")
    logging.getLogger("scriba.gateway").debug("not this")
    REQUEST_ID.reset(token)
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    if form == "json":
        fields = json.loads(line)
        assert fields.pop("timestamp").endswith("Z")
        assert fields == {
            "level": "warning",
            "logger": "scriba.gateway",
            "event": "openai was slow",
            "request_id": "req_1",
        }
    else:
        assert all(part in line for part in ("warning", "scriba.gateway", "openai was slow", "request_id=req_1"))


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_exception_stays_with_its_line(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where it happened is told, as one object in JSON."""
    set_up(form, "info")  # type: ignore[arg-type]  # one of the two
    try:
        raise ZeroDivisionError("nothing to divide")  # noqa: TRY301 - it has to have a place
    except ZeroDivisionError:
        logging.getLogger("scriba.api").exception("It failed.")
    text = capsys.readouterr().err
    told = json.loads(text)["exception"] if form == "json" else text
    assert "ZeroDivisionError: nothing to divide" in told
    assert "test_log_output.py" in told


def test_callers_cannot_write_lines_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    """A line end in what a caller says is written out."""
    set_up("text", "info")
    logging.getLogger("scriba").warning("model %s", "x\n2026-01-01 forged \x1b[31m")
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "secret",
    ["sk_scriba_abcdefghijklmnop234567", "sk-proj-1234567890abcdef", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
)
def test_what_looks_like_a_key_is_covered(secret: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever logs one by mistake, also in a traceback or under `Bearer`."""
    set_up("text", "info")
    logging.getLogger("somebody.else").error("refused %s", secret, extra={"path": f"Bearer {secret}"})
    text = capsys.readouterr().err
    assert "refused" in text
    assert secret not in text
    assert secret not in covered(f"Authorization: Bearer {secret}")


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_in_the_lines_of_a_whole_program(tmp_path: Path, provider: Provider, form: str) -> None:
    """Requests of all kinds, at the most talkative level: each has its line with its id, and no line a secret."""
    provider.answer = failing(500, "the provider's trouble")
    (tmp_path / "scriba.toml").write_text(
        f'log_format = "{form}"\nlog_level = "debug"\naccess_log = true\n'
        f'[providers.openai]\nbase_url = "{provider.url}"\n',
        encoding="utf-8",
    )
    with program(tmp_path, "--demo", environ={"OPENAI_API_KEY": KEY}) as running:
        keys = json.loads((tmp_path / "data" / "demo.keys").read_text("utf-8"))
        admin = (tmp_path / "data" / "admin.key").read_text("utf-8").strip()
        link = running.greeting.partition("/login/")[2].split()[0]
        answers = [
            ask(running.url, keys["app"], {**CHAT, "user": SECRET_BODY}, [("x-secret", SECRET_HEADER)]),
            ask(running.url, keys["app"], SECRET_BODY.encode()),
            ask(running.url, "sk_scriba_unknown_4711", CHAT),
            ask(running.url, keys["auditor"], CHAT),
            ask(running.url, admin, {"name": SECRET_BODY}, path="/governance"),
            ask(running.url, admin, b"", method="GET", path=f"/governance/audit-logs?user={SECRET_QUERY}"),
            ask(running.url, "", b"", method="GET", path=f"/login/{link}"),
        ]
        running.process.terminate()
        assert running.process.stdout is not None
        text = running.process.stdout.read()
    for secret in (*keys.values(), admin, link, KEY, "4711", SECRET_BODY, SECRET_HEADER, SECRET_QUERY):
        assert secret not in text
    ids = [answer.headers["x-request-id"] for answer in answers]
    if form == "json":
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        told = {line.get("request_id"): line for line in lines if line["event"] == "answered"}
        assert [told[one]["status"] for one in ids] == [answer.status for answer in answers]
        assert told[ids[0]]["path"] == PATH
        assert told[ids[0]]["duration_ms"] > 0
    else:
        assert all(f"request_id={one}" in text for one in ids)


def test_the_form_does_not_depend_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Colours are for terminals alone."""
    set_up("text", "warning")
    assert not sys.stderr.isatty()
    logging.getLogger("scriba").warning("plain")
    assert "\x1b" not in capsys.readouterr().err
