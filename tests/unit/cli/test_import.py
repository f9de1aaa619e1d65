"""`scriba import`: every form of history that is promised, once, with a word about whatever is not taken."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scriba.audit.imports import Importer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.cli.conftest import Scriba

VECTORS = Path(__file__).parents[2] / "vectors"
ENTRY: dict[str, Any] = {
    "requestId": "req_1",
    "timestamp": "2025-01-10T14:30:00Z",
    "model": "gpt-4o",
    "provider": "openai",
    "policyId": "gpol_xxx",
    "policyName": "Production",
    "allowed": True,
    "enforcement": "warn",
}


def lines(*entries: object) -> str:
    """Write entries one in each line."""
    return "".join(json.dumps(entry) + "\n" for entry in entries)


def logged(scriba: Scriba, *options: str) -> Sequence[dict[str, Any]]:
    """Return the entries of acme, newest first."""
    entries: list[dict[str, Any]] = scriba("log", "query", "--org", "acme", "--limit", "1000", "--json", *options).json[
        "logs"
    ]
    return entries


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize("name", ["seed_audit_logs.csv", "seed_audit_logs.json"])
@pytest.mark.parametrize("form", ["casedev", "scriba"])
def test_exports_of_the_contract(scriba: Scriba, name: str, form: str) -> None:
    """Promise: both files that the contract prints can be brought in, ids and times as they are."""
    (Path.cwd() / name).write_bytes((VECTORS / name).read_bytes())
    result = scriba("import", name, "--org", "acme", "--format", form, "--json")
    assert (result.code, result.json["imported"]) == (0, 2)
    blocked, allowed = logged(scriba)
    assert (blocked["id"], blocked["timestamp"]) == ("audit_def456", "2025-01-10T14:31:00Z")
    assert (allowed["id"], allowed["provider"], allowed["log"]) == ("audit_abc123", "anthropic", "imports")
    if name.endswith("json"):
        assert blocked["requestedProvider"] == "deepseek"
    else:
        assert blocked["violationReasons"] == ["China-based provider blocked"]
        assert blocked["policyId"] == "gpol_not_told"


@pytest.mark.usefixtures("acme")
def test_running_it_again_adds_nothing(scriba: Scriba) -> None:
    """Promise: the second run says so, and a file that has grown adds only what is new."""
    file = Path("history.ndjson")
    file.write_text(lines(ENTRY, {**ENTRY, "id": "x"}))
    assert scriba("import", "history.ndjson", "--org", "acme").code == 0
    again = scriba("import", "history.ndjson", "--org", "acme")
    assert again.code == 0
    assert "2 entries had been imported before" in again.out
    assert "a second" not in again.out  # nothing was imported, at whatever rate
    file.write_text(lines({**ENTRY, "requestId": "new"}, ENTRY))
    assert scriba("import", "history.ndjson", "--org", "acme", "--json").json["imported"] == 1
    assert len(logged(scriba)) == 3


@pytest.mark.usefixtures("acme")
def test_what_is_refused_is_in_a_side_file(scriba: Scriba) -> None:
    """Promise: line, reason and the entry itself; the rest is imported; the exit code says that some are not."""
    good = json.dumps(ENTRY)
    Path("h.ndjson").write_text(f'{good}\n\n{{"model": "gpt-4o"\n{lines({**ENTRY, "polcyId": "x"})}[]\n')
    result = scriba("import", "h.ndjson", "--org", "acme")
    assert result.code == 1
    assert "Imported 1 entry" in result.out
    assert "h.ndjson.refused.ndjson" in result.out
    told = [json.loads(line) for line in Path("h.ndjson.refused.ndjson").read_text().splitlines()]
    assert [one["line"] for one in told] == [3, 4, 5]
    assert told[1]["param"] == "polcyId"
    assert "Did you mean policyId?" in told[1]["message"]
    assert json.loads(told[1]["entry"])["polcyId"] == "x"
    Path("h.ndjson").write_text(good)
    assert scriba("import", "h.ndjson", "--org", "acme").code == 0
    assert not Path("h.ndjson.refused.ndjson").exists()


@pytest.mark.usefixtures("acme")
def test_csv_with_hostile_cells(scriba: Scriba) -> None:
    """Promise: quotes, newlines in quotes and bad rows are told apart by the line they begin on."""
    text = (
        "id,timestamp,model,allowed,enforcement,policy_name,user,policy_slot\n"
        'a,2025-01-10T14:30:00Z,"m,""x""",true,warn,P,\'=cmd,3\n'
        'b,2025-01-10T14:30:00Z,"two\nlines",true,warn,P,u,\n'
        "c,2025-01-10T14:30:00Z,m,yes,warn,P,u,\n"
        "d,2025-01-10T14:30:00Z,m,true,warn,P\n"
        "e,2025-01-10T14:30:00Z,m,true,warn,P,\udcff,\n"
        "f,2025-01-10T14:30:00Z,m,false,hard_block,P,,\n"
    )
    Path("h.csv").write_bytes(b"\xef\xbb\xbf" + text.encode(errors="surrogateescape"))
    assert scriba("import", "h.csv", "--org", "acme").code == 1
    told = [json.loads(line) for line in Path("h.csv.refused.ndjson").read_text().splitlines()]
    assert [(one["line"], one["param"]) for one in told] == [(3, "model"), (5, "allowed"), (6, None), (7, "user")]
    entries = {entry["id"]: entry for entry in logged(scriba)}
    assert entries.keys() == {"a", "f"}
    assert (entries["a"]["model"], entries["a"]["user"], entries["a"]["policySlot"]) == ('m,"x"', "=cmd", 3)
    assert entries["f"]["provider"] is None


