"""What the README and the other documents promise is so."""

from __future__ import annotations

import json
import re
import shlex
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import click
import pytest
from tests.docs.reading import DOCUMENTS, README, ROOT, code_blocks, commands_named

from scriba.cli import root

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import Running, Tenant

ADDRESS = "http://127.0.0.1:2728"
STRICT = {"blockChinaProviders": True, "enforcement": "hard_block"}


@pytest.fixture(scope="module")
def tenant(server: Running) -> Tenant:
    """Make an organisation with a policy like the demo's."""
    return server.tenant(STRICT)


def test_it_begins_with_three_sentences() -> None:
    """Whoever reads no further knows what Scriba is."""
    first = README.read_text(encoding="utf-8").split("\n\n")[1]
    assert len(re.findall(r"[.!?](?:\s|$)", first)) == 3


def test_the_curl_lines_work(server: Running, tenant: Tenant) -> None:
    """The first is allowed, the second refused, and the third shows both, newest first."""
    (block,) = (code for code in code_blocks(README, "sh") if "curl" in code)
    text = block.replace(ADDRESS, server.url).replace("$APP_KEY", tenant.app).replace("$AUDITOR_KEY", tenant.auditor)
    allowed, refused, listed = (
        _curl(line) for line in text.replace("\\\n", "").splitlines() if line.startswith("curl")
    )
    assert allowed[0] == 200
    assert allowed[1]["choices"][0]["message"]["content"]
    assert refused[0] == 403
    assert "China-based" in json.dumps(refused[1])
    assert listed[0] == 200
    assert [(entry["model"], entry["allowed"]) for entry in listed[1]["logs"]] == [
        ("deepseek-chat", False),
        ("sandbox/echo", True),
    ]


def test_the_example_in_python_works(server: Running, tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    """Both ways: an answer, and a refusal that names the policy and the reason."""
    (code,) = code_blocks(README, "python")
    code = code.replace(ADDRESS, server.url).replace("sk_scriba_...", tenant.app)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip()
    exec(compile(code.replace("sandbox/echo", "deepseek-chat"), "README.md", "exec"), {})
    refusal = capsys.readouterr().out
    assert "Production" in refusal
    assert "China-based" in refusal
    assert "audit_" in refusal


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_is_one_that_scriba_takes(document: Path) -> None:
    """With options and values that it would accept."""
    for line in commands_named(document, "scriba"):
        words = shlex.split(line.partition(" #")[0])[1:]
        if words[0].startswith("--"):
            continue
        _parse(root, "scriba", words)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_is_there(document: Path) -> None:
    """In the Makefile, by the same name."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in commands_named(document, "make"):
        assert re.search(rf"^{line.split()[1]}:", makefile, re.MULTILINE), line


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_within_leads_somewhere(document: Path) -> None:
    """To a file or folder of the project; pictures are made with the console."""
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_every_target_of_make_is_explained() -> None:
    """`make help` lists each with a line of its own."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony is not None
    explained = re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE)
    assert sorted(phony[1].split()) == sorted(explained)


def test_the_two_commands_without_make_are_those_of_make() -> None:
    """Whoever has no make gets the same."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    assert "`python3 scripts/setup.py`" in text
    assert "`.venv/bin/scriba serve --demo`" in text
    assert "@$(PYTHON) scripts/setup.py $(if $(ARGS),-- $(ARGS))\n" in makefile
    assert "@$(BIN)/scriba serve --demo $(ARGS)\n" in makefile


def _parse(command: click.Command, name: str, words: list[str]) -> None:
    """Parse a command line as click does, without running it."""
    context = command.make_context(name, list(words), resilient_parsing=False)
    if isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        if not rest:
            return
        found, member, rest = command.resolve_command(context, rest)
        assert member is not None, words
        if not (isinstance(member, click.Group) and not rest) and not _is_mention(member, rest):
            _parse(member, found or "", rest)


def _is_mention(command: click.Command, words: list[str]) -> bool:
    """Whether a command between backquotes stands for itself, without what it needs."""
    return not words and any(parameter.required for parameter in command.params)


def _curl(line: str) -> tuple[int, Any]:
    """Do what a curl line says, where curl may not be installed."""
    words = iter(shlex.split(line))
    assert next(words) == "curl"
    url, body, headers = "", None, {}
    for word in words:
        if word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(words).encode()
        elif word != "-s":
            url = word
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