@pytest.mark.usefixtures("acme")
def test_what_litellm_logs(scriba: Scriba) -> None:
    """Promise: what its standard payload tells is mapped; a guardrail or a budget that stopped a call blocked it."""
    result = scriba(
        "import", str(VECTORS / "litellm_payloads.ndjson"), "--org", "acme", "--format", "litellm", "--json"
    )
    assert (result.code, result.json["imported"]) == (0, 4)
    entries = {entry["id"]: entry for entry in logged(scriba)}
    plain = entries["chatcmpl-1"]
    assert (
        plain.items()
        >= {
            "requestId": "trace-1",
            "timestamp": "2025-01-10T14:30:00.250000Z",
            "model": "gpt-4o",
            "provider": "openai",
            "policyName": "Not told",
            "allowed": True,
            "enforcement": "warn",
            "operation": "chat",
            "apiKeyId": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
            "ipAddress": "203.0.113.42",
            "user": "zoe",
            "tags": ["team:billing"],
        }.items()
    )
    assert entries["failed-upstream"]["allowed"] is True
    assert entries["guarded"]["violationReasons"] == ["Blocked by guardrail 'pii'"]
    assert (entries["guarded"]["provider"], entries["guarded"]["requestedProvider"]) == (None, "anthropic")
    assert entries["too-dear"]["violationReasons"] == ["Budget has been exceeded! Current cost: 3, Max budget: 2"]


@pytest.mark.usefixtures("acme")
def test_standard_input(scriba: Scriba, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: `-` reads what another program writes."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((lines(ENTRY) + "{}\n").encode())))
    result = scriba("import", "-", "--org", "acme", "--json")
    assert result.code == 1
    assert result.json.items() >= {"imported": 1, "refused": 1, "refusedFile": "import.refused.ndjson"}.items()


@pytest.mark.usefixtures("acme")
def test_being_interrupted(scriba: Scriba, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: Ctrl-C says how to go on."""
    Path("h.ndjson").write_text(lines(ENTRY))

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Importer, "import_entries", interrupt)
        result = scriba("import", "h.ndjson", "--org", "acme")
    assert result.code == 130
    assert "Run the same command again" in result.err
    assert scriba("import", "h.ndjson", "--org", "acme").code == 0


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id,modle\n", "Did you mean model?"),
        ("[{]", "not a list of entries"),
        ('{"logs": 7}', "not a list of entries"),
        ('id,user\n"a', "Line 2 is not CSV"),
    ],
)
def test_files_that_are_none(scriba: Scriba, text: str, says: str) -> None:
    """Promise: exit code 2 and what is wrong."""
    Path("h").write_text(text)
    result = scriba("import", "h", "--org", "acme")
    assert result.code == 2
    assert says in result.err


def test_files_and_organisations_that_are_not_there(scriba: Scriba, acme: str) -> None:
    """Promise: exit code 2, naming them."""
    assert "There is no file nowhere" in scriba("import", "nowhere", "--org", acme).err
    Path("h").write_text("")
    assert "no organisation" in scriba("import", "h", "--org", "nobody").err
    assert scriba("import", "h", "--org", acme, "--json").json["imported"] == 0
